// DatabaseFiles: a SimDisk as a SQLite VFS, so that what a database did not sync is lost with the
// rest of the disk. For one connection per file, which is what agent and controller have.
#pragma once

#include <memory>
#include <string>

namespace sim {

class SimDisk;

class DatabaseFiles {
 public:
  /// SQLite takes URIs as paths from here on. Once, before the first database is opened.
  static void allow_uris();

  /// Both outlive what is opened. `name` is one per process.
  DatabaseFiles(SimDisk& disk, std::string name);
  ~DatabaseFiles();
  DatabaseFiles(const DatabaseFiles&) = delete;
  DatabaseFiles& operator=(const DatabaseFiles&) = delete;

  /// What a database on that path of the disk is opened by.
  std::string uri(const std::string& path) const;

 private:
  struct Vfs;
  std::string name_;
  std::unique_ptr<Vfs> vfs_;
};

}  // namespace sim
