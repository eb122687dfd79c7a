#include "tests/sim/trace.h"

#include <cstdio>

#include "proto/log_writer.h"

namespace sim {
namespace {

constexpr std::size_t kTailLines = 40;

Trace* current = nullptr;  // the log's writer takes no context

void take_log(std::string_view line) {
  if (current != nullptr) current->tell("log", line);
}

}  // namespace

Trace::Trace(proto::Clock& clock, bool print) : clock_(clock), print_(print) {
  FLEET_ASSERT(current == nullptr);
  current = this;
  proto::set_log_writer(take_log);
}

Trace::~Trace() {
  current = nullptr;
  proto::set_log_writer(nullptr);
}

void Trace::tell(std::string_view who, std::string_view what) {
  char time[32];
  const std::int64_t now_ms = clock_.now_ms();
  std::snprintf(time, sizeof time, "%9lld.%03lld", static_cast<long long>(now_ms / 1000),
                static_cast<long long>(now_ms % 1000));
  std::string line = time;
  line.append("  ").append(who).append(who.size() < 10 ? 10 - who.size() : 0, ' ');
  line.append("  ").append(what);
  for (const char c : line) {
    hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  ++lines_;
  if (print_) std::printf("%s\n", line.c_str());
  tail_.push_back(std::move(line));
  if (tail_.size() > kTailLines) tail_.pop_front();
}

std::string Trace::tail() const {
  std::string out;
  for (const std::string& line : tail_) out += line + "\n";
  return out;
}

}  // namespace sim
