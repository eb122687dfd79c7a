// fleet-hvt: runs a Solo5 hvt unikernel in a KVM machine without devices. While the guest runs,
// this process can only run its CPU and move bytes on its own descriptors.
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/kvm.h>

#include "agent/tenders/confine.h"
#include "agent/tenders/console.h"
#include "agent/tenders/cpu.h"
#include "agent/tenders/exit_report.h"
#include "agent/tenders/hvt/hypercalls.h"
#include "agent/tenders/hvt/kvm.h"
#include "agent/tenders/hvt/memory.h"
#include "agent/tenders/hvt/rules.h"
#include "agent/tenders/hvt/stop.h"
#include "agent/tenders/prepare.h"
#include "agent/tenders/sys.h"

namespace tenders {
namespace {

namespace abi = images::abi;
using hvt::After;
using hvt::Exit;
using proto::Code;

constexpr Program kProgram{"fleet-hvt", abi::kTargetHvt};
constexpr int kTenderStatus = 1;  // as Solo5's tenders: an end that the guest did not choose

struct Machine {
  Prepared prepared;
  hvt::Vm vm;
  GuestMemory memory;
  WaitSet set;
  hvt::StopOrder stop;
  std::uint64_t started_ns = 0;
  std::uint64_t first_call_ns = 0;
  std::uint64_t exits = 0;  // how often the CPU came back
};

/// How it ended: the report, and our own exit status.
struct End {
  ExitReport report;
  Text what;
  int status = kTenderStatus;
};

bool keep_only_needed(const Machine& machine, Failure& failure) {
  const Prepared& prepared = machine.prepared;
  std::array<int, abi::kMaxManifestEntries + 6> keep;
  keep.fill(-1);
  for (std::size_t i = 0; i < prepared.devices.size(); ++i) {
    keep[i] = prepared.devices[i].descriptor;
  }
  std::size_t next = prepared.devices.size();
  for (const int descriptor : {machine.set.epoll, machine.set.timer, machine.vm.cpu,
                               machine.stop.descriptor(), prepared.options.report_descriptor,
                               prepared.options.stats_descriptor}) {
    keep[next++] = descriptor;
  }
  return confine(keep, failure);
}

bool load_jail(const Machine& machine, Failure& failure) {
  static Filter filter(kCpu.audit_arch);
  if (!can_filter()) {
    return failure.because(Code::not_supported, "this kernel has no seccomp filters");
  }
  if (!hvt::add_rules(machine.vm, machine.prepared.options, machine.prepared.devices, machine.set,
                      machine.stop.descriptor(), filter)) {
    return failure.because(Code::too_large, "too many devices for one system call filter");
  }
  const long loaded = load_filter(filter);
  if (loaded >= 0) return true;
  return failure.because(Code::io, "the system call filter: ", sys::error_text(loaded));
}

/// Everything up to the guest's first instruction.
bool make_ready(Machine& machine, Failure& failure) {
  Prepared& prepared = machine.prepared;
  const Options& options = prepared.options;
  std::uint64_t size = 0;
  std::uint64_t cycles_per_second = 0;
  if (!hvt::memory_size(options.memory_mib, size, failure) ||
      !check_fits(prepared.image, options.image_name, size, failure) ||
      !make_wait_set(prepared.devices, machine.set, failure) ||
      !hvt::make_vm(options.kvm_descriptor, size, machine.vm, failure)) {
    return false;
  }
  machine.memory = GuestMemory(machine.vm.memory, size);
  if (!load_segments(prepared.image_file, options.image_name, prepared.image, machine.memory,
                     failure) ||
      !hvt::set_up_cpu(machine.vm, prepared.image.entry, cycles_per_second, failure)) {
    return false;
  }
  hvt::write_boot_info(prepared, cycles_per_second, machine.memory);
  ignore_broken_pipes();
  return hvt::protect_memory(prepared.image, machine.vm, machine.memory, failure) &&
         machine.stop.listen(machine.vm, machine.set, options.stop_grace_ms, failure) &&
         keep_only_needed(machine, failure) && load_jail(machine, failure);
}

/// The guest ended without its own word: its registers say where.
void look_at_cpu(const Machine& machine, std::string_view kind, End& end) {
  end.report.reason = Code::guest_abort;
  end.report.trap.kind = kind;
  hvt::read_registers(machine.vm, end.report.trap);
}

void end_by_exit(const Machine& machine, const Exit& exit, End& end) {
  switch (exit.kind) {
    case Exit::Kind::bad_access:
      look_at_cpu(machine, "translation fault", end);
      end.report.trap.address = exit.address;
      end.what.add_all("host/guest translation fault: the guest touched ", Hex{exit.address},
                       exit.address < machine.vm.memory_bytes
                           ? ", its memory, against the rights of a segment"
                           : ", where it has nothing");
      break;
    case Exit::Kind::bad_port:
      look_at_cpu(machine, "bad port", end);
      end.what.add_all("the guest used the I/O port ", Hex{exit.address},
                       ", which it does not have");
      break;
    case Exit::Kind::protected_memory:
      look_at_cpu(machine, "translation fault", end);
      end.what.add("host/guest translation fault: the guest touched its memory against the rights "
                   "of a segment");
      break;
    case Exit::Kind::triple_fault:
      look_at_cpu(machine, "triple fault", end);
      end.what.add("the guest faulted while it handled a fault (triple fault)");
      break;
    case Exit::Kind::halted:
      look_at_cpu(machine, "halt", end);
      end.what.add("the guest stopped its CPU instead of asking for its end");
      break;
    case Exit::Kind::hypercall:
    case Exit::Kind::broken:
      look_at_cpu(machine, "KVM failure", end);
      end.report.reason = Code::monitor_fault;
      end.what.add_all("KVM could not run the guest: exit ", exit.reason, ", detail ",
                       exit.detail);
      if (exit.reason == KVM_EXIT_INTERNAL_ERROR && exit.detail == KVM_INTERNAL_ERROR_EMULATION) {
        end.what.add(" (it interprets, and does not know one of the guest's instructions)");
      }
      break;
  }
}

void end_by_call(const Machine& machine, const hvt::Hypercalls& calls, After after,
                 std::uint32_t call, End& end) {
  if (after != After::ended) {
    look_at_cpu(machine, "bad hypercall", end);
    end.what.add_all("hypercall ", call, after == After::bad_call
                                             ? ": there is no such call"
                                             : ": an address outside the guest's own memory");
    return;
  }
  // Only 8 bits reach whoever waits for us.
  end.status = calls.halt().status & 0xff;
  end.report.status = end.status;
  if (end.status == abi::kAbortStatus) {
    end.report.reason = Code::guest_abort;
    end.what.add("the guest aborted");
    hvt::read_abort(machine.vm, calls.trap_record(), end.report.trap);
  } else {
    end.report.reason = Code::guest_exit;
    end.what.add_all("the guest ended with status ", end.status);
  }
}

/// Until the guest's end.
void run(Machine& machine, hvt::Hypercalls& calls, End& end) {
  for (;;) {
    const long result = sys::control(machine.vm.cpu, KVM_RUN, 0UL);
    ++machine.exits;
    if (result == -EINTR || result == -EAGAIN) {
      if (!machine.stop.take()) continue;
      end.report.reason = Code::ordered;
      end.what.add("stopped as ordered");
      return;
    }
    Exit exit = hvt::read_exit(machine.vm);
    if (result == -EFAULT) exit = {.kind = Exit::Kind::protected_memory};
    if (result < 0 && result != -EFAULT) exit.kind = Exit::Kind::broken;
    if (exit.kind != Exit::Kind::hypercall) return end_by_exit(machine, exit, end);
    if (machine.first_call_ns == 0) machine.first_call_ns = sys::now_ns(sys::kMonotonic);
    const After after = calls.handle(exit.call, exit.argument);
    if (after != After::go_on) return end_by_call(machine, calls, after, exit.call, end);
  }
}

struct Usage {  // struct rusage
  std::int64_t times[4];
  std::int64_t resident_kib;
  std::int64_t others[13];
};
static_assert(sizeof(Usage) == 144);

void write_stats(const Machine& machine, const hvt::Counters& counters) {
  Usage usage{};
  sys::call(__NR_getrusage, 0, reinterpret_cast<long>(&usage));
  const std::uint64_t now = sys::now_ns(sys::kMonotonic);
  const std::uint64_t first = machine.first_call_ns;
  Text line;
  line.add_all("{\"monitor\":\"fleet-hvt\",\"lifetime_us\":", (now - machine.started_ns) / 1000);
  if (first != 0) line.add_all(",\"first_call_us\":", (first - machine.started_ns) / 1000);
  line.add_all(",\"exits\":", machine.exits, ",\"calls\":", counters.calls,
               ",\"frames_in\":", counters.frames_in, ",\"bytes_in\":", counters.bytes_in,
               ",\"frames_out\":", counters.frames_out, ",\"bytes_out\":", counters.bytes_out,
               ",\"block_bytes_read\":", counters.block_bytes_read,
               ",\"block_bytes_written\":", counters.block_bytes_written,
               ",\"resident_kib\":", usage.resident_kib, "}\n");
  sys::write_text(machine.prepared.options.stats_descriptor, line.view());
}

/// Said before the machine is torn down, which takes longer than the rest.
int tell(const Machine& machine, const hvt::Counters& counters, End& end) {
  const Options& options = machine.prepared.options;
  const bool by_itself = end.report.reason == Code::guest_exit;
  if (machine.stop.was_given()) end.report.reason = Code::ordered;
  end.report.monitor = kProgram.name;
  end.report.what = end.what.view();
  if (options.stats_descriptor >= 0) write_stats(machine, counters);
  if (options.report_descriptor >= 0) {
    sys::write_text(options.report_descriptor, to_json(end.report).view());
  }
  if (!by_itself && end.report.reason != Code::ordered) {
    Text line;
    line.add_all(kProgram.name, ": ", end.what.view(), "\n");
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(line.view().data());
    write_patiently(2, {bytes, line.view().size()}, machine.stop.descriptor());
  }
  return end.status;
}

}  // namespace

int tender_main(const StartInfo& start) {
  Machine machine;
  machine.started_ns = start.started_ns;
  Failure failure;
  if (!prepare(kProgram, start, machine.prepared, failure) || !make_ready(machine, failure)) {
    give_up(kProgram, machine.prepared.options, failure);
  }
  hvt::Hypercalls calls(machine.memory, machine.prepared.devices, machine.set,
                        machine.stop.descriptor());
  End end;
  run(machine, calls, end);
  return tell(machine, calls.counters(), end);
}

}  // namespace tenders
