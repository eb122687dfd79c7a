// Consoles: the last bytes of each instance's console, as devices send them, and who follows them.
// In memory, under one cap; kept so that logs of a device that is offline or went back are there.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "controller/events.h"
#include "fleet/v1/api.pb.h"
#include "fleet/v1/link.pb.h"
#include "proto/limits.h"

namespace controller {

inline constexpr std::size_t kConsolesBytes = 32 * proto::kMiB;  // all of them; the oldest go first

class Consoles {
 public:
  /// Keeps the chunk and hands it to who follows. What was there already is not kept twice.
  /// in     device: its name. Chunks are bounded by the link's limits
  void add(const std::string& device, const v1::LogChunk& chunk);

  /// What is kept of an app, oldest instance first. device "": of all; release 0: of all.
  std::vector<v1::LogEvent> kept(const std::string& app, const std::string& device,
                                 std::uint64_t release) const;
  void forget_device(const std::string& device);
  std::size_t size_bytes() const { return size_bytes_; }

  /// Followers of an app's consoles; the filter's device may name one.
  Feed& feed() { return feed_; }
  /// How many chunks came so far, to see whether more are coming.
  std::uint64_t chunks_seen() const { return chunks_seen_; }

 private:
  struct Key {
    std::string device;
    std::string app;
    std::uint64_t release = 0;
    std::string instance;
    auto operator<=>(const Key&) const = default;
  };
  struct Kept {
    std::uint64_t offset = 0;  // of the first byte of data
    std::string data;
    std::uint64_t time_ms = 0;
    std::list<Key>::iterator age;
  };
  void drop_oldest();
  static v1::LogEvent to_event(const Key& key, std::uint64_t offset, std::string data,
                               std::uint64_t time_ms);

  std::map<Key, Kept> kept_;
  std::list<Key> ages_;  // the least recently written first
  std::size_t size_bytes_ = 0;
  std::uint64_t chunks_seen_ = 0;
  Feed feed_;
};

}  // namespace controller
