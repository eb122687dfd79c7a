// The firewall's arguments. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace images::firewall {

struct Options {
  std::uint32_t flows = 16384;      // --flows=N
  std::uint32_t adopt_seconds = 0;  // --adopt=N
  std::uint32_t metrics_port = 0;   // --metrics=N; 0: no pages
};

/// nullptr: well; else what is wrong with `bad`, one of the arguments.
const char* parse_options(std::span<const std::string_view> arguments, Options& out,
                          std::string_view& bad);

}  // namespace images::firewall
