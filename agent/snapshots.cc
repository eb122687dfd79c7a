#include "agent/snapshots.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "agent/volumes.h"
#include "ota/hash.h"
#include "proto/limits.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::size_t kTagLength = 16;
constexpr std::size_t kCopyBytes = 1024 * proto::kKiB;
constexpr std::string_view kPartial = ".part";

bool goes_back(const fleet::v1::Volume& volume) { return volume.on_revert() == "restore"; }

std::string copy_of(std::string_view app, std::string_view volume, const std::string& tag) {
  return volume_file(app, volume) + "." + tag;
}

// The bytes of one file in another. With `differing` only those that are not there already, so that
// a revert of a large volume costs its flash what changed.
Status copy_bytes(const ota::Fd& from, const ota::Fd& to, bool differing) {
  std::vector<std::byte> bytes(kCopyBytes);
  std::vector<std::byte> there(differing ? kCopyBytes : 0);
  for (std::uint64_t offset = 0;;) {
    TRY(const std::size_t got, ota::read_at(from, offset, bytes));
    if (got == 0) return {};
    const std::span<const std::byte> piece(bytes.data(), got);
    bool same = false;
    if (differing) {
      TRY(const std::size_t had, ota::read_at(to, offset, std::span(there.data(), got)));
      same = had == got && std::equal(piece.begin(), piece.end(), there.begin());
    }
    if (!same) TRY_VOID(ota::write_at(to, offset, piece));
    offset += got;
  }
}

}  // namespace

std::string snapshot_tag(std::string_view attempt) {
  return ota::sha256(std::string(attempt)).hex().substr(0, kTagLength);
}

std::uint64_t Snapshots::bytes_for(const fleet::v1::AppManifest& of) {
  std::uint64_t bytes = 0;
  for (const fleet::v1::Volume& volume : of.volumes()) {
    if (goes_back(volume)) bytes += volume.size_bytes();
  }
  return bytes;
}

Result<std::set<std::string>> Snapshots::list(std::string_view app) {
  std::set<std::string> tags;
  const auto entries = disk_.list(volume_folder(app));
  if (!entries && entries.error().code == Code::not_found) return tags;
  if (!entries) return entries.error();
  for (const ota::DiskEntry& entry : *entries) {
    const std::size_t dot = entry.name.find('.');
    if (dot == std::string::npos) continue;  // a volume
    if (entry.name.ends_with(kPartial)) {
      TRY_VOID(disk_.remove(volume_folder(app) + "/" + entry.name));
    } else {
      tags.insert(entry.name.substr(dot + 1));
    }
  }
  return tags;
}

Result<std::set<std::string>> Snapshots::volumes_of(std::string_view app,
                                                    const std::string& tag) {
  std::set<std::string> names;
  const auto entries = disk_.list(volume_folder(app));
  if (!entries && entries.error().code == Code::not_found) return names;
  if (!entries) return entries.error();
  for (const ota::DiskEntry& entry : *entries) {
    const std::size_t dot = entry.name.find('.');
    if (dot != std::string::npos && entry.name.substr(dot + 1) == tag) {
      names.insert(entry.name.substr(0, dot));
    }
  }
  return names;
}

Status Snapshots::take(const fleet::v1::AppManifest& of, const std::string& tag) {
  TRY(const auto there, volumes_of(of.name(), tag));
  for (const fleet::v1::Volume& volume : of.volumes()) {
    if (!goes_back(volume) || there.count(volume.name()) == 1) continue;
    const std::string what = "volume " + volume.name() + " of " + of.name();
    const std::string file = volume_file(of.name(), volume.name());
    TRY(const ota::Fd source, disk_.open_sized(file, {volume.size_bytes(), false}));
    TRY_VOID(lock_volume(source, what));
    const std::string copy = copy_of(of.name(), volume.name(), tag);
    const std::string partial = copy + std::string(kPartial);
    TRY_VOID(disk_.remove(partial));  // what a cut left of it
    TRY(const ota::Fd target, disk_.open_partial(partial, volume.size_bytes()));
    Status copied = copy_bytes(source, target, false);
    if (copied) copied = disk_.publish(partial, target, copy);
    if (copied) continue;
    TRY_VOID(disk_.remove(partial));
    return copied.error().with("copying " + what);
  }
  return {};
}

Status Snapshots::restore(std::string_view app, const std::string& tag) {
  TRY(const auto names, volumes_of(app, tag));
  for (const std::string& name : names) {
    const std::string what = "volume " + name + " of " + std::string(app);
    TRY(const ota::Fd source, disk_.open_file(copy_of(app, name, tag)));
    TRY(const std::uint64_t size_bytes, ota::size_of(source));
    TRY(const ota::Fd target, disk_.open_sized(volume_file(app, name), {size_bytes, false}));
    TRY_VOID(lock_volume(target, what));
    const Status copied = copy_bytes(source, target, true);
    if (!copied) return copied.error().with("giving back " + what);
    if (::fdatasync(target.get()) != 0) return ota::errno_error("syncing " + what, errno);
  }
  return drop(app, tag);  // all of them were given back: cut before it, it is done once more
}

Status Snapshots::drop(std::string_view app, const std::string& tag) {
  TRY(const auto names, volumes_of(app, tag));
  for (const std::string& name : names) TRY_VOID(disk_.remove(copy_of(app, name, tag)));
  return {};
}

}  // namespace agent
