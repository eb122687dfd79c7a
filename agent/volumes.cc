#include "agent/volumes.h"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "proto/limits.h"
#include "proto/units.h"

namespace agent {
namespace {

using fleet::v1::AppManifest;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr char kFolder[] = "volumes";

monitors::Sync sync_of(const fleet::v1::Volume& volume) {
  if (volume.sync() == "always") return monitors::Sync::always;
  return volume.sync() == "never" ? monitors::Sync::never : monitors::Sync::periodic;
}

// What `of` says of a volume of that name; 0: it has none.
std::uint64_t declared_bytes(const AppManifest* of, const std::string& name) {
  if (of == nullptr) return 0;
  const auto found = std::find_if(of->volumes().begin(), of->volumes().end(),
                                  [&name](const auto& one) { return one.name() == name; });
  return found == of->volumes().end() ? 0 : found->size_bytes();
}

// Bytes that were ever written: reserved room is a hole until then.
Result<std::uint64_t> written_bytes(const ota::Fd& file, std::uint64_t size_bytes) {
  std::uint64_t written = 0;
  const auto end = static_cast<off_t>(size_bytes);
  for (off_t at = 0; at < end;) {
    const off_t data = ::lseek(file.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return written;  // nothing but holes from here on
    const off_t hole = data < 0 ? -1 : ::lseek(file.get(), data, SEEK_HOLE);
    if (hole < 0) return ota::errno_error("measuring a volume", errno);
    written += static_cast<std::uint64_t>(hole - data);
    at = hole;
  }
  return written;
}

}  // namespace

std::string volume_folder(std::string_view app) {
  return std::string(kFolder) + "/" + std::string(app);
}

std::string volume_file(std::string_view app, std::string_view name) {
  return volume_folder(app) + "/" + std::string(name);
}

// Of the open file, so that it goes with the guest that holds the descriptor.
Status lock_volume(const ota::Fd& file, const std::string& what) {
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return ota::errno_error("locking " + what, errno);
    return Error{Code::conflict, what + " is in use by another instance, which has not ended yet",
                 ""};
  }
  return {};
}

std::vector<std::string> periodic_files(const AppManifest& of) {
  std::vector<std::string> out;
  for (const fleet::v1::Volume& volume : of.volumes()) {
    if (sync_of(volume) != monitors::Sync::periodic) continue;
    out.push_back(volume_file(of.name(), volume.name()));
  }
  return out;
}

Result<std::uint64_t> Volumes::size_of(const std::string& file) {
  auto opened = disk_.open_file(file);
  if (opened) return ota::size_of(*opened);
  if (opened.error().code == Code::not_found) return std::uint64_t{0};
  return opened.error();
}

Result<std::uint64_t> Volumes::missing_bytes(const AppManifest& of, const AppManifest* live) {
  std::uint64_t missing = 0;
  for (const fleet::v1::Volume& volume : of.volumes()) {
    TRY(const std::uint64_t there, size_of(volume_file(of.name(), volume.name())));
    missing += volume.size_bytes() > there ? volume.size_bytes() - there : 0;
    const std::uint64_t lived = declared_bytes(live, volume.name());
    const std::uint64_t used = lived == 0 ? there : std::min(there, lived);
    if (volume.size_bytes() >= used) continue;
    return Error{Code::conflict,
                 "volume " + volume.name() + " has " + proto::format_size_bytes(used) +
                     " on this device, the release says " +
                     proto::format_size_bytes(volume.size_bytes()) +
                     ": what lies behind would be lost; write size: " +
                     proto::format_size_short(used) + ", or another name",
                 of.name()};
  }
  return missing;
}

Result<std::vector<std::string>> Volumes::make(const AppManifest& of) {
  std::vector<std::string> made;
  if (of.volumes().empty()) return made;
  TRY_VOID(disk_.make_directory(kFolder));
  TRY_VOID(disk_.make_directory(volume_folder(of.name())));
  for (const fleet::v1::Volume& volume : of.volumes()) {
    const std::string file = volume_file(of.name(), volume.name());
    TRY(const std::uint64_t there, size_of(file));
    const auto opened = disk_.open_sized(file, {volume.size_bytes(), false});
    if (!opened) {
      TRY_VOID(remove(of.name(), made));
      return opened.error().with("volume " + volume.name());
    }
    if (there == 0) made.push_back(volume.name());
  }
  return made;
}

Result<OpenVolumes> Volumes::open(const AppManifest& of, bool by_descriptor) {
  OpenVolumes out;
  TRY(out.made, make(of));
  for (const fleet::v1::Volume& volume : of.volumes()) {
    const monitors::Sync sync = sync_of(volume);
    const bool through = by_descriptor && sync == monitors::Sync::always;
    TRY(ota::Fd file,
        disk_.open_sized(volume_file(of.name(), volume.name()), {volume.size_bytes(), through}));
    TRY_VOID(lock_volume(file, "volume " + volume.name() + " of " + of.name()));
    out.volumes.push_back({volume.name(), Fd(file.release()), sync});
  }
  return out;
}

Result<std::vector<fleet::v1::VolumeStatus>> Volumes::measure(std::string_view app,
                                                              const AppManifest* of) {
  std::vector<fleet::v1::VolumeStatus> out;
  const AppManifest none;
  for (const fleet::v1::Volume& volume : (of != nullptr ? *of : none).volumes()) {
    fleet::v1::VolumeStatus& one = out.emplace_back();
    one.set_name(volume.name());
    one.set_sync(volume.sync());
    one.set_keep(volume.keep());
    one.set_restores(volume.on_revert() == "restore");
    TRY_VOID(measure_file(app, one));
  }
  TRY_VOID(measure_left(app, of, out));
  return out;
}

Status Volumes::measure_left(std::string_view app, const AppManifest* of,
                             std::vector<fleet::v1::VolumeStatus>& out) {
  const auto entries = disk_.list(volume_folder(app));
  if (!entries && entries.error().code == Code::not_found) return {};
  if (!entries) return entries.error();
  const std::size_t most = out.size() + proto::kMaxVolumes;
  for (const ota::DiskEntry& entry : *entries) {
    const bool is_copy = entry.name.find('.') != std::string::npos;  // agent/snapshots
    if (is_copy || declared_bytes(of, entry.name) != 0) continue;
    if (out.size() == most) break;
    fleet::v1::VolumeStatus& one = out.emplace_back();
    one.set_name(entry.name);
    one.set_keep(true);
    one.set_left(true);
    TRY_VOID(measure_file(app, one));
  }
  return {};
}

Status Volumes::measure_file(std::string_view app, fleet::v1::VolumeStatus& one) {
  const auto file = disk_.open_file(volume_file(app, one.name()));
  if (!file && file.error().code == Code::not_found) return {};
  if (!file) return file.error();
  TRY(const std::uint64_t size_bytes, ota::size_of(*file));
  one.set_size_bytes(size_bytes);
  TRY(const std::uint64_t used_bytes, written_bytes(*file, size_bytes));
  one.set_used_bytes(used_bytes);
  return {};
}

Status Volumes::sync(const std::set<std::string>& files) {
  Status done;
  for (const std::string& path : files) {
    const auto file = disk_.open_file(path);
    if (!file && file.error().code == Code::not_found) continue;
    if (!file) {
      done = file.error();
    } else if (::fdatasync(file->get()) != 0) {
      done = ota::errno_error("syncing " + path, errno);
    }
  }
  return done;
}

Status Volumes::remove(std::string_view app, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const Status removed = disk_.remove(volume_file(app, name));
    if (!removed && removed.error().code != Code::not_found) return removed;
  }
  return {};
}

}  // namespace agent
