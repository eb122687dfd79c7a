// The probe: a guest of some fifty bytes, run and timed under each accelerator.
#include "agent/monitors/probe.h"

#include <elf.h>
#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "agent/monitors/config_volume.h"
#include "agent/monitors/qemu.h"
#include "proto/limits.h"

namespace monitors {
namespace {

using agent::Launcher;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::uint32_t kLoadAddress = 0x100000;
constexpr std::uint32_t kLoops = 500000;  // two instructions each
constexpr std::uint32_t kXenPhys32Entry = 18;
/// A KVM that costs this much more than emulation does not run instructions, it interprets them:
/// a million at 1 µs each are 1000 ms (BOARDS, "A true KVM anywhere").
constexpr std::uint32_t kSlackMs = 300;

/// 32-bit protected mode, flat, no paging: what PVH hands over.
constexpr unsigned char kCode[] = {
    0xb9, kLoops & 0xff, kLoops >> 8 & 0xff, kLoops >> 16 & 0xff, kLoops >> 24,  // mov ecx, loops
    0x49,                          // again: dec ecx
    0x75, 0xfd,                    // jnz again
    0x0f, 0x20, 0xe0,              // mov eax, cr4
    0x0d, 0x00, 0x06, 0x00, 0x00,  // or eax, OSFXSR | OSXMMEXCPT
    0x0f, 0x22, 0xe0,              // mov cr4, eax
    0x0f, 0x20, 0xc0,              // mov eax, cr0
    0x83, 0xe0, 0xfb,              // and eax, ~EM
    0x83, 0xc8, 0x02,              // or eax, MP
    0x0f, 0x22, 0xc0,              // mov cr0, eax
    0x0f, 0x57, 0xc0,              // xorps xmm0, xmm0: the first SSE instruction
    0x0f, 0x58, 0xc0,              // addps xmm0, xmm0
    0xb0, kProbeExitStatus >> 1,   // mov al, value
    0xe6, 0xf4,                    // out 0xf4, al: isa-debug-exit ends QEMU
    0xf4,                          // halt: hlt
    0xeb, 0xfd,                    // jmp halt
};

struct XenNote {
  Elf32_Nhdr header{4, 4, kXenPhys32Entry};
  char name[4] = {'X', 'e', 'n', '\0'};
  std::uint32_t entry = kLoadAddress;
};

struct ProbeElf {
  Elf32_Ehdr header{};
  Elf32_Phdr load{};
  Elf32_Phdr note{};
  XenNote xen;
  unsigned char code[sizeof kCode];
};

std::string random_id() {
  unsigned char bytes[proto::kIdLength];
  const ssize_t got = ::getrandom(bytes, sizeof bytes, 0);
  FLEET_ASSERT(got == static_cast<ssize_t>(sizeof bytes));
  std::string id;
  for (const unsigned char byte : bytes) id += "abcdefghijklmnopqrstuvwxyz234567"[byte % 32];
  return id;
}

Result<agent::Instance> find_instance(Launcher& launcher, const std::string& id) {
  TRY(const std::vector<agent::Instance> all, launcher.list());
  for (const agent::Instance& instance : all) {
    if (instance.id == id) return instance;
  }
  return Error{Code::not_found, "the probe's instance vanished", ""};
}

/// Waits for the end with the launcher's own event; false after the deadline.
Result<bool> wait_for_end(Launcher& launcher, const agent::Fd& events, const std::string& id,
                          std::uint32_t wait_ms) {
  const std::uint64_t deadline = agent::boottime_ms() + wait_ms;
  for (;;) {
    TRY(const agent::Instance instance, find_instance(launcher, id));
    if (instance.state == agent::InstanceState::exited) return true;
    const std::uint64_t now = agent::boottime_ms();
    if (now >= deadline) return false;
    pollfd ready{events.get(), POLLIN, 0};
    ::poll(&ready, 1, static_cast<int>(deadline - now));
    for (;;) {  // what it says is asked for above
      TRY(const auto event, agent::read_event(events));
      if (!event) break;
    }
  }
}

agent::StartRequest probe_request(const std::string& id, agent::Fd kernel,
                                  Accelerator accelerator) {
  agent::StartRequest request;
  request.id = id;
  request.tag = kProbeTag;
  request.arguments = qemu_base_arguments(Machine::microvm, accelerator, 16, 1);
  request.arguments.insert(request.arguments.end(),
                           {"-kernel", "/proc/self/fd/" + std::to_string(agent::kFirstFileFd)});
  request.files.push_back(std::move(kernel));
  request.egress.emplace();  // nothing
  request.memory_max_mib = 16 + kQemuOverheadMib;
  request.kvm = accelerator == Accelerator::kvm;
  return request;
}

std::string first_line(const std::string& text) {
  const std::size_t from = text.find_first_not_of(" \r\n");
  if (from == std::string::npos) return "";
  return text.substr(from, std::min<std::size_t>(text.find('\n', from) - from, 160));
}

/// What an end means; the evidence is for people.
void judge(const agent::Instance& ended, const std::string& console, ProbeResult& result) {
  const std::string after = " after " + std::to_string(result.elapsed_ms) + " ms";
  const std::string words = console.empty() ? "" : ": " + first_line(console);
  const int status = ended.wait_status;
  if ((status & 0x7f) != 0) {
    result.evidence = "QEMU was killed by signal " + std::to_string(status & 0x7f) + after + words;
  } else if ((status >> 8 & 0xff) != kProbeExitStatus) {
    result.evidence =
        "QEMU ended with status " + std::to_string(status >> 8 & 0xff) + after + words;
  } else {
    result.usable = true;
    result.evidence = "ran a million instructions and SSE in " +
                      std::to_string(result.elapsed_ms) + " ms";
  }
}

Result<ProbeResult> run_probe(Launcher& launcher, Accelerator accelerator,
                              const ProbeOptions& options) {
  ProbeResult result;
  result.monitor = "qemu";
  result.accelerator = accelerator;
  TRY(agent::Fd kernel, memory_file("probe", probe_guest()));
  TRY(const agent::Fd events, launcher.open_events());
  const std::string id = random_id();
  const Status started = launcher.start(probe_request(id, std::move(kernel), accelerator));
  if (!started) {
    const Code code = started.error().code;
    if (code == Code::timeout || code == Code::launcher) return started.error();
    result.evidence = started.error().what;
    return result;
  }
  TRY(const bool in_time, wait_for_end(launcher, events, id, options.deadline_ms));
  if (!in_time) {
    TRY_VOID(launcher.stop(id, 0));
    TRY(const bool gone, wait_for_end(launcher, events, id, 1000));
    if (!gone) return Error{Code::timeout, "the probe's monitor cannot be killed", ""};
  }
  TRY(const agent::Instance ended, find_instance(launcher, id));
  result.elapsed_ms = static_cast<std::uint32_t>(ended.exited_ms - ended.started_ms);
  TRY(const agent::ConsoleChunk console, launcher.read_console(id, 0));
  if (in_time) {
    judge(ended, console.bytes, result);
  } else {
    result.evidence = "a million instructions did not end within " +
                      std::to_string(options.deadline_ms) + " ms: it hangs or interprets";
  }
  TRY_VOID(launcher.remove(id));
  return result;
}

/// A probe that an earlier agent left.
Status remove_old_probes(Launcher& launcher) {
  TRY(const std::vector<agent::Instance> all, launcher.list());
  for (const agent::Instance& instance : all) {
    if (instance.tag != kProbeTag) continue;
    TRY_VOID(launcher.stop(instance.id, 0));
    TRY(const agent::Fd events, launcher.open_events());
    TRY(const bool gone, wait_for_end(launcher, events, instance.id, 1000));
    if (gone) TRY_VOID(launcher.remove(instance.id));
  }
  return {};
}

}  // namespace

std::string probe_guest() {
  ProbeElf elf;
  std::memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
  elf.header.e_ident[EI_CLASS] = ELFCLASS32;
  elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.header.e_ident[EI_VERSION] = EV_CURRENT;
  elf.header.e_type = ET_EXEC;
  elf.header.e_machine = EM_386;
  elf.header.e_version = EV_CURRENT;
  elf.header.e_entry = kLoadAddress;
  elf.header.e_phoff = offsetof(ProbeElf, load);
  elf.header.e_ehsize = sizeof(Elf32_Ehdr);
  elf.header.e_phentsize = sizeof(Elf32_Phdr);
  elf.header.e_phnum = 2;
  elf.load = {PT_LOAD,       offsetof(ProbeElf, code), kLoadAddress, kLoadAddress,
              sizeof kCode,  sizeof kCode,             PF_R | PF_X,  1};
  elf.note = {PT_NOTE, offsetof(ProbeElf, xen), 0, 0, sizeof(XenNote), sizeof(XenNote), PF_R, 4};
  std::memcpy(elf.code, kCode, sizeof kCode);
  std::string bytes(reinterpret_cast<const char*>(&elf), sizeof elf);
  bytes.resize(8192);  // QEMU looks for other boot protocols in the first 8 KiB
  return bytes;
}

Result<std::vector<ProbeResult>> probe_monitors(Launcher& launcher, const ProbeOptions& options) {
  TRY(const agent::LauncherInfo info, launcher.info());
  TRY_VOID(remove_old_probes(launcher));
  TRY(const ProbeResult tcg, run_probe(launcher, Accelerator::tcg, options));
  std::vector<ProbeResult> results = {tcg};
  if (info.kvm_allowed && info.qemu_present) {
    TRY(ProbeResult kvm, run_probe(launcher, Accelerator::kvm, options));
    if (kvm.usable && tcg.usable && kvm.elapsed_ms > tcg.elapsed_ms + kSlackMs) {
      kvm.usable = false;
      kvm.evidence = "ran, but took " + std::to_string(kvm.elapsed_ms) +
                     " ms where emulation takes " + std::to_string(tcg.elapsed_ms) +
                     " ms: this KVM interprets instructions";
    }
    // Where both work, KVM is first: the guest's start says little about its work.
    results.insert(kvm.usable ? results.begin() : results.end(), std::move(kvm));
  }
  std::stable_partition(results.begin(), results.end(),
                        [](const ProbeResult& result) { return result.usable; });
  return results;
}

const ProbeResult* best_for(const std::vector<ProbeResult>& results, const std::string& monitor) {
  for (const ProbeResult& result : results) {
    if (result.usable && result.monitor == monitor) return &result;
  }
  return nullptr;
}

}  // namespace monitors
