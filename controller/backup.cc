#include "controller/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "controller/data_dir.h"
#include "controller/store.h"
#include "controller/store_archive.h"
#include "ota/disk.h"
#include "proto/log.h"

namespace controller {
namespace {

namespace fs = std::filesystem;
using proto::Code;

constexpr const char* kDatabase = "controller.db";
constexpr const char* kDone = "host-name";  // the last that is written (controller/data_dir)
constexpr const char* kFolders[] = {"", "blobs", "consoles", "flights"};

// Names of a controller's files, one folder deep: nothing that leads out of it.
bool is_file_name(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string folder = slash == std::string::npos ? "" : name.substr(0, slash);
  const std::string file = slash == std::string::npos ? name : name.substr(slash + 1);
  const bool known = std::find(std::begin(kFolders), std::end(kFolders), folder) !=
                     std::end(kFolders);
  const auto is_good = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  };
  return known && !file.empty() && file.front() != '.' &&
         std::all_of(file.begin(), file.end(), is_good) &&
         (slash != std::string::npos) == !folder.empty();
}

Result<std::string> read_whole(ota::Disk& disk, const std::string& path) {
  TRY(const ota::Fd file, disk.open_file(path));
  TRY(const std::uint64_t size, ota::size_of(file));
  std::string content(size, '\0');
  TRY(const std::size_t got,
      ota::read_at(file, 0, std::as_writable_bytes(std::span(content))));
  content.resize(got);
  return content;
}

// An empty file that is the owner's alone before anything secret is in it.
Status make_private(const std::string& path) {
  const proto::Fd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return ota::errno_error("making " + path, errno);
  return {};
}

Status rename_durably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return ota::errno_error("naming " + to, errno);
  const fs::path parent = fs::path(to).parent_path();
  const proto::Fd folder(::open(parent.empty() ? "." : parent.c_str(),
                                O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return ota::errno_error("syncing " + to, errno);
  return {};
}

struct Copy {
  std::string archive;   // on its way
  std::string database;  // of this moment, until it is in the archive
  ~Copy() {
    ::unlink(archive.c_str());
    ::unlink(database.c_str());
    ::unlink((archive + "-journal").c_str());
  }
};

Status add_files(Archive& archive, ota::Disk& disk, std::int64_t wall_ms) {
  for (const std::string folder : kFolders) {
    const auto entries = disk.list(folder);
    if (!entries && entries.error().code == Code::not_found) continue;
    if (!entries) return entries.error();
    for (const ota::DiskEntry& entry : *entries) {
      const std::string name = folder.empty() ? entry.name : folder + "/" + entry.name;
      if (name.starts_with(kDatabase) || name == kDone || !is_file_name(name)) continue;
      TRY(const std::string content, read_whole(disk, name));
      TRY_VOID(archive.add(name, content, wall_ms));
    }
  }
  TRY(const std::string done, read_whole(disk, kDone));
  return archive.add(kDone, done, wall_ms);
}

Status write_files(Archive& archive, ota::Disk& disk) {
  TRY(const auto names, archive.names());
  const bool whole = std::find(names.begin(), names.end(), kDone) != names.end() &&
                     std::find(names.begin(), names.end(), kDatabase) != names.end();
  if (!whole) return Error{Code::bad_argument, "this archive holds no controller", ""};
  for (const char* folder : kFolders) {
    if (*folder != '\0') TRY_VOID(disk.make_directory(folder));
  }
  const auto write = [&](const std::string& name) -> Status {
    TRY(const std::string content, archive.read(name));
    return disk.replace_file(name, std::as_bytes(std::span(content.data(), content.size())));
  };
  for (const std::string& name : names) {
    if (!is_file_name(name)) {
      return Error{Code::bad_argument, "\"" + name + "\" is no file of a controller", name};
    }
    if (name != kDone) TRY_VOID(write(name));
  }
  return write(kDone);
}

// The database that came, taken to this program's schema.
Status check_database(const std::string& data_dir) {
  TRY([[maybe_unused]] const auto store, Store::open(data_dir + "/" + kDatabase));
  return {};
}

}  // namespace

Status back_up(const std::string& data_dir, const std::string& file, std::int64_t wall_ms) {
  TRY(const DataDir data, open_data_dir(data_dir));
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    return Error{Code::already_exists, file + " is there already; name another file", file};
  }
  const Copy copy{file + ".part", file + ".part.db"};
  for (const std::string& path : {copy.archive, copy.database}) TRY_VOID(make_private(path));
  TRY_VOID(copy_database(data.database_path(), copy.database));
  {
    TRY(const auto archive, Archive::create(copy.archive));
    const fs::path parent = fs::path(file).parent_path();
    TRY(const auto beside, ota::RealDisk::open(parent.empty() ? "." : parent.string()));
    TRY(const std::string database,
        read_whole(*beside, fs::path(copy.database).filename().string()));
    TRY_VOID(archive->add(kDatabase, database, wall_ms));
    TRY_VOID(add_files(*archive, *data.disk, wall_ms));
    TRY_VOID(archive->commit());
  }
  return rename_durably(copy.archive, file);
}

Status restore(const std::string& file, const std::string& data_dir) {
  TRY(const auto archive, Archive::open(file));
  std::error_code failed;
  const bool there = fs::exists(data_dir, failed);
  if (there && !fs::is_empty(data_dir, failed)) {
    return Error{Code::already_exists,
                 data_dir + " is not empty; stop its controller and move it away first", data_dir};
  }
  if (!there && ::mkdir(data_dir.c_str(), 0700) != 0) {
    return ota::errno_error("making " + data_dir, errno);
  }
  if (::chmod(data_dir.c_str(), 0700) != 0) return ota::errno_error(data_dir, errno);
  const auto work = [&]() -> Status {
    TRY(const auto disk, ota::RealDisk::open(data_dir));
    TRY_VOID(write_files(*archive, *disk));
    return check_database(data_dir);
  };
  const Status restored = work();
  if (restored) return {};
  for (const fs::directory_entry& entry : fs::directory_iterator(data_dir, failed)) {
    fs::remove_all(entry.path(), failed);
  }
  if (!there) fs::remove(data_dir, failed);
  return restored.error().with("restoring " + file);
}

}  // namespace controller
