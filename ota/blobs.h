// Blobs: the content-addressed store. A file gets its name, its SHA-256 in hex, only after all of
// its bytes were hashed and synced; what is cut short or exchanged never gets one.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ota/disk.h"
#include "ota/hash.h"
#include "proto/limits.h"
#include "proto/result.h"

namespace ota {

/// Names bytes: what they hash to and how many they are.
struct BlobRef {
  Sha256 digest;
  std::uint64_t size_bytes = 0;

  auto operator<=>(const BlobRef&) const = default;
};

/// What stays free on the disk for the databases, so that a full store never stops a report.
inline constexpr std::uint64_t kDiskReserveBytes = 4 * proto::kMiB;

/// A blob on its way in. Movable; dropping it keeps the bytes on disk for the next begin().
class Partial {
 public:
  const BlobRef& blob() const { return blob_; }
  /// How many bytes are there; the next byte is written here.
  std::uint64_t offset_bytes() const { return offset_bytes_; }
  /// The open file, for a writer of its own (fleet-fetch). Call refresh() afterwards.
  const Fd& file() const { return file_; }
  /// Reads the offset from the file's size again. errors io
  Status refresh();
  /// Adds bytes at the offset. errors bad_digest (more than the blob has; nothing written) |
  /// no_space | io
  Status append(std::span<const std::byte> bytes);

 private:
  friend class Blobs;
  Partial(BlobRef blob, std::string path, Fd file, std::uint64_t offset_bytes)
      : blob_(blob), path_(std::move(path)), file_(std::move(file)), offset_bytes_(offset_bytes) {}

  BlobRef blob_;
  std::string path_;
  Fd file_;
  std::uint64_t offset_bytes_;
};

/// A file of the store.
struct HeldFile {
  std::string path;    // for Blobs::remove
  std::string digest;  // hex
  std::uint64_t size_bytes = 0;
  bool is_whole = true;  // false: a blob on its way in
};

/// The store on one disk, in the directories `blobs` and `partial`. `disk` outlives it.
/// Hashing and writing block: callers with a loop run them on a pool thread. One caller at a time.
class Blobs {
 public:
  explicit Blobs(Disk& disk, std::uint64_t reserve_bytes = kDiskReserveBytes)
      : disk_(disk), reserve_bytes_(reserve_bytes) {}

  /// Makes the directories. Once, before all else. errors as Disk
  Status prepare();

  /// Is it there, with this size? The bytes are not read again.
  bool has(const BlobRef& blob);

  /// Opens the way in for a blob that is not there, or goes on where an earlier try ended.
  /// errors no_space (names need and free; nothing written) | already_exists |
  ///        too_large (more than limits.h allows) | io
  Result<Partial> begin(const BlobRef& blob);

  /// The same for a blob that is made here out of others: always from its first byte, and apart
  /// from what begin() opens, so that bytes that were fetched stay. errors as begin
  Result<Partial> begin_made(const BlobRef& blob);

  /// How many bytes of the blob an earlier begin() left here; 0 if none.
  std::uint64_t partial_bytes(const BlobRef& blob);

  /// Throws a partial away. errors io
  Status discard(Partial partial);

  /// Hashes the whole partial and publishes it, read-only.
  /// errors bad_digest (bytes do not match, or are too few: the partial is erased) | no_space | io
  /// after  survives power loss
  Status finish(Partial partial);

  /// begin, append, finish of bytes at hand; a blob that is there already is a success.
  Status put(const BlobRef& blob, std::span<const std::byte> bytes);

  /// Opens without hashing, for bytes whose reader checks them itself. errors not_found | io
  Result<Fd> open(const Sha256& digest);

  /// Opens, hashes what is on the disk now, and gives the very descriptor that was hashed.
  /// errors not_found | bad_digest (the file is removed: it is worth nothing) | io
  Result<Fd> open_verified(const BlobRef& blob);

  /// The bytes of a small blob, hashed. errors as open_verified, and too_large
  Result<std::vector<std::byte>> read_verified(const BlobRef& blob, std::size_t max_bytes);

  /// All that is there, whole blobs first. errors io
  Result<std::vector<HeldFile>> files();
  /// For who knows that nobody wants it; one that is gone is no error. errors io
  Status remove(const HeldFile& file);

  /// Removes every blob that `pinned` does not name, and every partial of one that it does not
  /// name or that is here already. Gives the bytes freed. errors io
  Result<std::uint64_t> remove_unpinned(std::span<const BlobRef> pinned);

 private:
  Result<Partial> open_partial(const BlobRef& blob, std::string path);

  Disk& disk_;
  std::uint64_t reserve_bytes_;
};

}  // namespace ota
