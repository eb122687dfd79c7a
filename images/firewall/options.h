// The firewall's arguments. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/firewall/routes.h"

namespace images::firewall {

struct Options {
  std::uint32_t flows = 16384;      // --flows=N
  std::uint32_t adopt_seconds = 0;  // --adopt=N
  std::uint32_t metrics_port = 0;   // --metrics=N; 0: no pages
  std::uint32_t replies = 100;      // --replies=N
  std::array<StaticRoute, kMaxStaticRoutes> routes{};  // --route=NETWORK/BITS,GATEWAY
  std::size_t route_count = 0;
};

/// nullptr: well; else what is wrong with `bad`, one of the arguments.
const char* parse_options(std::span<const std::string_view> arguments, Options& out,
                          std::string_view& bad);

}  // namespace images::firewall
