#include "images/firewall/options.h"

#include "images/runtime/address.h"

namespace images::firewall {
namespace {

bool take_number(std::string_view text, std::uint64_t least, std::uint64_t most,
                 std::uint32_t& out) {
  std::uint64_t value = 0;
  if (!runtime::parse_number(text, most, value) || value < least) return false;
  out = static_cast<std::uint32_t>(value);
  return true;
}

}  // namespace

const char* parse_options(std::span<const std::string_view> arguments, Options& out,
                          std::string_view& bad) {
  for (const std::string_view argument : arguments) {
    bad = argument;
    std::string_view value = argument;
    std::string_view name;
    if (!runtime::cut(value, '=', name)) name = argument;
    if (name == "--flows") {
      if (!take_number(value, 16, 1 << 20, out.flows)) return "not a number of 16..1048576 flows";
    } else if (name == "--adopt") {
      if (!take_number(value, 0, 600, out.adopt_seconds)) return "not a number of 0..600 seconds";
    } else if (name == "--metrics") {
      if (!take_number(value, 1, 65535, out.metrics_port)) return "not a port of 1..65535";
    } else {
      return "no such argument; there are --flows=N, --adopt=SECONDS and --metrics=PORT";
    }
  }
  return nullptr;
}

}  // namespace images::firewall
