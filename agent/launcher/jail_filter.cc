// The system call filter under the monitor's own: it takes away what attacks the kernel or the
// jail, whatever the monitor was told on its command line. A list of what is denied, because QEMU's
// needs differ from version to version; fleet-hvt and fleet-spt bring lists of what is allowed.
#include <linux/sched.h>
#include <seccomp.h>

#include <array>
#include <cerrno>

#include "agent/launcher/jail.h"

namespace launcher {
namespace {

constexpr std::array kDenied = {
    // Mounts and namespaces.
    SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
    SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(unshare),
    SCMP_SYS(setns),
    // Other processes.
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise),
    // The kernel itself, and parts of it with a history.
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
    SCMP_SYS(fanotify_init), SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
    SCMP_SYS(lookup_dcookie), SCMP_SYS(syslog), SCMP_SYS(quotactl), SCMP_SYS(vmsplice),
    // The machine.
    SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct),
    SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    // Rights.
    SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
    SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(capset),
    SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(mknod), SCMP_SYS(mknodat),
};

constexpr std::array<unsigned long, 7> kNamespaceFlags = {
    CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
    CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

bool add_rules(scmp_filter_ctx filter, const JailSpec& spec) {
  // In its process namespace there is nobody else to trace, and its own filters leave four ways of
  // looking at the guest to the process that reports, and none to the guest.
  if (!spec.traces &&
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ptrace), 0) != 0) {
    return false;
  }
  for (const int call : kDenied) {
    // Calls that this CPU does not have get no rule and need none.
    if (call >= 0 && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) != 0) return false;
  }
  for (const unsigned long flag : kNamespaceFlags) {
    const scmp_arg_cmp has_flag{0, SCMP_CMP_MASKED_EQ, flag, flag};
    if (seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &has_flag) != 0) {
      return false;
    }
  }
  // Its flags lie in memory, where no filter sees them; libc falls back to clone.
  return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

}  // namespace

const char* apply_filter(const JailSpec& spec) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return "system call filter";
  const bool loaded = add_rules(filter, spec) && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return loaded ? nullptr : "system call filter";
}

}  // namespace launcher
