// QEMU as a monitor: its microvm for x86_64 guests with a PVH entry, a PC for Linux kernels with an
// initrd, its virt for our images on ARM64. Builds an argument list; no string from a manifest is
// ever split or joined into an option, but a volume's name, which has neither commas nor equals
// signs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/monitors/monitor.h"

namespace monitors {

/// What QEMU itself needs besides the guest's memory: code, tables, translated blocks.
inline constexpr std::uint32_t kQemuOverheadMib = 160;

enum class Accelerator { tcg, kvm };

/// microvm: virtio-mmio told on the command line, for guests that know it. pc: q35 with PCI, for
/// Linux as distributions build it (Debian's has no VIRTIO_MMIO_CMDLINE_DEVICES). virt: ARM64, with
/// virtio-mmio told in a device tree.
enum class Machine { microvm, pc, virt };

/// The arguments that every start has: machine, sandbox, no defaults, console on stdout.
std::vector<std::string> qemu_base_arguments(Machine machine, Accelerator accelerator,
                                             std::uint64_t memory_mib, std::uint32_t cpus);

/// The kernel command line of a Linux guest (FORMATS 1d). Errors: bad_argument for a value that
/// the kernel's parser would split; not_supported for files.
proto::Result<std::string> linux_command_line(const GuestConfig& config, Machine machine);

class QemuMonitor : public Monitor {
 public:
  /// `accelerator` is what the probe proved; `host` the CPU that this QEMU emulates.
  explicit QemuMonitor(Accelerator accelerator, Arch host = kHostArch)
      : accelerator_(accelerator), host_(host) {}

  std::string_view name() const override { return "qemu"; }
  /// Its way to a descriptor refuses O_DSYNC; it syncs after each write, by write-cache=off.
  bool syncs_by_descriptor() const override { return false; }
  proto::Status can_run(const ImageFacts& image) const override;
  proto::Result<agent::StartRequest> command(Launch launch) const override;
  ExitReason classify_exit(const agent::Instance& ended, std::string_view console_tail,
                           std::string_view report) const override;

 private:
  Accelerator accelerator_;
  Arch host_;
};

}  // namespace monitors
