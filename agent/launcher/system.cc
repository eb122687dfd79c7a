// Clocks, small files and processes.
#include "agent/launcher/system.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "agent/launcher/fd.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;

constexpr std::size_t kMaxSmallFile = 64 * 1024;

Error failed(const std::string& path) {
  return Error{errno == ENOENT ? Code::not_found : Code::io, path + ": " + std::strerror(errno),
               ""};
}

}  // namespace

std::uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
}

proto::Result<std::string> read_small_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return failed(path);
  std::string text;
  std::array<char, 4096> piece;  // most are shorter, and a list of instances reads many
  while (text.size() < kMaxSmallFile) {
    const std::size_t wanted = std::min(piece.size(), kMaxSmallFile - text.size());
    const ssize_t got = ::read(fd.get(), piece.data(), wanted);
    if (got < 0) return failed(path);
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

proto::Status write_small_file(const std::string& path, const std::string& text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return failed(path);
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) return failed(path);
  return {};
}

proto::Status replace_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  {
    const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return failed(temporary);
    const ssize_t written = ::write(fd.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) return failed(temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(path);
  return {};
}

namespace {

std::optional<ProcessUse> use_of_one(pid_t pid) {
  const auto text = read_small_file("/proc/" + std::to_string(pid) + "/stat");
  if (!text) return std::nullopt;
  // The name in parentheses may hold anything; what counts comes behind the last one.
  const std::size_t end = text->rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(text->substr(end + 1));
  std::string skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  std::uint64_t resident_pages = 0;
  ProcessUse use;
  for (int field = 3; field <= 13; ++field) fields >> skipped;  // state .. cmajflt
  fields >> user >> system;                                     // 14, 15
  for (int field = 16; field <= 21; ++field) fields >> skipped;
  fields >> use.start_ticks >> skipped >> resident_pages;       // 22, 23, 24
  if (!fields) return std::nullopt;
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  use.cpu_ms = (user + system) * 1000 / ticks;
  use.rss_bytes = resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return use;
}

}  // namespace

std::optional<ProcessUse> process_use(pid_t pid) {
  auto use = use_of_one(pid);
  if (!use) return std::nullopt;
  const std::string number = std::to_string(pid);
  const auto children = read_small_file("/proc/" + number + "/task/" + number + "/children");
  std::istringstream list(children ? *children : std::string());
  for (pid_t child = 0; list >> child;) {
    const auto more = use_of_one(child);
    if (!more) continue;
    use->cpu_ms += more->cpu_ms;
    use->rss_bytes += more->rss_bytes;
  }
  return use;
}

void notify_manager(const std::string& state) {
  const char* path = ::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) return;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, name, size);
}

void log_line(const char* level, const char* event, const std::string& fields) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char stamp[32];
  const std::size_t size = ::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string line = std::string(stamp, size) + "Z " + level + " " + event +
                           (fields.empty() ? "" : " ") + fields + "\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace launcher
