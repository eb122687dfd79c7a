// Deltas: images of wanted releases told by what devices hold already, or compressed for those that
// hold nothing like them, each made once and kept in a folder beside the blobs. They are a saving
// and nothing else: a device that is offered none fetches whole images, and whoever keeps one
// decides nothing by it (ota/delta.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/store.h"
#include "fleet/v1/link.pb.h"
#include "ota/blobs.h"
#include "proto/async.h"

namespace controller {

using proto::awaitable;

/// How long a device's Desired waits for deltas that are being made for it: a core makes one
/// between the largest images in 2 s, and one of the DNS image in 20 ms. Who has waited so long
/// fetches whole images, so that a push is never slow for want of a saving.
inline constexpr std::int64_t kDeltaWaitMs = 3000;
/// Deltas that wait to be made; what comes on top is not made until it is asked for again.
inline constexpr std::size_t kDeltasQueued = 64;

class Deltas {
 public:
  /// `disk` is a folder of their own, which nobody else touches; `pool` makes them. All of them
  /// outlive this.
  Deltas(Store& store, ota::Blobs& blobs, ota::Disk& disk, proto::BlockingPool& pool,
         proto::Clock& clock);
  Deltas(const Deltas&) = delete;
  Deltas& operator=(const Deltas&) = delete;

  /// Learns what is there, once, before the loop runs; what a kill left half done goes. errors io
  Status open();

  /// Adds to each wish of `desired` the deltas from what the device holds by its last word, and
  /// from the empty base for images that it holds nothing like. What is not made yet is queued and
  /// waited for, until kDeltaWaitMs at most. Without any, and after an error, which is logged,
  /// `desired` stays as it is.
  awaitable<void> offer(std::string device_id, v1::Desired& desired);

  /// Makes what is queued, one after the other; runs for as long as the controller.
  awaitable<void> make_queued();

  /// errors bad_argument (no digest) | not_found | io
  Result<ota::Fd> open_delta(const std::string& sha256);

  /// Pairs that were made, and the bytes of their deltas.
  std::size_t kept_count() const { return made_.size(); }
  std::uint64_t kept_bytes() const { return total_bytes_; }

 private:
  struct Pair {
    ota::BlobRef from;
    ota::BlobRef to;
    auto operator<=>(const Pair&) const = default;
  };
  // What came of a pair. Without bytes: none that is worth it.
  struct Made {
    std::string sha256;
    std::uint64_t size_bytes = 0;
  };
  using Key = std::pair<std::string, std::string>;  // digests of base and image
  struct ImagePart {
    v1::Arch arch;
    v1::Platform platform;
    int role;  // kernel, initrd, disk
    ota::BlobRef blob;
  };
  using ImageParts = std::vector<ImagePart>;

  static Key key_of(const Pair& pair);
  static std::string file_name(const Key& key, const Made& made);
  Result<ImageParts> parts_of(const std::string& app, std::uint64_t release);
  Result<std::vector<Pair>> pairs_for(const v1::Telemetry& facts, const v1::DesiredApp& wish);
  void queue(const Pair& pair);
  Result<std::vector<std::string>> forget_unwanted();
  Result<std::set<std::string>> wanted_images();
  Result<Made> make(const Pair& pair, const std::vector<std::string>& gone);

  Store& store_;
  ota::Blobs& blobs_;
  ota::Disk& disk_;
  proto::BlockingPool& pool_;
  proto::Clock& clock_;
  std::map<Key, Made> made_;
  std::deque<Pair> queue_;     // the first is being made
  std::uint64_t total_bytes_ = 0;
  // Of releases that were asked for.
  std::map<std::pair<std::string, std::uint64_t>, ImageParts> parts_;
  proto::Notifier queued_;
  proto::Notifier done_;
};

}  // namespace controller
