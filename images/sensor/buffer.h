// What waits for the broker: a ring of fixed size. While it has room nothing is lost, whatever the
// broker does; then the oldest goes, counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "images/sensor/window.h"

namespace images::sensor {

/// One message before it is written out.
struct Message {
  std::uint64_t sequence = 0;  // from 1, without a gap
  std::uint64_t at_ms = 0;     // of the guest's own clock
  std::uint32_t sensor = 0;    // its index in the settings
  bool acknowledged = false;
  Summary summary;
};

class Buffer {
 public:
  /// The room outlives it and is at least one message.
  explicit Buffer(std::span<Message> room) : room_(room) {}

  /// Keep a message. If there is no room the oldest is lost.
  void push(std::uint32_t sensor, const Summary& summary, std::uint64_t now_ms);

  /// The oldest that was not sent on this connection; nullptr: none waits.
  const Message* next() const;
  /// It is on its way now.
  void sent();
  /// The broker has it. Of one that is not on its way nothing is said.
  void acknowledge(std::uint64_t sequence);
  /// The connection ended: all that was not acknowledged is sent again.
  void connection_ended() { on_way_ = 0; }

  /// Of the oldest message; 0: there is none.
  std::uint64_t oldest_sequence() const { return size_ == 0 ? 0 : at(0).sequence; }
  std::size_t size() const { return size_; }
  std::size_t on_way() const { return on_way_; }
  std::uint64_t lost() const { return lost_; }

 private:
  Message& at(std::size_t index) const { return room_[(first_ + index) % room_.size()]; }
  void drop_first();

  std::span<Message> room_;
  std::size_t first_ = 0;   // the oldest
  std::size_t size_ = 0;    // of which the first on_way_ are sent
  std::size_t on_way_ = 0;
  std::uint64_t last_sequence_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace images::sensor
