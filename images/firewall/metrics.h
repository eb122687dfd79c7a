// What the firewall tells a Prometheus. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/firewall/delivery.h"
#include "images/firewall/firewall.h"

namespace images::firewall {

/// What one port has seen.
struct PortCounts {
  std::string_view name;
  std::uint64_t received = 0;
  std::uint64_t lost = 0;  // forwarded to it, and the host had no room
};

/// The text format, whole lines: counters of rules for which there is no room are left out, and
/// told as firewall_counters_left_out. Returns how many bytes; `out` should have 4 KiB. `delivery`:
/// of a router, else nullptr.
std::size_t write_metrics(const Firewall& firewall, std::span<const PortCounts> ports,
                          const Delivery* delivery, std::span<char> out);

}  // namespace images::firewall
