#include "agent/tenders/spt/tracer.h"

#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/elf.h>
#include <linux/ptrace.h>

#include "agent/tenders/sys.h"

namespace tenders::spt {
namespace {

constexpr std::size_t kMostRegisters = 40;  // x86_64 has 27, aarch64 34

// Codes of a signal, linux/siginfo.h (which glibc's headers hide).
constexpr int kNotMapped = 1;         // SEGV_MAPERR
constexpr int kLastPageFault = 4;     // SEGV_PKUERR; above: the kernel itself, or other causes
constexpr int kDividedByZero = 1;     // FPE_INTDIV
constexpr int kBySeccomp = 1;         // SYS_SECCOMP

struct SignalInfo {  // siginfo_t
  std::int32_t number = 0;
  std::int32_t error = 0;
  std::int32_t code = 0;  // positive: the kernel's own, not sent by a process
  std::int32_t padding = 0;
  std::uint64_t address = 0;
  std::int32_t call = 0;  // SIGSYS
  std::uint8_t others[100] = {};
};
static_assert(sizeof(SignalInfo) == 128);

struct Place {  // struct iovec
  void* data;
  std::uint64_t size;
};

long ask(unsigned request, long child, std::uint64_t address, std::uint64_t data) {
  return sys::call(__NR_ptrace, static_cast<long>(request), child, static_cast<long>(address),
                   static_cast<long>(data));
}

std::uint64_t address_of(void* place) { return reinterpret_cast<std::uint64_t>(place); }

/// "page fault"; empty: not the guest's own doing.
std::string_view kind_of(const SignalInfo& info) {
  if (info.code <= 0) return {};
  switch (info.number) {
    case SIGSEGV:
      return info.code >= kNotMapped && info.code <= kLastPageFault ? "page fault"
                                                                    : "general protection";
    case SIGBUS: return "bus error";
    case SIGILL: return "invalid instruction";
    case SIGFPE: return info.code == kDividedByZero ? "division by zero" : "arithmetic error";
    case SIGTRAP: return "breakpoint";
    case SIGSYS: return "system call";
    default: return {};
  }
}

void note(long child, LastLook& look) {
  SignalInfo info;
  if (ask(PTRACE_GETSIGINFO, child, 0, address_of(&info)) < 0) return;
  look = {};
  look.trap.kind = kind_of(info);
  if (look.trap.kind.empty()) return;
  if (info.number == SIGSYS && info.code == kBySeccomp) look.forbidden_call = info.call;
  if (look.trap.kind == "page fault" || info.number == SIGBUS) look.trap.address = info.address;
  std::uint64_t registers[kMostRegisters];
  Place place{registers, sizeof registers};
  if (ask(PTRACE_GETREGSET, child, NT_PRSTATUS, address_of(&place)) < 0) return;
  take_registers({registers, place.size / sizeof registers[0]}, look.trap);
}

}  // namespace

void start_tracing(long child) {
  // Without us there would be nobody to let it go on.
  ask(PTRACE_SEIZE, child, 0, PTRACE_O_EXITKILL);
}

void add_tracer_rules(long child, Filter& filter) {
  for (const int request : {PTRACE_GETSIGINFO, PTRACE_GETREGSET, PTRACE_CONT, PTRACE_LISTEN}) {
    const Argument rule[] = {{0, Argument::Is::equal, static_cast<std::uint64_t>(request)},
                             {1, Argument::Is::equal, static_cast<std::uint64_t>(child)}};
    filter.allow(__NR_ptrace, rule);
  }
}

void pass_stop(long child, int wait_status, LastLook& look) {
  const int signal = wait_status >> 8 & 0xff;
  const bool is_signal = wait_status >> 16 == 0;
  if (is_signal) {
    note(child, look);
    ask(PTRACE_CONT, child, 0, static_cast<std::uint64_t>(signal));
  } else if (signal == SIGTRAP) {
    ask(PTRACE_CONT, child, 0, 0);  // it was told to go on after a stop
  } else {
    ask(PTRACE_LISTEN, child, 0, 0);  // stopped, as by SIGSTOP: so it stays
  }
}

}  // namespace tenders::spt
