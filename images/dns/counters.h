// What the server has done since its start, and that as Prometheus text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "images/dns/message.h"

namespace images::dns {

/// How a question came, and how it went on.
enum class Event : std::size_t {
  by_udp,
  by_tcp,
  dropped,              // no question, or too long
  limited_dropped,
  limited_truncated,
  connection,
  connection_refused,   // all were taken
  forwarded,
  forward_tried_again,  // a server was silent or failed
  forward_answered,
  forward_failed,       // all servers were silent
  forward_full,         // more at once than there is room for
  forward_forged,       // an answer that was none to the question
  count,
};

class Counters {
 public:
  void add(Event event) { ++events_[static_cast<std::size_t>(event)]; }
  /// A question of this type was answered by this code: also forwarded ones.
  void add_answer(std::uint16_t type, Rcode rcode);
  std::uint64_t operator[](Event event) const { return events_[static_cast<std::size_t>(event)]; }

  /// Prometheus' text; returns its bytes, whole lines. 8 KiB are enough for all.
  std::size_t write(std::size_t zones, std::uint64_t uptime_ms, std::span<char> out) const;

  static constexpr std::size_t kTypes = 17;   // the last one: all others
  static constexpr std::size_t kRcodes = 8;   // the last one: all others

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(Event::count)> events_{};
  std::array<std::uint64_t, kTypes> types_{};
  std::array<std::uint64_t, kRcodes> rcodes_{};
};

}  // namespace images::dns
