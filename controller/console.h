// Consoles: the last bytes of each app, device and release, so that logs of an offline or reverted
// device exist, and those who follow. Kept in files that may lose their newest lines in a power
// cut: they are for people, nothing depends on them. Bytes are the guest's: never interpreted here.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "controller/http.h"
#include "fleet/v1/api.pb.h"
#include "ota/disk.h"

namespace controller {

inline constexpr std::size_t kConsolesInMemory = 128;  // 64 KiB each
inline constexpr std::size_t kReleasesKept = 3;        // of an app on a device

class Consoles {
 public:
  /// `disk` is the folder of consoles; it outlives this, as does the clock.
  Consoles(ota::Disk& disk, proto::Clock& clock);
  Consoles(const Consoles&) = delete;
  Consoles& operator=(const Consoles&) = delete;

  /// Bytes that are kept already are dropped; a gap is kept as a gap.
  void add(const std::string& device, const fleet::v1::LogChunk& chunk);
  /// What is kept of an app on a device; release 0: of every release, oldest first.
  fleet::v1::LogList kept(const std::string& app, const std::string& device,
                          std::uint64_t release);
  /// Chunks of the app as they come, of the devices named.
  std::unique_ptr<Feed> follow(const std::string& app, std::vector<std::string> devices);
  /// Writes what changed, a few files at a time. Called every second, and at the end.
  void save_some(std::size_t files);
  /// (app, device) pairs that are followed now.
  std::vector<std::pair<std::string, std::string>> followed() const;

 private:
  friend class ConsoleFeed;
  using Key = std::tuple<std::string, std::string, std::uint64_t>;  // device, app, release
  struct Follower {
    std::string app;
    std::vector<std::string> devices;
    std::deque<std::string> waiting;  // bounded: the oldest go
    std::uint64_t next_id = 1;
  };

  struct Kept {
    fleet::v1::LogEvent event;
    bool dirty = false;
    std::uint64_t used = 0;
  };

  Kept& load(const Key& key);
  std::vector<std::uint64_t> releases(const std::string& app, const std::string& device);
  void save(const Key& key, Kept& kept);
  void make_room();
  void tell(const fleet::v1::LogEvent& told);
  static std::string file_name(const Key& key);

  ota::Disk& disk_;
  proto::Clock& clock_;
  proto::Notifier added_;
  std::map<Key, Kept> kept_;  // a cache of the files, at most kConsolesInMemory
  std::uint64_t uses_ = 0;
  std::list<Follower> followers_;
};

}  // namespace controller
