// What rules log, as lines on the console: at most ten a second, and how many there were beside.
#pragma once

#include <cstdint>
#include <string_view>

#include "images/firewall/firewall.h"

namespace images::firewall {

class LogLines {
 public:
  /// One line for a frame that a rule with `log` saw.
  void write(const Outcome& outcome, const Packet& packet, std::string_view in,
             std::string_view out, std::uint64_t now_ms);

 private:
  bool may_write(std::uint64_t now_ms);

  std::uint64_t second_ = 0;
  std::uint32_t written_ = 0;    // in that second
  std::uint64_t left_out_ = 0;  // since the last line
};

}  // namespace images::firewall
