#include "tests/sim/database_files.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "tests/sim/disk.h"

namespace sim {
namespace {

// One open file. SQLite gives the room for it and knows only the first member.
struct OpenFile {
  sqlite3_file base;
  struct Held;
  Held* held;
};

}  // namespace

struct DatabaseFiles::Vfs {
  sqlite3_vfs base{};
};

namespace {

struct OpenFile::Held {
  SimDisk& disk;
  SimDisk::File file;
  std::string path;
  std::uint64_t generation;
  bool delete_on_close;
  std::deque<std::vector<std::byte>> shared;  // the WAL's index: memory of this one connection

  /// Of a process that was killed: it must write nothing any more.
  bool stale() const { return disk.dead() || disk.generation() != generation; }
};

OpenFile::Held& of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file)->held; }

int close(sqlite3_file* file) {
  OpenFile::Held& held = of(file);
  if (held.delete_on_close && !held.stale()) held.disk.unlink(held.path);
  delete &held;
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int count, sqlite3_int64 offset) {
  const Pages& pages = of(file).file->written;
  const auto wanted = static_cast<std::uint64_t>(count);
  const auto at = static_cast<std::uint64_t>(offset);
  const std::uint64_t there = at < pages.size() ? std::min(pages.size() - at, wanted) : 0;
  auto* bytes = static_cast<std::byte*>(into);
  if (there > 0) pages.read(at, std::span(bytes, there));
  if (there == wanted) return SQLITE_OK;
  std::memset(bytes + there, 0, wanted - there);  // as SQLite asks for
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
  OpenFile::Held& held = of(file);
  if (held.stale()) return SQLITE_IOERR_WRITE;
  if (!held.disk.has_room(static_cast<std::uint64_t>(count))) return SQLITE_FULL;
  if (!held.disk.step()) return SQLITE_IOERR_WRITE;
  const auto* bytes = static_cast<const std::byte*>(from);
  held.file->written.write(static_cast<std::uint64_t>(offset),
                           std::span(bytes, static_cast<std::size_t>(count)));
  return SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  OpenFile::Held& held = of(file);
  if (held.stale() || !held.disk.step()) return SQLITE_IOERR_TRUNCATE;
  held.file->written.resize(static_cast<std::uint64_t>(size));
  return SQLITE_OK;
}

int sync(sqlite3_file* file, int) {
  OpenFile::Held& held = of(file);
  if (held.stale() || !held.disk.step()) return SQLITE_IOERR_FSYNC;
  held.file->synced = held.file->written;
  // As SQLite's own VFS does for its journals. That makes the end of an older journal durable, too.
  if (!held.disk.has_synced_name(held.path)) held.disk.sync_directory_of(held.path);
  if (held.disk.on_sync) held.disk.on_sync();
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(of(file).file->written.size());
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) { return SQLITE_OK; }
int check_lock(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return static_cast<int>(Pages::kPageBytes); }
// As SQLite's own VFS for Unix: bytes beside those that are written stay.
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int shared_memory(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  auto& shared = of(file).shared;
  const auto wanted = static_cast<std::size_t>(region) + 1;
  while (extend != 0 && shared.size() < wanted) {
    shared.emplace_back(static_cast<std::size_t>(size));
  }
  *memory = shared.size() < wanted ? nullptr : shared[wanted - 1].data();
  return SQLITE_OK;
}
int shared_lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void shared_barrier(sqlite3_file*) {}
int shared_unmap(sqlite3_file* file, int) {
  of(file).shared.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {
    2,           close,         read,        write,           truncate,      sync,
    file_size,   lock,          lock,        check_lock,      control,       sector_size,
    characteristics, shared_memory, shared_lock, shared_barrier, shared_unmap, nullptr, nullptr};

SimDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<SimDisk*>(vfs->pAppData); }

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  SimDisk& disk = disk_of(vfs);
  const bool is_new = name != nullptr && disk.find(name) == nullptr;
  file->pMethods = nullptr;
  if (is_new && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  if (is_new && (disk.dead() || disk.full)) return SQLITE_CANTOPEN;
  // Without a name: a temporary file, of which nothing is left.
  SimDisk::File node = name == nullptr ? std::make_shared<SimDisk::Node>() : disk.create(name);
  auto* held = new OpenFile::Held{
      disk, std::move(node), name == nullptr ? "" : name, disk.generation(),
      name != nullptr && (flags & SQLITE_OPEN_DELETEONCLOSE) != 0, {}};
  reinterpret_cast<OpenFile*>(file)->held = held;
  file->pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  SimDisk& disk = disk_of(vfs);
  if (!disk.step()) return SQLITE_IOERR_DELETE;
  if (disk.find(name) == nullptr) return SQLITE_IOERR_DELETE_NOENT;
  disk.unlink(name);
  if (sync_directory != 0) disk.sync_directory_of(name);
  return SQLITE_OK;
}

int access(sqlite3_vfs* vfs, const char* name, int, int* there) {
  const SimDisk::File file = disk_of(vfs).find(name);
  *there = file != nullptr ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* into) {
  const std::size_t length = std::strlen(name);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(into, name, length + 1);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs*, int count, char* into) {
  std::memset(into, 0, static_cast<std::size_t>(count));  // no secret is made of it
  return count;
}
int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int now(sqlite3_vfs*, double* days) {
  *days = 2451545.0;  // no SQL of ours asks
  return SQLITE_OK;
}
int last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

void DatabaseFiles::allow_uris() {
  FLEET_ASSERT(sqlite3_config(SQLITE_CONFIG_URI, 1) == SQLITE_OK);
}

DatabaseFiles::DatabaseFiles(SimDisk& disk, std::string name)
    : name_(std::move(name)), vfs_(std::make_unique<Vfs>()) {
  sqlite3_vfs& base = vfs_->base;
  base.iVersion = 1;
  base.szOsFile = sizeof(OpenFile);
  base.mxPathname = 256;
  base.zName = name_.c_str();
  base.pAppData = &disk;
  base.xOpen = open;
  base.xDelete = remove;
  base.xAccess = access;
  base.xFullPathname = full_path;
  base.xRandomness = randomness;
  base.xSleep = sleep;
  base.xCurrentTime = now;
  base.xGetLastError = last_error;
  FLEET_ASSERT(sqlite3_vfs_register(&base, 0) == SQLITE_OK);
}

DatabaseFiles::~DatabaseFiles() { sqlite3_vfs_unregister(&vfs_->base); }

std::string DatabaseFiles::uri(const std::string& path) const {
  return "file:" + path + "?vfs=" + name_;
}

}  // namespace sim
