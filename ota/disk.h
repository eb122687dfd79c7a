// Disk: the door to files where a power cut matters. RealDisk is the machine's; tests and the
// simulator put their own behind the same port. It never follows a symbolic link and never leaves
// its root directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/fd.h"
#include "proto/result.h"

namespace ota {

using proto::Fd;
using proto::Result;
using proto::Status;

/// One regular file of a directory.
struct DiskEntry {
  std::string name;
  std::uint64_t size_bytes = 0;
};

/// How Disk::open_sized opens.
struct SizedOptions {
  std::uint64_t size_bytes = 0;  // the least
  bool write_through = false;    // each write is on the disk when it returns (O_DSYNC)
};

/// The port. Paths are relative to the disk's root, parts joined by '/', no "." or ".." part, no
/// empty part, no leading '/': anything else is bad_argument.
/// errors of every function: no_space (disk or quota full, nothing published) | not_found |
///        bad_argument (path) | io. After io of a writing function the data counts as lost: a
///        failed fsync is never tried again, because the kernel may have dropped the pages.
class Disk {
 public:
  virtual ~Disk() = default;

  /// Reads a small file whole. errors also too_large, when it is longer than `max_bytes`.
  virtual Result<std::vector<std::byte>> read_file(std::string_view path,
                                                   std::size_t max_bytes) = 0;

  /// Puts `content` at `path` at once: after a power cut the old or the new file is there, whole.
  /// Mode 0600. The directory must exist.
  virtual Status replace_file(std::string_view path, std::span<const std::byte> content) = 0;

  /// Opens a large file for writing at any offset (O_RDWR), made empty if it is not there; what an
  /// earlier attempt left stays, also that of a publish that was cut. `reserve_bytes` of room are
  /// taken from the file system up front where it can do that, without changing the file's size; 0
  /// takes none.
  virtual Result<Fd> open_partial(std::string_view path, std::uint64_t reserve_bytes) = 0;

  /// Ends a partial: fsync, read-only mode 0444, rename to `final_path`, fsync of the directory.
  /// `file` is the descriptor of open_partial. An older file at `final_path` is replaced.
  /// after  survives power loss
  virtual Status publish(std::string_view partial_path, const Fd& file,
                         std::string_view final_path) = 0;

  /// Opens a file to read and write in place (O_RDWR) that is at least so long: made, or grown by
  /// zeros, with all its room taken from the file system. Mode 0600. After no_space it is as it
  /// was.
  /// after  survives power loss
  virtual Result<Fd> open_sized(std::string_view path, const SizedOptions& options) = 0;

  /// Opens a regular file read-only.
  virtual Result<Fd> open_file(std::string_view path) = 0;

  /// Removes a file; one that is not there is no error. after  survives power loss
  virtual Status remove(std::string_view path) = 0;

  /// The regular files of a directory ("" is the root), sorted by name.
  virtual Result<std::vector<DiskEntry>> list(std::string_view directory) = 0;

  /// Bytes that an unprivileged process can still write.
  virtual Result<std::uint64_t> free_bytes() = 0;

  /// Makes one directory, mode 0700; one that is there is no error.
  /// after  it survives power loss, and so does each name that is in it
  virtual Status make_directory(std::string_view path) = 0;
};

/// Disk on a directory of this machine.
class RealDisk final : public Disk {
 public:
  /// `root` must be an existing directory (not a symbolic link).
  static Result<std::unique_ptr<RealDisk>> open(const std::string& root);

  Result<std::vector<std::byte>> read_file(std::string_view path, std::size_t max_bytes) override;
  Status replace_file(std::string_view path, std::span<const std::byte> content) override;
  Result<Fd> open_partial(std::string_view path, std::uint64_t reserve_bytes) override;
  Status publish(std::string_view partial_path, const Fd& file,
                 std::string_view final_path) override;
  Result<Fd> open_sized(std::string_view path, const SizedOptions& options) override;
  Result<Fd> open_file(std::string_view path) override;
  Status remove(std::string_view path) override;
  Result<std::vector<DiskEntry>> list(std::string_view directory) override;
  Result<std::uint64_t> free_bytes() override;
  Status make_directory(std::string_view path) override;

 private:
  RealDisk(std::string root, Fd root_fd);
  Result<Fd> open_parent(std::string_view path, std::string& name) const;
  Result<Fd> open_below(std::string_view path, int flags) const;
  proto::Error failed(std::string_view action, std::string_view path, int error_number) const;

  std::string root_;  // only for error texts
  Fd root_fd_;
};

/// ENOSPC and EDQUOT are no_space, ENOENT is not_found, the rest io. `what` names thing and place.
proto::Error errno_error(std::string_view what, int error_number);

/// Writes all of `bytes` at `offset_bytes`. errors no_space | io
Status write_at(const Fd& file, std::uint64_t offset_bytes, std::span<const std::byte> bytes);

/// Fills `into` from `offset_bytes`; the count is lower only at the end of the file. errors io
Result<std::size_t> read_at(const Fd& file, std::uint64_t offset_bytes, std::span<std::byte> into);

/// Size of the open file in bytes. errors io
Result<std::uint64_t> size_of(const Fd& file);

}  // namespace ota
