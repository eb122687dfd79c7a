#include "proto/log.h"

#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "proto/log_writer.h"

namespace proto {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::info};
std::atomic<void (*)(std::string_view)> line_writer{nullptr};

const char* word(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "unknown";
}

bool is_plain(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

void append_value(std::string& line, std::string_view value) {
  if (is_plain(value)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte >= ' ' && byte < 0x7f) {
      line += c;
    } else {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      line += hex;
    }
  }
  line += '"';
}

void append_time(std::string& line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  const std::size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  line.append(text, length);
  std::snprintf(text, sizeof text, ".%03ldZ", now.tv_nsec / 1000000);
  line += text;
}

}  // namespace

void set_log_level(LogLevel level) { lowest_level = level; }
void set_log_writer(void (*write_line)(std::string_view)) { line_writer = write_line; }

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (level < lowest_level) return;
  std::string line;
  const auto writer = line_writer.load();
  if (writer == nullptr) {
    append_time(line);
    line += ' ';
  }
  line += word(level);
  line += ' ';
  line += event;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  if (writer != nullptr) return writer(line);
  line += '\n';
  // A line that cannot be written is lost: logging never stops the work.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace proto
