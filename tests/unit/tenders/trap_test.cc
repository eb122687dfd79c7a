// What is seen of a guest at its end: by the process beside an spt guest, with the real kernel; and
// in the record of an hvt guest.
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>

#include "agent/tenders/cpu.h"
#include "agent/tenders/hvt/kvm.h"
#include "agent/tenders/spt/tracer.h"
#include "images/abi/kernel_call.h"
#include "images/abi/solo5.h"

namespace {

namespace abi = images::abi;
using tenders::Trap;
using tenders::spt::LastLook;

struct Watched {
  int wait_status = 0;
  LastLook look;
};

/// A child that does this, watched to its end. `told` is called at each of its stops.
Watched watch(const std::function<void()>& act, const std::function<void(pid_t, int)>& told = {}) {
  int go[2];
  EXPECT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char word = 0;
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS}) {
      ::signal(signal, SIG_DFL);  // the sanitizer's
    }
    if (::read(go[0], &word, 1) == 1) act();
    ::_exit(0);
  }
  tenders::spt::start_tracing(child);
  EXPECT_EQ(::write(go[1], "g", 1), 1);
  Watched watched;
  while (::waitpid(child, &watched.wait_status, 0) == child && WIFSTOPPED(watched.wait_status)) {
    tenders::spt::pass_stop(child, watched.wait_status, watched.look);
    if (told) told(child, watched.wait_status);
  }
  ::close(go[0]);
  ::close(go[1]);
  return watched;
}

std::uint64_t value_of(const Trap& trap, std::string_view name) {
  for (std::size_t i = 0; i < trap.register_count; ++i) {
    if (trap.registers[i].name == name) return trap.registers[i].value;
  }
  ADD_FAILURE() << "no register " << name;
  return 0;
}

TEST(SptTracer, ShowsWhereAFaultWasAndLetsItEndTheGuest) {
  const Watched watched = watch([] { *reinterpret_cast<volatile int*>(16) = 1; });
  EXPECT_EQ(WTERMSIG(watched.wait_status), SIGSEGV);
  EXPECT_EQ(watched.look.trap.kind, "page fault");
  EXPECT_EQ(watched.look.trap.address, 16u);
  EXPECT_GT(watched.look.trap.register_count, 16u);
  EXPECT_NE(watched.look.trap.pc.value_or(0), 0u);
  EXPECT_EQ(watched.look.forbidden_call, -1);
}

TEST(SptTracer, NamesTheSystemCallThatAFilterForbids) {
  const Watched watched = watch([] {
    static tenders::Filter filter(tenders::kCpu.audit_arch, tenders::Refusal::signal);
    filter.allow(SYS_exit_group);
    if (!filter.finish() || tenders::forbid_new_privileges() < 0) return;
    if (tenders::load_filter(filter) < 0) return;
    kernel_call(SYS_execve, 1, 2, 3, 0, 0, 0);
    kernel_call(SYS_exit_group, 7, 0, 0, 0, 0, 0);
  });
  EXPECT_EQ(WTERMSIG(watched.wait_status), SIGSYS);
  EXPECT_EQ(watched.look.forbidden_call, SYS_execve);
  EXPECT_EQ(watched.look.trap.kind, "system call");
}

TEST(SptTracer, ASignalFromOutsideIsNoTrap) {
  const Watched watched = watch([] { ::kill(::getpid(), SIGSEGV); });
  EXPECT_EQ(WTERMSIG(watched.wait_status), SIGSEGV);
  EXPECT_EQ(watched.look.trap.kind, "");
}

TEST(SptTracer, StopAndGoAreAsWithoutIt) {
  int stops = 0;
  const Watched watched = watch([] { ::raise(SIGSTOP); }, [&stops](pid_t child, int status) {
    const bool stands = status >> 16 != 0 && WSTOPSIG(status) == SIGSTOP;
    if (!stands) return;
    ++stops;
    ::kill(child, SIGCONT);
  });
  EXPECT_EQ(stops, 1);
  EXPECT_TRUE(WIFEXITED(watched.wait_status)) << watched.wait_status;
}

#if defined(__x86_64__)
struct Record {
  abi::HvtTrapX86 told{0x10, 6, 0x100abc, 8, 0x10002, 0x3ffff0, 0x10};
  abi::HvtTrapDetailX86 detail{};
  std::uint8_t rest[400] = {};

  Trap trap() const {
    Trap made;
    tenders::hvt::read_abort({}, reinterpret_cast<const std::uint8_t*>(this), made);
    return made;
  }
};

TEST(HvtTrap, OfSolo5sRecordSaysWhatThatHas) {
  const Trap trap = Record{}.trap();
  EXPECT_EQ(trap.kind, "trap");
  EXPECT_EQ(trap.pc, 0x100abcu);
  EXPECT_FALSE(trap.address.has_value());  // its cr2 may be of another fault
  EXPECT_EQ(trap.register_count, 7u);
  EXPECT_EQ(value_of(trap, "cr2"), 0x10u);
  EXPECT_EQ(value_of(trap, "rsp"), 0x3ffff0u);
}

TEST(HvtTrap, OfOurRecordNamesTheFaultAndAllRegisters) {
  Record record;
  record.detail.magic = abi::kTrapDetailMagic;
  record.detail.vector = 14;
  record.detail.r15 = 15;
  const Trap page_fault = record.trap();
  EXPECT_EQ(page_fault.kind, "page fault");
  EXPECT_EQ(page_fault.address, 0x10u);
  EXPECT_EQ(value_of(page_fault, "r15"), 15u);
  record.detail.vector = 13;
  EXPECT_EQ(record.trap().kind, "general protection");
  EXPECT_FALSE(record.trap().address.has_value());
  record.detail.vector = ~0ULL;  // a guest may write what it likes
  EXPECT_EQ(record.trap().kind, "trap");
}

TEST(HvtTrap, WithoutARecordIsNone) {
  Trap trap;
  tenders::hvt::read_abort({}, nullptr, trap);
  EXPECT_EQ(trap.kind, "");
}
#endif

}  // namespace
