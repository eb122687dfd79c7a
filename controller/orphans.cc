#include "controller/orphans.h"

#include <set>
#include <utility>
#include <vector>

namespace controller {

Result<std::uint64_t> Orphans::look() {
  const std::int64_t now_ms = clock_.now_ms();
  TRY(const std::set<std::string> released, store_.released_blobs());
  TRY(const std::vector<ota::HeldFile> files, blobs_.files());
  std::map<std::string, Orphan> found;
  std::uint64_t freed_bytes = 0;
  for (const ota::HeldFile& file : files) {
    if (released.count(file.digest) == 1) continue;
    Orphan orphan{now_ms, file.size_bytes};
    const auto known = orphans_.find(file.path);
    if (known != orphans_.end() && known->second.size_bytes == file.size_bytes) {
      orphan = known->second;  // one that grows is being uploaded
    }
    if (now_ms - orphan.since_ms >= kOrphansKeptMs) {
      TRY_VOID(blobs_.remove(file));
      freed_bytes += file.size_bytes;
    } else {
      found.emplace(file.path, orphan);
    }
  }
  orphans_ = std::move(found);
  return freed_bytes;
}

}  // namespace controller
