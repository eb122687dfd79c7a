// An archive of files in one SQLite file, in the format of SQLite's own archiver: `sqlite3 FILE -A
// -t` lists it, `-x` unpacks it. No content is packed.
// source https://www.sqlite.org/sqlar.html
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace controller {

/// A resource. errors of every function: no_space | io
class Archive {
 public:
  /// Makes the file, which must be empty.
  static proto::Result<std::unique_ptr<Archive>> create(const std::string& path);
  /// errors also bad_argument (no such archive, or a damaged one)
  static proto::Result<std::unique_ptr<Archive>> open(const std::string& path);
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  /// All that is added until commit() is there, or nothing.
  proto::Status add(std::string_view name, std::string_view content, std::int64_t wall_ms);
  /// after  survives power loss
  proto::Status commit();
  /// In the order in which they were added.
  proto::Result<std::vector<std::string>> names();
  /// errors also not_found | bad_argument (packed by another program)
  proto::Result<std::string> read(std::string_view name);

 private:
  struct Session;
  explicit Archive(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

/// A copy of a database as it is now, also of one that somebody writes to. `into` must be empty.
proto::Status copy_database(const std::string& database, const std::string& into);

}  // namespace controller
