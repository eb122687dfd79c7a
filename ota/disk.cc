// RealDisk: the port over *at() calls from one directory descriptor.
#include "ota/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace ota {

using proto::Code;
using proto::Error;

namespace {

constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxPartBytes = 200;  // NAME_MAX is 255; room for ".NAME.new"

// Splits "a/b/c" into its parts; an empty list says that a rule of Disk's paths is broken.
std::vector<std::string> split(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes) return {};
  std::vector<std::string> parts;
  std::size_t from = 0;
  while (true) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    const std::string_view part = path.substr(from, slash - from);
    const bool dots = part == "." || part == "..";
    const bool has_nul = part.find('\0') != std::string_view::npos;
    if (part.empty() || part.size() > kMaxPartBytes || dots || has_nul) return {};
    parts.emplace_back(part);
    if (slash == path.size()) return parts;
    from = slash + 1;
  }
}

Error bad_path(std::string_view path) {
  return Error{Code::bad_argument,
               "\"" + std::string(path) + "\" is no path below a directory: parts joined by '/', "
               "without \".\", \"..\" or empty parts",
               {}};
}

// Opens with EINTR retried; the only errno that is worth a second try.
int open_again(int directory, const char* name, int flags, mode_t mode) {
  int descriptor = -1;
  do {
    descriptor = ::openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

// Not every file system takes room ahead; one that cannot tells us later, while we write.
Status reserve(const Fd& file, std::uint64_t bytes, std::string_view what) {
  if (bytes == 0 || !std::in_range<off_t>(bytes)) return {};
  if (::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) == 0) return {};
  if (errno == ENOSPC || errno == EDQUOT) return errno_error(what, errno);
  return {};
}

// Zeros behind the end, with their room. A kill in between leaves a shorter file, to be grown.
Status grow(const Fd& file, std::uint64_t from_bytes, std::uint64_t to_bytes) {
  if (!std::in_range<off_t>(to_bytes)) return errno_error("growing", EFBIG);
  int error = 0;
  do {
    error = ::posix_fallocate(file.get(), static_cast<off_t>(from_bytes),
                              static_cast<off_t>(to_bytes - from_bytes));
  } while (error == EINTR);
  if (error != 0) return errno_error("growing", error);
  return {};
}

}  // namespace

Error errno_error(std::string_view what, int error_number) {
  Code code = Code::io;
  if (error_number == ENOSPC || error_number == EDQUOT) code = Code::no_space;
  if (error_number == ENOENT) code = Code::not_found;
  return Error{code, std::string(what) + ": " + std::strerror(error_number), {}};
}

Status write_at(const Fd& file, std::uint64_t offset_bytes, std::span<const std::byte> bytes) {
  FLEET_ASSERT(std::in_range<off_t>(offset_bytes));
  while (!bytes.empty()) {
    const ssize_t wrote =
        ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset_bytes));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_error("writing", errno);
    if (wrote == 0) return Error{Code::io, "writing: the file takes no more bytes", {}};
    offset_bytes += static_cast<std::uint64_t>(wrote);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<std::size_t> read_at(const Fd& file, std::uint64_t offset_bytes,
                            std::span<std::byte> into) {
  FLEET_ASSERT(std::in_range<off_t>(offset_bytes));
  std::size_t count = 0;
  while (count < into.size()) {
    const ssize_t got = ::pread(file.get(), into.data() + count, into.size() - count,
                                static_cast<off_t>(offset_bytes + count));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("reading", errno);
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
  }
  return count;
}

Result<std::uint64_t> size_of(const Fd& file) {
  struct stat facts = {};
  if (::fstat(file.get(), &facts) != 0) return errno_error("asking for a file's size", errno);
  return static_cast<std::uint64_t>(facts.st_size);
}

RealDisk::RealDisk(std::string root, Fd root_fd)
    : root_(std::move(root)), root_fd_(std::move(root_fd)) {}

Result<std::unique_ptr<RealDisk>> RealDisk::open(const std::string& root) {
  Fd fd(open_again(AT_FDCWD, root.c_str(), O_RDONLY | O_DIRECTORY, 0));
  if (!fd) return errno_error("opening directory " + root, errno);
  return std::unique_ptr<RealDisk>(new RealDisk(root, std::move(fd)));
}

Error RealDisk::failed(std::string_view action, std::string_view path, int error_number) const {
  return errno_error(std::string(action) + " " + root_ + "/" + std::string(path), error_number);
}

Result<Fd> RealDisk::open_parent(std::string_view path, std::string& name) const {
  const std::vector<std::string> parts = split(path);
  if (parts.empty()) return bad_path(path);
  Fd directory(::fcntl(root_fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!directory) return failed("opening", path, errno);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    Fd next(open_again(directory.get(), parts[i].c_str(), O_RDONLY | O_DIRECTORY, 0));
    if (!next) return failed("opening", path, errno);
    directory = std::move(next);
  }
  name = parts.back();
  return directory;
}

Result<Fd> RealDisk::open_below(std::string_view path, int flags) const {
  std::string name;
  TRY(Fd directory, open_parent(path, name));
  // O_NONBLOCK: a fifo somebody put here must not hang us; for regular files it means nothing.
  Fd file(open_again(directory.get(), name.c_str(), flags | O_NONBLOCK, 0600));
  if (!file) return failed("opening", path, errno);
  struct stat facts = {};
  if (::fstat(file.get(), &facts) != 0) return failed("opening", path, errno);
  const mode_t wanted = (flags & O_DIRECTORY) != 0 ? S_IFDIR : S_IFREG;
  if ((facts.st_mode & S_IFMT) != wanted) return failed("opening", path, EINVAL);
  return file;
}

Result<std::vector<std::byte>> RealDisk::read_file(std::string_view path, std::size_t max_bytes) {
  TRY(Fd file, open_below(path, O_RDONLY));
  // One byte more than allowed, so that a longer file is seen whatever fstat says.
  FLEET_ASSERT(max_bytes < std::numeric_limits<std::size_t>::max());
  TRY(const std::uint64_t size_bytes, size_of(file));
  std::vector<std::byte> content(std::min<std::uint64_t>(size_bytes, max_bytes) + 1);
  auto got = read_at(file, 0, content);
  if (!got) return got.error().with("reading " + root_ + "/" + std::string(path));
  if (*got > max_bytes) {
    return Error{Code::too_large,
                 root_ + "/" + std::string(path) + " is longer than " + std::to_string(max_bytes) +
                     " bytes",
                 {}};
  }
  content.resize(*got);
  return content;
}

Status RealDisk::replace_file(std::string_view path, std::span<const std::byte> content) {
  std::string name;
  TRY(Fd directory, open_parent(path, name));
  const std::string temporary = "." + name + ".new";
  // That name is one for all: who else replaces files here, fleetctl run twice, waits.
  Fd turn(open_again(directory.get(), ".", O_RDONLY | O_DIRECTORY, 0));
  while (turn && ::flock(turn.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failed("waiting for a turn to replace", path, errno);
  }
  if (!turn) return failed("opening the directory of", path, errno);
  // What a crash left of an earlier try is worth nothing.
  if (::unlinkat(directory.get(), temporary.c_str(), 0) != 0 && errno != ENOENT) {
    return failed("replacing", path, errno);
  }
  Fd file(open_again(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!file) return failed("replacing", path, errno);
  Status status = write_at(file, 0, content);
  if (status && ::fsync(file.get()) != 0) status = failed("syncing", path, errno);
  file.close();
  if (status &&
      ::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) {
    status = failed("replacing", path, errno);
  }
  if (!status) {
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    return status.error().with("replacing " + root_ + "/" + std::string(path));
  }
  if (::fsync(directory.get()) != 0) return failed("syncing the directory of", path, errno);
  return {};
}

Result<Fd> RealDisk::open_partial(std::string_view path, std::uint64_t reserve_bytes) {
  // A publish that was cut short has sealed it already, for its owner too.
  struct stat facts = {};
  const auto old = open_below(path, O_RDONLY);
  const bool sealed = old && ::fstat(old->get(), &facts) == 0 && (facts.st_mode & S_IWUSR) == 0;
  if (sealed && ::fchmod(old->get(), 0600) != 0) return failed("unsealing", path, errno);
  TRY(Fd file, open_below(path, O_RDWR | O_CREAT));
  TRY_VOID(reserve(file, reserve_bytes, "taking room for " + root_ + "/" + std::string(path)));
  return file;
}

Status RealDisk::publish(std::string_view partial_path, const Fd& file,
                         std::string_view final_path) {
  std::string from_name;
  std::string to_name;
  TRY(Fd from, open_parent(partial_path, from_name));
  TRY(Fd to, open_parent(final_path, to_name));
  if (::fchmod(file.get(), 0444) != 0) return failed("sealing", partial_path, errno);
  if (::fsync(file.get()) != 0) return failed("syncing", partial_path, errno);
  if (::renameat(from.get(), from_name.c_str(), to.get(), to_name.c_str()) != 0) {
    return failed("publishing", final_path, errno);
  }
  if (::fsync(to.get()) != 0) return failed("syncing the directory of", final_path, errno);
  if (::fsync(from.get()) != 0) return failed("syncing the directory of", partial_path, errno);
  return {};
}

Result<Fd> RealDisk::open_sized(std::string_view path, const SizedOptions& options) {
  // First without O_DSYNC: a file system that cannot reserve has each of its blocks written.
  TRY(Fd file, open_below(path, O_RDWR | O_CREAT));
  TRY(const std::uint64_t had_bytes, size_of(file));
  if (had_bytes < options.size_bytes) {
    const Status grown = grow(file, had_bytes, options.size_bytes);
    if (!grown) {
      if (::ftruncate(file.get(), static_cast<off_t>(had_bytes)) != 0) return grown.error();
      if (had_bytes == 0) TRY_VOID(remove(path));
      return grown.error().with("taking room for " + root_ + "/" + std::string(path));
    }
    if (::fsync(file.get()) != 0) return failed("syncing", path, errno);
  }
  std::string name;
  TRY(Fd directory, open_parent(path, name));
  if (::fsync(directory.get()) != 0) return failed("syncing the directory of", path, errno);
  if (!options.write_through) return file;
  return open_below(path, O_RDWR | O_DSYNC);
}

Result<Fd> RealDisk::open_file(std::string_view path) { return open_below(path, O_RDONLY); }

Status RealDisk::remove(std::string_view path) {
  std::string name;
  TRY(Fd directory, open_parent(path, name));
  if (::unlinkat(directory.get(), name.c_str(), 0) != 0) {
    if (errno == ENOENT) return {};
    return failed("removing", path, errno);
  }
  if (::fsync(directory.get()) != 0) return failed("syncing the directory of", path, errno);
  return {};
}

Result<std::vector<DiskEntry>> RealDisk::list(std::string_view directory) {
  Fd fd;
  if (directory.empty()) {
    fd = Fd(open_again(root_fd_.get(), ".", O_RDONLY | O_DIRECTORY, 0));
    if (!fd) return failed("opening", directory, errno);
  } else {
    TRY(fd, open_below(directory, O_RDONLY | O_DIRECTORY));
  }
  DIR* raw = ::fdopendir(fd.get());
  if (raw == nullptr) return failed("listing", directory, errno);
  fd.release();  // closedir closes it
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(raw, ::closedir);
  std::vector<DiskEntry> entries;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) return failed("listing", directory, errno);
    if (entry == nullptr) break;
    if (entry->d_name[0] == '.') continue;  // also what a crash left of replace_file
    struct stat facts = {};
    const int found =
        ::fstatat(::dirfd(stream.get()), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW);
    if (found != 0 && errno == ENOENT) continue;
    if (found != 0) return failed("listing", directory, errno);
    if (!S_ISREG(facts.st_mode)) continue;
    entries.push_back({entry->d_name, static_cast<std::uint64_t>(facts.st_size)});
  }
  std::sort(entries.begin(), entries.end(),
            [](const DiskEntry& x, const DiskEntry& y) { return x.name < y.name; });
  return entries;
}

Result<std::uint64_t> RealDisk::free_bytes() {
  struct statvfs facts = {};
  if (::fstatvfs(root_fd_.get(), &facts) != 0) return failed("asking for room on", "", errno);
  return std::uint64_t{facts.f_bavail} * std::uint64_t{facts.f_frsize};
}

Status RealDisk::make_directory(std::string_view path) {
  std::string name;
  TRY(Fd parent, open_parent(path, name));
  if (::mkdirat(parent.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return failed("making directory", path, errno);
  }
  TRY(Fd made, open_below(path, O_RDONLY | O_DIRECTORY));  // what was there must be a directory
  // The names in it, too: one that a killed publish() left behind may not be durable yet.
  if (::fsync(made.get()) != 0) return failed("syncing", path, errno);
  if (::fsync(parent.get()) != 0) return failed("syncing the directory of", path, errno);
  return {};
}

}  // namespace ota
