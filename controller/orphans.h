// Orphans: bytes that were uploaded for a push which never came, so that no release consists of
// them. They are kept for a day, in which the push may still come, and then removed.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "controller/store.h"
#include "ota/blobs.h"
#include "proto/async.h"
#include "proto/result.h"

namespace controller {

/// A push is accepted seconds after its bytes came; over a slow line, or in several tries, hours.
inline constexpr std::int64_t kOrphansKeptMs = 24 * 3600 * 1000;
inline constexpr std::int64_t kOrphansLookMs = 6 * 3600 * 1000;  // reads all releases

class Orphans {
 public:
  /// They outlive it.
  Orphans(Store& store, ota::Blobs& blobs, proto::Clock& clock)
      : store_(store), blobs_(blobs), clock_(clock) {}

  /// Looks once, and removes what was an orphan for kOrphansKeptMs, unchanged, at each look of this
  /// run. In one go with what accepts pushes: no release can come to name what is being removed.
  /// out    bytes that were freed
  /// errors io
  Result<std::uint64_t> look();

 private:
  struct Orphan {
    std::int64_t since_ms = 0;
    std::uint64_t size_bytes = 0;
  };

  Store& store_;
  ota::Blobs& blobs_;
  proto::Clock& clock_;
  std::map<std::string, Orphan> orphans_;  // by path
};

}  // namespace controller
