// The jail's file system: an empty tmpfs with the host's programs read-only, devices and /proc of
// its own, and nothing else; for a bare one, nothing at all. The host's root is unmounted before
// anything foreign runs.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "agent/launcher/jail.h"

namespace launcher {
namespace {

constexpr unsigned long kClosed = MS_NOSUID | MS_NODEV;

/// Makes `path` (absolute on the host) readable in the jail, at the same place. The current folder
/// is the jail's root to be.
bool bind_read_only(const std::string& path) {
  const std::string target = "." + path;
  if (::mount(path.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) return false;
  return ::mount(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | kClosed,
                 nullptr) == 0;
}

/// /lib and /lib64 are links into /usr on a merged host, folders elsewhere, or missing.
bool copy_top_folder(const std::string& path) {
  std::array<char, 256> link{};
  const ssize_t size = ::readlink(path.c_str(), link.data(), link.size() - 1);
  if (size > 0) return ::symlink(link.data(), ("." + path).c_str()) == 0;
  if (::access(path.c_str(), F_OK) != 0) return true;
  return ::mkdir(("." + path).c_str(), 0755) == 0 && bind_read_only(path);
}

/// The mode before the owner: of another's file it cannot be changed without CAP_FOWNER.
bool make_device(const char* path, unsigned major_number, unsigned minor_number, mode_t mode,
                 uid_t owner) {
  return ::mknod(path, S_IFCHR | mode, makedev(major_number, minor_number)) == 0 &&
         ::chmod(path, mode) == 0 && ::chown(path, owner, owner) == 0;
}

const char* make_devices(const JailSpec& spec) {
  if (::mkdir("dev", 0755) != 0) return "/dev of the jail";
  if (::mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,nr_inodes=16,mode=0755") !=
      0) {
    return "/dev of the jail";
  }
  if (!make_device("dev/null", 1, 3, 0666, 0)) return "/dev/null of the jail";
  if (!make_device("dev/urandom", 1, 9, 0444, 0)) return "/dev/urandom of the jail";
  if (spec.kvm) {
    struct stat host {};
    if (::stat("/dev/kvm", &host) != 0) return "/dev/kvm";
    const dev_t device = host.st_rdev;
    if (!make_device("dev/kvm", major(device), minor(device), 0600, spec.uid)) return "/dev/kvm";
  }
  return ::mount(nullptr, "dev", nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC,
                 nullptr) == 0
             ? nullptr
             : "/dev of the jail";
}

/// From the current folder, the new root: the old one is stacked on it, and goes.
const char* leave_old_root() {
  if (::syscall(SYS_pivot_root, ".", ".") != 0 || ::umount2(".", MNT_DETACH) != 0 ||
      ::chdir("/") != 0) {
    return "pivot_root";
  }
  if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY | kClosed, nullptr) != 0) {
    return "read-only root";
  }
  ::umask(0077);
  return nullptr;
}

}  // namespace

const char* enter_root(const JailSpec& spec) {
  ::umask(0);  // the modes below are meant as they stand
  // Nothing that is mounted here may be seen outside.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "private mounts";
  if (::mount("tmpfs", spec.root.c_str(), "tmpfs", kClosed, "size=64k,nr_inodes=64,mode=0755") !=
          0 ||
      ::chdir(spec.root.c_str()) != 0) {
    return "root of the jail";
  }
  if (spec.bare) return leave_old_root();
  if (::mkdir("usr", 0755) != 0 || !bind_read_only("/usr")) return "/usr of the jail";
  for (const char* folder : {"/lib", "/lib64"}) {
    if (!copy_top_folder(folder)) return "/lib of the jail";
  }
  // The loader's cache: without it, libraries in unusual places are not found.
  if (::access("/etc/ld.so.cache", R_OK) == 0) {
    if (::mkdir("etc", 0755) != 0) return "/etc of the jail";
    const int file = ::open("etc/ld.so.cache", O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
    if (file < 0 || ::close(file) != 0 || !bind_read_only("/etc/ld.so.cache")) {
      return "/etc of the jail";
    }
  }
  if (const char* failed = make_devices(spec)) return failed;
  if (::mkdir("proc", 0755) != 0 ||
      ::mount("proc", "proc", "proc", kClosed | MS_NOEXEC, nullptr) != 0) {
    return "/proc of the jail";
  }
  return leave_old_root();
}

}  // namespace launcher
