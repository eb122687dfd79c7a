// The probe: a guest of some fifty bytes, run and timed in each way.
#include "agent/monitors/probe.h"

#include <poll.h>
#include <sys/random.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>

#include "agent/monitors/config_volume.h"
#include "agent/monitors/probe_guest.h"
#include "agent/monitors/qemu.h"
#include "agent/monitors/tender.h"
#include "proto/limits.h"

namespace monitors {
namespace {

using agent::Launcher;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::string_view kQemu = "qemu";
constexpr Machine kProbeMachine = kHostArch == Arch::aarch64 ? Machine::virt : Machine::microvm;
constexpr std::string_view kSpt = "spt";
constexpr std::string_view kHvt = "hvt";
/// A KVM that costs this much more than emulation does not run instructions, it interprets them:
/// a million at 1 µs each are 1000 ms (BOARDS, "A true KVM anywhere").
constexpr std::uint32_t kSlackMs = 300;
/// And this many times as much: on a slow CPU a machine's start alone is four times a process's;
/// interpreting is ten times QEMU's and fifty times a process's.
constexpr std::uint32_t kTimesSlower = 8;

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

/// One way to run a guest.
struct Way {
  std::string_view monitor;
  bool kvm = false;

  bool is_qemu() const { return monitor == kQemu; }
  Target target() const { return monitor == kHvt ? Target::hvt : Target::spt; }
};

Result<agent::StartRequest> probe_request(const std::string& id, const Way& way) {
  constexpr std::uint64_t kMemoryMib = 16;
  agent::StartRequest request;
  const std::string image = "/proc/self/fd/" + std::to_string(agent::kFirstFileFd);
  if (way.is_qemu()) {
    TRY(agent::Fd guest, memory_file("probe", qemu_probe_guest()));
    const auto accelerator = way.kvm ? Accelerator::kvm : Accelerator::tcg;
    request.arguments = qemu_base_arguments(kProbeMachine, accelerator, kMemoryMib, 1);
    request.arguments.insert(request.arguments.end(), {"-kernel", image});
    request.files.push_back(std::move(guest));
    request.memory_max_mib = kMemoryMib + kQemuOverheadMib;
    request.kvm = way.kvm;
  } else {
    TRY(agent::Fd guest, memory_file("probe", solo5_probe_guest(way.target())));
    request = tender_request(way.target(), std::move(guest), kMemoryMib);
    request.arguments.push_back("@" + std::to_string(agent::kFirstFileFd));
  }
  request.id = id;
  request.tag = kProbeTag;
  request.egress.emplace();  // nothing
  return request;
}

std::string first_line(const std::string& text) {
  const std::size_t from = text.find_first_not_of(" \r\n");
  if (from == std::string::npos) return "";
  return text.substr(from, std::min<std::size_t>(text.find('\n', from) - from, 160));
}

/// What an end means; the evidence is for people.
void judge(const Way& way, const agent::Instance& ended, const std::string& console,
           const std::string& report, ProbeResult& result) {
  const std::string after = " after " + std::to_string(result.elapsed_ms) + " ms";
  const std::string words = console.empty() ? "" : ": " + first_line(console);
  const int wanted = way.is_qemu() ? qemu_probe_status() : kProbeStatus;
  const int status = ended.wait_status;
  // A machine of ARM64 that was switched off says by its console who did it.
  const bool told = !way.is_qemu() || kHostArch == Arch::x86_64 || console == kProbeWord;
  if (WIFEXITED(status) && WEXITSTATUS(status) == wanted && told) {
    result.usable = true;
    result.evidence = "ran a million instructions and floating point in " +
                      std::to_string(result.elapsed_ms) + " ms";
  } else if (!way.is_qemu()) {
    result.evidence = TenderMonitor(way.target()).classify_exit(ended, console, report).what;
  } else if (WIFSIGNALED(status)) {
    result.evidence = "QEMU was killed by signal " + std::to_string(WTERMSIG(status)) + after +
                      words;
  } else {
    result.evidence =
        "QEMU ended with status " + std::to_string(WEXITSTATUS(status)) + after + words;
  }
}

Result<ProbeResult> run_probe(Launcher& launcher, const Way& way, const ProbeOptions& options) {
  ProbeResult result;
  result.monitor = way.monitor;
  result.kvm = way.kvm;
  TRY(const agent::Fd events, launcher.open_events());
  const std::string id = random_id();
  TRY(agent::StartRequest request, probe_request(id, way));
  const Status started = launcher.start(std::move(request));
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
  TRY(const std::string report, launcher.read_report(id));
  if (in_time) {
    judge(way, ended, console.bytes, report, result);
  } else {
    result.evidence = "a million instructions did not end within " +
                      std::to_string(options.deadline_ms) + " ms: it hangs or interprets";
  }
  TRY_VOID(launcher.remove(id));
  return result;
}

/// A KVM that is slower than what needs none.
void compare(ProbeResult& kvm, const ProbeResult& without) {
  if (!kvm.usable || !without.usable || kvm.elapsed_ms <= without.elapsed_ms + kSlackMs ||
      kvm.elapsed_ms <= without.elapsed_ms * kTimesSlower) {
    return;
  }
  kvm.usable = false;
  kvm.evidence = "ran, but took " + std::to_string(kvm.elapsed_ms) + " ms where " +
                 without.monitor + " without KVM takes " + std::to_string(without.elapsed_ms) +
                 " ms: this KVM interprets instructions";
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

/// Whether a guest began and KVM could not carry it on: then QEMU waits for it in vain. An hvt that
/// could not even begin (no stable counter, say) tells nothing of QEMU.
bool useless_kvm(const ProbeResult& hvt) {
  return !hvt.usable && (hvt.elapsed_ms > kSlackMs ||
                         hvt.evidence.find("KVM could not run the guest") != std::string::npos);
}

}  // namespace

Result<std::vector<ProbeResult>> probe_monitors(Launcher& launcher, const ProbeOptions& options) {
  TRY(const agent::LauncherInfo info, launcher.info());
  TRY_VOID(remove_old_probes(launcher));
  std::vector<ProbeResult> results;  // best first: a start says little about a guest's work
  TRY(const ProbeResult tcg, run_probe(launcher, {kQemu, false}, options));
  std::optional<ProbeResult> spt;
  std::optional<ProbeResult> hvt;
  if (info.spt_present) {
    TRY(spt, run_probe(launcher, {kSpt, false}, options));
  }
  if (info.hvt_present && info.kvm_allowed) {
    TRY(hvt, run_probe(launcher, {kHvt, true}, options));
    compare(*hvt, spt && spt->usable ? *spt : tcg);
    results.push_back(*hvt);
  }
  if (spt) results.push_back(*spt);
  if (info.kvm_allowed && info.qemu_present) {
    ProbeResult kvm{std::string(kQemu), true, false, 0, ""};
    if (hvt && useless_kvm(*hvt)) {
      kvm.evidence = "not tried, because of hvt: " + hvt->evidence;
    } else {
      TRY(kvm, run_probe(launcher, {kQemu, true}, options));
      compare(kvm, tcg);
    }
    results.push_back(std::move(kvm));
  }
  results.push_back(tcg);
  std::stable_partition(results.begin(), results.end(),
                        [](const ProbeResult& result) { return result.usable; });
  return results;
}

const ProbeResult* best_for(const std::vector<ProbeResult>& results, std::string_view monitor) {
  for (const ProbeResult& result : results) {
    if (result.usable && result.monitor == monitor) return &result;
  }
  return nullptr;
}

}  // namespace monitors
