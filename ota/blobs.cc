// Blobs: two directories, `partial` for what is coming and `blobs` for what is proven.
#include "ota/blobs.h"

#include <unistd.h>

#include <functional>
#include <map>
#include <set>

namespace ota {

namespace {

constexpr std::string_view kBlobs = "blobs";
constexpr std::string_view kPartials = "partial";

std::string blob_path(const Sha256& digest) { return std::string(kBlobs) + "/" + digest.hex(); }

std::string partial_path(const Sha256& digest) {
  return std::string(kPartials) + "/" + digest.hex();
}

// No digest has a dot.
constexpr std::string_view kMadeSuffix = ".made";

std::string made_path(const Sha256& digest) {
  return partial_path(digest) + std::string(kMadeSuffix);
}

std::string short_name(const Sha256& digest) { return "sha256:" + digest.hex().substr(0, 8); }

Error too_long(const BlobRef& blob) {
  return Error{Code::bad_digest,
               "blob " + short_name(blob.digest) + ": more than the " +
                   std::to_string(blob.size_bytes) + " bytes that were signed", {}};
}

}  // namespace

Status Partial::refresh() {
  TRY(offset_bytes_, size_of(file_));
  return {};
}

Status Partial::append(std::span<const std::byte> bytes) {
  FLEET_ASSERT(offset_bytes_ <= blob_.size_bytes);
  if (bytes.size() > blob_.size_bytes - offset_bytes_) return too_long(blob_);
  if (Status wrote = write_at(file_, offset_bytes_, bytes); !wrote) {
    return wrote.error().with("blob " + short_name(blob_.digest));
  }
  offset_bytes_ += bytes.size();
  return {};
}

Status Blobs::prepare() {
  TRY_VOID(disk_.make_directory(kBlobs));
  return disk_.make_directory(kPartials);
}

bool Blobs::has(const BlobRef& blob) {
  auto file = disk_.open_file(blob_path(blob.digest));
  if (!file) return false;
  auto size_bytes = size_of(*file);
  return size_bytes && *size_bytes == blob.size_bytes;
}

Result<Partial> Blobs::begin(const BlobRef& blob) {
  return open_partial(blob, partial_path(blob.digest));
}

Result<Partial> Blobs::begin_made(const BlobRef& blob) {
  const std::string path = made_path(blob.digest);
  TRY_VOID(disk_.remove(path));
  return open_partial(blob, path);
}

std::uint64_t Blobs::partial_bytes(const BlobRef& blob) {
  const auto file = disk_.open_file(partial_path(blob.digest));
  if (!file) return 0;
  const auto size_bytes = size_of(*file);
  return size_bytes && *size_bytes <= blob.size_bytes ? *size_bytes : 0;
}

Status Blobs::discard(Partial partial) {
  partial.file_.close();
  return disk_.remove(partial.path_);
}

Result<Partial> Blobs::open_partial(const BlobRef& blob, std::string path) {
  const std::string name = "blob " + short_name(blob.digest);
  if (blob.size_bytes > proto::kMaxImageBytes) {
    return Error{Code::too_large,
                 name + ": " + std::to_string(blob.size_bytes) + " bytes, at most " +
                     std::to_string(proto::kMaxImageBytes) + " are taken", {}};
  }
  if (has(blob)) return Error{Code::already_exists, name + ": it is here already", {}};
  TRY(Fd file, disk_.open_partial(path, 0));
  TRY(std::uint64_t offset_bytes, size_of(file));
  if (offset_bytes > blob.size_bytes) {
    // Longer than signed: nothing of it can be right.
    file.close();
    TRY_VOID(disk_.remove(path));
    TRY(file, disk_.open_partial(path, 0));
    offset_bytes = 0;
  }
  const std::uint64_t need_bytes = blob.size_bytes - offset_bytes;
  TRY(const std::uint64_t free_bytes, disk_.free_bytes());
  if (free_bytes < reserve_bytes_ || free_bytes - reserve_bytes_ < need_bytes) {
    if (offset_bytes == 0) TRY_VOID(disk_.remove(path));
    return Error{Code::no_space,
                 name + ": needs " + std::to_string(need_bytes) + " bytes and " +
                     std::to_string(reserve_bytes_) + " in reserve, " +
                     std::to_string(free_bytes) + " are free; make room on the device's disk", {}};
  }
  if (need_bytes > 0) {
    // Takes the room now, so that a disk that fills up meanwhile is told before the first byte.
    auto roomy = disk_.open_partial(path, blob.size_bytes);
    if (!roomy) return roomy.error().with(name);
  }
  return Partial(blob, std::move(path), std::move(file), offset_bytes);
}

Status Blobs::finish(Partial partial) {
  const BlobRef& blob = partial.blob_;
  const std::string name = "blob " + short_name(blob.digest);
  const std::string& path = partial.path_;
  TRY_VOID(partial.refresh());
  TRY(const Sha256 found, hash_file(partial.file_.get()));
  if (partial.offset_bytes_ != blob.size_bytes || found != blob.digest) {
    partial.file_.close();
    TRY_VOID(disk_.remove(path));
    return Error{Code::bad_digest,
                 name + ": " + std::to_string(partial.offset_bytes_) + " bytes with " +
                     short_name(found) + " came, " + std::to_string(blob.size_bytes) +
                     " bytes were signed; they were thrown away", {}};
  }
  if (Status published = disk_.publish(path, partial.file_, blob_path(blob.digest)); !published) {
    // After a failed sync the pages may be gone though they read well: start anew.
    (void)disk_.remove(path);
    return published.error().with(name);
  }
  return {};
}

Status Blobs::put(const BlobRef& blob, std::span<const std::byte> bytes) {
  if (has(blob)) return {};
  TRY_VOID(disk_.remove(partial_path(blob.digest)));
  TRY(Partial partial, begin(blob));
  TRY_VOID(partial.append(bytes));
  return finish(std::move(partial));
}

Result<Fd> Blobs::open(const Sha256& digest) {
  auto file = disk_.open_file(blob_path(digest));
  if (!file) return file.error().with("blob " + short_name(digest));
  return file;
}

Result<Fd> Blobs::open_verified(const BlobRef& blob) {
  TRY(Fd file, open(blob.digest));
  TRY(const std::uint64_t size_bytes, size_of(file));
  TRY(const Sha256 found, hash_file(file.get()));
  if (size_bytes == blob.size_bytes && found == blob.digest) return file;
  TRY_VOID(disk_.remove(blob_path(blob.digest)));
  return Error{Code::bad_digest,
               "blob " + short_name(blob.digest) + ": the disk holds " +
                   std::to_string(size_bytes) + " bytes with " + short_name(found) +
                   "; the file was removed and must be fetched again", {}};
}

Result<std::vector<std::byte>> Blobs::read_verified(const BlobRef& blob, std::size_t max_bytes) {
  if (blob.size_bytes > max_bytes) {
    return Error{Code::too_large,
                 "blob " + short_name(blob.digest) + ": " + std::to_string(blob.size_bytes) +
                     " bytes, at most " + std::to_string(max_bytes) + " are read", {}};
  }
  TRY(Fd file, open_verified(blob));
  std::vector<std::byte> bytes(static_cast<std::size_t>(blob.size_bytes));
  TRY(const std::size_t got, read_at(file, 0, bytes));
  if (got != bytes.size()) return Error{Code::io, "blob " + short_name(blob.digest) + ": cut", {}};
  return bytes;
}

Result<std::vector<HeldFile>> Blobs::files() {
  std::vector<HeldFile> out;
  for (const std::string_view folder : {kBlobs, kPartials}) {
    TRY(const std::vector<DiskEntry> entries, disk_.list(folder));
    for (const DiskEntry& entry : entries) {
      std::string digest = entry.name;
      if (digest.ends_with(kMadeSuffix)) digest.resize(digest.size() - kMadeSuffix.size());
      out.push_back({std::string(folder) + "/" + entry.name, std::move(digest), entry.size_bytes,
                     folder == kBlobs});
    }
  }
  return out;
}

Status Blobs::remove(const HeldFile& file) { return disk_.remove(file.path); }

Result<std::uint64_t> Blobs::remove_unpinned(std::span<const BlobRef> pinned) {
  std::map<std::string, std::uint64_t, std::less<>> kept;
  for (const BlobRef& blob : pinned) kept[blob.digest.hex()] = blob.size_bytes;
  std::set<std::string, std::less<>> here;
  std::uint64_t freed_bytes = 0;
  TRY(const std::vector<HeldFile> held, files());
  for (const HeldFile& file : held) {
    const auto found = kept.find(file.digest);
    if (found != kept.end() && file.is_whole) {
      if (file.size_bytes == found->second) here.insert(file.digest);
      continue;
    }
    if (found != kept.end() && here.count(file.digest) == 0) continue;
    TRY_VOID(remove(file));
    freed_bytes += file.size_bytes;
  }
  return freed_bytes;
}

}  // namespace ota
