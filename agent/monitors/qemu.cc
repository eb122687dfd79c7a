// QEMU: the argument list, and what its exit status means.
#include "agent/monitors/qemu.h"

#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <set>

#include "agent/monitors/config_volume.h"
#include "images/abi/exit_codes.h"
#include "proto/limits.h"

namespace monitors {
namespace {

namespace abi = images::abi;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::uint32_t kMaxCpus = 8;
constexpr std::size_t kMaxSerialBytes = 20;  // VIRTIO_BLK_ID_BYTES

std::string file_path(std::size_t index) {
  return "/proc/self/fd/" + std::to_string(agent::kFirstFileFd + static_cast<int>(index));
}

/// Devices over MMIO, or over PCI.
bool has_pci(Machine machine) { return machine == Machine::pc; }

void add_interfaces(const GuestConfig& config, Machine machine, agent::StartRequest& request) {
  // Over PCI without its boot ROM, which is megabytes of nothing here.
  const std::string device = has_pci(machine) ? "virtio-net-pci,romfile=,netdev="
                                              : "virtio-net-device,netdev=";
  for (std::size_t i = 0; i < config.interfaces.size(); ++i) {
    const GuestInterface& from = config.interfaces[i];
    const std::string id = "n" + std::to_string(i);
    const std::string fd = std::to_string(lend_interface(from, config, request));
    // A serial line comes as the frames of a socket (images/abi/serial_line.h).
    request.arguments.insert(
        request.arguments.end(),
        {"-netdev", (from.serial.empty() ? "tap,id=" : "socket,id=") + id + ",fd=" + fd, "-device",
         device + id + ",mac=" + to_string(from.mac)});
  }
}

/// In sets of descriptors: so QEMU takes the very file that is locked, and opens none itself, which
/// it could not: volumes are the agent's alone.
Status add_volumes(Launch& launch, Machine machine, agent::StartRequest& request) {
  const std::string device = has_pci(machine) ? "virtio-blk-pci" : "virtio-blk-device";
  std::set<std::string> serials;  // by which a guest tells them apart
  for (Volume& volume : launch.volumes) {
    const std::string serial = volume.name.substr(0, kMaxSerialBytes);
    if (!serials.insert(serial).second) {
      return Error{Code::bad_argument,
                   "volumes: " + volume.name + ": on virtio names differ in their first " +
                       std::to_string(kMaxSerialBytes) + " letters",
                   launch.app};
    }
    const std::string set = std::to_string(request.volumes.size());
    const std::size_t index = request.files.size() + request.volumes.size();
    const int number = agent::kFirstFileFd + static_cast<int>(index);
    const std::string flush = volume.sync == Sync::never ? "on" : "off";
    const std::string cache = volume.sync == Sync::always ? "off" : "on";
    request.arguments.insert(
        request.arguments.end(),
        {"-add-fd", "fd=" + std::to_string(number) + ",set=" + set,  //
         "-blockdev",
         "driver=raw,node-name=v" + set + ",cache.no-flush=" + flush +
             ",file.driver=file,file.locking=off,file.filename=/dev/fdset/" + set,
         "-device",
         device + ",drive=v" + set + ",serial=" + serial +
             ",discard=off,write-zeroes=off,write-cache=" + cache});
    request.volumes.push_back(std::move(volume.file));
  }
  return {};
}

/// One word of a Linux command line. The kernel knows double quotes, but no way to escape one.
Status add_word(std::string& line, const std::string& name, const std::string& value) {
  const bool clean = std::all_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '"';
  });
  if (!clean) {
    return Error{Code::bad_argument,
                 "a Linux guest cannot be given a quote or a control character: " + name, ""};
  }
  if (!line.empty()) line += ' ';
  const bool quoted = value.empty() || value.find(' ') != std::string::npos;
  line += name;
  line += quoted ? "\"" + value + "\"" : value;
  return {};
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const std::size_t at = text.rfind('\n');
  return std::string(text.substr(at == std::string_view::npos ? 0 : at + 1).substr(0, 200));
}

bool contains(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

ExitReason guest_ended(int own, const agent::Instance& ended) {
  return {Code::guest_exit, own,
          "the guest ended with status " + std::to_string(own) + after(ended)};
}

/// The last line of a guest of ours on ARM64 (images/abi/exit_codes.h); -1: it is another.
int told_status(std::string_view console_tail) {
  const std::string line = last_line(console_tail);
  if (!line.starts_with(abi::kEndedWords)) return -1;
  int status = 0;
  const char* end = line.data() + line.size();
  const auto read = std::from_chars(line.data() + abi::kEndedWords.size(), end, status);
  const bool good = read.ec == std::errc() && read.ptr == end;
  return good && status >= 0 && status <= abi::kMaxExitStatus ? status : -1;
}

/// Status 0: a reset under -no-reboot, or a machine switched off.
ExitReason machine_ended(const agent::Instance& ended, std::string_view console_tail) {
  if (const int own = told_status(console_tail); own >= 0) return guest_ended(own, ended);
  if (contains(console_tail, "panic")) {
    return {Code::guest_abort, 0, "the guest panicked" + after(ended)};
  }
  if (contains(console_tail, "reboot: Power down") ||
      contains(console_tail, "reboot: System halted")) {
    return {Code::guest_exit, 0, "the guest switched itself off" + after(ended)};
  }
  return {Code::guest_abort, 0, "the guest reset its machine without a word" + after(ended)};
}

ExitReason status_reason(const agent::Instance& ended, std::string_view console_tail) {
  const int status = WEXITSTATUS(ended.wait_status);
  if (abi::is_guest_exit(status)) return guest_ended(abi::guest_exit_status(status), ended);
  if (abi::is_guest_abort(status)) {
    return {Code::guest_abort, status, "the guest aborted" + after(ended)};
  }
  if (status == 0) return machine_ended(ended, console_tail);
  if (contains(console_tail, "annot allocate memory")) {
    return {Code::killed_by_limit, status,
            "QEMU could not get its memory: " + last_line(console_tail)};
  }
  return {Code::monitor_fault, status,
          "QEMU ended with status " + std::to_string(status) + after(ended) + ": " +
              last_line(console_tail)};
}

}  // namespace

std::vector<std::string> qemu_base_arguments(Machine machine, Accelerator accelerator,
                                             std::uint64_t memory_mib, std::uint32_t cpus) {
  const bool kvm = accelerator == Accelerator::kvm;
  std::vector<std::string> arguments = {
      "-sandbox",
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
      "-nodefaults",
      "-no-user-config",
      "-no-reboot",
      "-display",
      "none",
      "-accel",
      // The default translation buffer is an eighth of the host's memory.
      kvm ? "kvm" : "tcg,tb-size=32",
      "-cpu",
      kvm ? "host" : machine == Machine::virt ? "cortex-a72" : "max",
      "-m",
      std::to_string(memory_mib) + "M",
      "-smp",
      std::to_string(cpus),
      "-serial",
      "stdio",
  };
  const auto add = [&arguments](std::initializer_list<const char*> more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  switch (machine) {
    case Machine::microvm:
      // acpi=off: else virtio-mmio devices are told in ACPI alone, not on the command line.
      add({"-M", "microvm,acpi=off", "-global", "virtio-mmio.force-legacy=false"});
      break;
    case Machine::pc: add({"-M", "q35,usb=off,sata=off,smbus=off,vmport=off,i8042=off"}); break;
    case Machine::virt:
      // Without KVM the machine has a GICv2, with it the host's.
      add({"-M", kvm ? "virt,gic-version=host" : "virt", "-global",
           "virtio-mmio.force-legacy=false"});
      return arguments;
  }
  add({"-device", "isa-debug-exit,iobase=0xf4,iosize=1"});
  return arguments;
}

Result<std::string> linux_command_line(const GuestConfig& config, Machine machine) {
  if (!config.files.empty()) {
    return Error{Code::not_supported,
                 "files: not supported yet for a Linux image; put them into its initrd", ""};
  }
  // On a busy host without KVM a PC's check of its timer counts too few ticks, and it panics.
  std::string line = std::string("panic=-1 console=") +
                     (machine == Machine::virt ? "ttyAMA0 quiet" : "ttyS0 quiet no_timer_check");
  for (std::size_t i = 0; i < config.interfaces.size(); ++i) {
    const GuestInterface& interface = config.interfaces[i];
    if (!interface.address6.is_none()) {
      return Error{Code::not_supported, "address6: a Linux image is told none; remove it", ""};
    }
    if (interface.dhcp) TRY_VOID(add_word(line, "ip=", ":::::eth" + std::to_string(i) + ":dhcp"));
    if (interface.address.value == 0) continue;
    const launcher::Subnet subnet{interface.address, interface.prefix};
    const auto optional = [](agent::Ipv4 ip) { return ip.value == 0 ? "" : to_string(ip); };
    std::string ip = to_string(interface.address) + "::" + optional(interface.gateway) + ":" +
                     to_string(agent::Ipv4{subnet.mask()}) + ":" + config.hostname + ":eth" +
                     std::to_string(i) + ":off";
    for (std::size_t n = 0; n < interface.dns.size() && n < 2; ++n) {
      ip += ":" + to_string(interface.dns[n]);
    }
    TRY_VOID(add_word(line, "ip=", ip));
  }
  for (const auto& [name, value] : config.env) TRY_VOID(add_word(line, name + "=", value));
  if (config.args.empty()) return line;
  line += " --";
  for (const std::string& argument : config.args) TRY_VOID(add_word(line, "", argument));
  return line;
}

Status QemuMonitor::can_run(const ImageFacts& image) const {
  const auto refuse = [](const std::string& what) {
    return Error{Code::no_monitor, "qemu cannot run this image: " + what, ""};
  };
  if (image.arch != host_) return refuse("it is for another CPU than this host's");
  switch (image.boot) {
    case Boot::pvh:
      if (image.family == Family::fleet || image.family == Family::linux) return {};
      return refuse((image.family_name.empty() ? "its family" : image.family_name) +
                    " is not supported yet (no table for its configuration)");
    case Boot::bzimage: return {};
    case Boot::hvt: return refuse("it is a Solo5 hvt image, for fleet-hvt");
    case Boot::spt: return refuse("it is a Solo5 spt image, for fleet-spt");
    case Boot::arm64_image:
      if (image.family == Family::fleet || image.family == Family::linux) return {};
      return refuse("an arm64 Image is run if it is our own or, by format: linux, Linux");
    case Boot::unknown: return refuse("it has no PVH entry and is no Linux kernel");
  }
  return refuse("unknown boot protocol");
}

Result<agent::StartRequest> QemuMonitor::command(Launch launch) const {
  TRY_VOID(can_run(launch.image));
  const std::uint64_t memory_mib = (launch.memory_bytes + proto::kMiB - 1) / proto::kMiB;
  if (memory_mib < 2 || memory_mib > 1024 * 1024) {
    return Error{Code::bad_argument, "memory: 2M to 1024G", launch.app};
  }
  if (launch.cpus == 0 || launch.cpus > kMaxCpus) {
    return Error{Code::bad_argument, "cpus: 1 to " + std::to_string(kMaxCpus), launch.app};
  }
  agent::StartRequest request;
  request.id = launch.instance_id;
  request.tag = launch.tag;
  const Machine machine = host_ == Arch::aarch64                  ? Machine::virt
                          : launch.image.family == Family::fleet ? Machine::microvm
                                                                 : Machine::pc;
  for (const GuestInterface& interface : launch.config.interfaces) {
    if (interface.serial.empty() || launch.image.family == Family::fleet) continue;
    return Error{Code::not_supported,
                 "devices: " + interface.name + ": a Linux image gets no serial line; remove it",
                 launch.app};
  }
  request.arguments = qemu_base_arguments(machine, accelerator_, memory_mib, launch.cpus);
  request.files.push_back(std::move(launch.kernel));
  request.arguments.insert(request.arguments.end(), {"-kernel", file_path(0)});
  if (launch.image.family == Family::fleet) {
    TRY(const std::string volume, config_volume(launch.config));
    TRY(agent::Fd file, memory_file("config", volume));
    request.files.push_back(std::move(file));
    request.arguments.insert(request.arguments.end(), {"-initrd", file_path(1)});
  } else {
    TRY(const std::string line, linux_command_line(launch.config, machine));
    request.arguments.insert(request.arguments.end(), {"-append", line});
    if (launch.initrd) {
      request.files.push_back(std::move(launch.initrd));
      request.arguments.insert(request.arguments.end(), {"-initrd", file_path(1)});
    }
  }
  add_interfaces(launch.config, machine, request);
  TRY_VOID(add_volumes(launch, machine, request));
  request.egress = std::move(launch.egress);
  request.memory_max_mib = static_cast<std::uint32_t>(memory_mib) + kQemuOverheadMib;
  request.cpu_percent = launch.cpu_percent;
  request.kvm = accelerator_ == Accelerator::kvm;
  request.ports_down = launch.ports_down;
  return request;
}

ExitReason QemuMonitor::classify_exit(const agent::Instance& ended,
                                      std::string_view console_tail, std::string_view) const {
  if (ended.stop_asked) return {Code::ordered, 0, "stopped on order" + after(ended)};
  if (ended.limit) {
    return {Code::killed_by_limit, 0, "killed by a limit of memory or CPU" + after(ended)};
  }
  if (WIFSIGNALED(ended.wait_status)) {
    const std::string signal = std::to_string(WTERMSIG(ended.wait_status));
    return {Code::monitor_fault, 0, "QEMU was killed by signal " + signal + after(ended)};
  }
  return status_reason(ended, console_tail);
}

}  // namespace monitors
