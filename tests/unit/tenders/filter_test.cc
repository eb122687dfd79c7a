// The filters as the kernel would run them: by a small interpreter, and by the kernel itself.
#include <gtest/gtest.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "agent/tenders/cpu.h"
#include "agent/tenders/filter.h"
#include "agent/tenders/hvt/rules.h"
#include "agent/tenders/spt/rules.h"
#include "agent/tenders/sys.h"
#include "images/abi/kernel_call.h"

namespace {

using tenders::Argument;
using tenders::Filter;
using Arguments = std::array<std::uint64_t, 6>;

std::uint32_t word_at(const seccomp_data& data, std::uint32_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const char*>(&data) + offset, sizeof word);
  return word;
}

/// True if the filter allows it. Only the instructions that Filter writes.
bool allows(const Filter& filter, long call, const Arguments& arguments,
            std::uint32_t arch = tenders::kCpu.audit_arch) {
  seccomp_data data{};
  data.nr = static_cast<int>(call);
  data.arch = arch;
  for (std::size_t i = 0; i < 6; ++i) data.args[i] = arguments[i];
  const auto steps = filter.steps();
  std::uint32_t accumulator = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS: accumulator = word_at(data, step.value); break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        i += accumulator == step.value ? step.if_true : step.if_false;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        i += accumulator > step.value ? step.if_true : step.if_false;
        break;
      case BPF_RET | BPF_K: return step.value == SECCOMP_RET_ALLOW;
      default: ADD_FAILURE() << "step " << i << ": code " << step.code; return false;
    }
  }
  ADD_FAILURE() << "the filter ends without an answer";
  return false;
}

TEST(TenderFilter, WithoutRulesNothingIsAllowed) {
  Filter filter(tenders::kCpu.audit_arch);
  ASSERT_TRUE(filter.finish());
  for (long call = 0; call < 500; ++call) EXPECT_FALSE(allows(filter, call, {}));
}

TEST(TenderFilter, ComparesAllBitsOfAnArgument) {
  constexpr std::uint64_t kWanted = 0x1'0000'0002;
  Filter filter(tenders::kCpu.audit_arch);
  filter.allow(7, Argument{2, Argument::Is::equal, kWanted});
  ASSERT_TRUE(filter.finish());
  EXPECT_TRUE(allows(filter, 7, {9, 9, kWanted}));
  EXPECT_FALSE(allows(filter, 7, {kWanted, kWanted, 2}));
  EXPECT_FALSE(allows(filter, 7, {0, 0, 0x1'0000'0000}));
  EXPECT_FALSE(allows(filter, 7, {0, 0, kWanted | 1ULL << 63}));
  EXPECT_FALSE(allows(filter, 8, {0, 0, kWanted}));
  EXPECT_FALSE(allows(filter, 7 | 0x40000000, {0, 0, kWanted}));  // the x32 calls of x86
}

TEST(TenderFilter, AtMostIsUnsignedAndInclusive) {
  constexpr std::uint64_t kMost = 0x2'0000'1000;
  Filter filter(tenders::kCpu.audit_arch);
  filter.allow(7, Argument{0, Argument::Is::at_most, kMost});
  ASSERT_TRUE(filter.finish());
  for (const std::uint64_t value : {0ULL, 0x1'ffff'ffffULL, 0x2'0000'0000ULL, 0x2'0000'1000ULL}) {
    EXPECT_TRUE(allows(filter, 7, {value})) << value;
  }
  for (const std::uint64_t value : {0x2'0000'1001ULL, 0x3'0000'0000ULL, ~0ULL, 1ULL << 63}) {
    EXPECT_FALSE(allows(filter, 7, {value})) << value;
  }
}

TEST(TenderFilter, AllConditionsMustHoldAndOneRuleIsEnough) {
  Filter filter(tenders::kCpu.audit_arch);
  const Argument both[] = {{0, Argument::Is::equal, 1},
                           {1, Argument::Is::at_most, 5},
                           {2, Argument::Is::equal, 3}};
  filter.allow(7, both);
  filter.allow(7, Argument{0, Argument::Is::equal, 2});
  ASSERT_TRUE(filter.finish());
  EXPECT_TRUE(allows(filter, 7, {1, 5, 3}));
  EXPECT_FALSE(allows(filter, 7, {1, 6, 3}));
  EXPECT_FALSE(allows(filter, 7, {1, 5, 4}));
  EXPECT_FALSE(allows(filter, 7, {3, 5, 3}));
  EXPECT_TRUE(allows(filter, 7, {2, 99, 99}));
}

TEST(TenderFilter, OtherArchitecturesAreKilled) {
  Filter filter(AUDIT_ARCH_AARCH64);
  filter.allow(7);
  ASSERT_TRUE(filter.finish());
  EXPECT_TRUE(allows(filter, 7, {}, AUDIT_ARCH_AARCH64));
  EXPECT_FALSE(allows(filter, 7, {}, AUDIT_ARCH_X86_64));
  EXPECT_FALSE(allows(filter, 7, {}, AUDIT_ARCH_I386));
}

TEST(TenderFilter, TooLongIsSaid) {
  Filter filter(tenders::kCpu.audit_arch);
  for (int i = 0; i < 2000; ++i) filter.allow(i);
  EXPECT_FALSE(filter.finish());
}

TEST(TenderFilter, RulesOfOneCallThatAreTornApartAreRefused) {
  Filter filter(tenders::kCpu.audit_arch);
  filter.allow(7, Argument{0, Argument::Is::equal, 1});
  filter.allow(8);
  filter.allow(7, Argument{0, Argument::Is::equal, 2});
  EXPECT_FALSE(filter.finish());
}

TEST(TenderFilter, ManyRulesOfOneCallAreAllAsked) {
  Filter filter(tenders::kCpu.audit_arch);
  filter.allow(6);
  for (std::uint64_t i = 0; i < 200; ++i) filter.allow(7, Argument{0, Argument::Is::equal, i});
  filter.allow(8);
  ASSERT_TRUE(filter.finish());
  for (std::uint64_t i = 0; i < 200; ++i) EXPECT_TRUE(allows(filter, 7, {i})) << i;
  EXPECT_FALSE(allows(filter, 7, {200}));
  EXPECT_TRUE(allows(filter, 6, {200}));
  EXPECT_TRUE(allows(filter, 8, {200}));
  EXPECT_FALSE(allows(filter, 9, {0}));
}

tenders::Devices some_devices() {
  tenders::Devices devices{};
  devices[1] = {images::abi::kDeviceNet, 5, 0, 0, tenders::BlockSync::never, 1500};
  devices[2] = {images::abi::kDeviceBlock, 6, 1 << 20, 512, tenders::BlockSync::never, 0};
  return devices;
}

TEST(SptRules, AreTheSevenCallsWithTheirArguments) {
  Filter filter(tenders::kCpu.audit_arch);
  ASSERT_TRUE(tenders::spt::add_rules(some_devices(), {8, 9, 1}, filter));
  EXPECT_TRUE(allows(filter, SYS_write, {1}));
  EXPECT_TRUE(allows(filter, SYS_write, {5}));
  EXPECT_TRUE(allows(filter, SYS_read, {5}));
  EXPECT_TRUE(allows(filter, SYS_epoll_pwait, {8}));
  EXPECT_TRUE(allows(filter, SYS_timerfd_settime, {9, 1}));
  EXPECT_TRUE(allows(filter, SYS_clock_gettime, {0}));
  EXPECT_TRUE(allows(filter, SYS_clock_gettime, {1}));
  EXPECT_TRUE(allows(filter, SYS_exit_group, {3}));
  EXPECT_TRUE(allows(filter, SYS_pread64, {6, 0, 512, 0}));
  EXPECT_TRUE(allows(filter, SYS_pwrite64, {6, 0, 512, (1 << 20) - 512}));
  for (const std::uint64_t descriptor : {0ULL, 2ULL, 6ULL, 8ULL, 9ULL, 1ULL << 32 | 1}) {
    EXPECT_FALSE(allows(filter, SYS_write, {descriptor})) << descriptor;
    EXPECT_FALSE(allows(filter, SYS_read, {descriptor})) << descriptor;
  }
  EXPECT_FALSE(allows(filter, SYS_read, {1}));
  EXPECT_FALSE(allows(filter, SYS_pread64, {6, 0, 511, 0}));
  EXPECT_FALSE(allows(filter, SYS_pread64, {6, 0, 1024, 0}));
  EXPECT_FALSE(allows(filter, SYS_pread64, {5, 0, 512, 0}));
  EXPECT_FALSE(allows(filter, SYS_pwrite64, {6, 0, 512, (1 << 20) - 511}));
  EXPECT_FALSE(allows(filter, SYS_pwrite64, {6, 0, 512, ~0ULL}));
  EXPECT_FALSE(allows(filter, SYS_clock_gettime, {2}));
  EXPECT_FALSE(allows(filter, SYS_epoll_pwait, {9}));
  EXPECT_FALSE(allows(filter, SYS_timerfd_settime, {9, 0}));
  for (const long call : {SYS_mmap, SYS_mprotect, SYS_munmap, SYS_brk, SYS_openat, SYS_socket,
                          SYS_execve, SYS_clone, SYS_kill, SYS_ptrace, SYS_ioctl, SYS_seccomp,
                          SYS_prctl, SYS_rt_sigaction, SYS_rt_sigreturn, SYS_exit, SYS_close}) {
    EXPECT_FALSE(allows(filter, call, {})) << call;
  }
}

TEST(SptRules, SixtyThreeBlockDevicesFitIntoOneFilter) {
  tenders::Devices devices{};
  for (std::size_t i = 1; i < devices.size(); ++i) {
    devices[i] = {images::abi::kDeviceBlock, static_cast<int>(i) + 10, 1 << 20, 512,
                  tenders::BlockSync::never, 0};
  }
  Filter filter(tenders::kCpu.audit_arch);
  ASSERT_TRUE(tenders::spt::add_rules(devices, {8, 9, 0}, filter));
  EXPECT_TRUE(allows(filter, SYS_pwrite64, {73, 0, 512, 0}));
  EXPECT_FALSE(allows(filter, SYS_pwrite64, {74, 0, 512, 0}));
}

tenders::hvt::Vm some_machine() {
  tenders::hvt::Vm vm;
  vm.cpu = 20;
  return vm;
}

TEST(HvtRules, TheCpuIsRunAndReadAndNeverWritten) {
  tenders::Options options;
  options.report_descriptor = 10;
  Filter filter(tenders::kCpu.audit_arch);
  ASSERT_TRUE(
      tenders::hvt::add_rules(some_machine(), options, some_devices(), {8, 9, 1}, 11, filter));
  EXPECT_TRUE(allows(filter, SYS_ioctl, {20, KVM_RUN}));
  for (const unsigned long call : tenders::hvt::reading_calls()) {
    EXPECT_TRUE(allows(filter, SYS_ioctl, {20, call}));
    EXPECT_FALSE(allows(filter, SYS_ioctl, {21, call}));
  }
  const unsigned long writing[] = {KVM_SET_REGS,  KVM_SET_SREGS,   KVM_SET_ONE_REG,
                                   KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_SET_USER_MEMORY_REGION};
  for (const unsigned long call : writing) {
    EXPECT_FALSE(allows(filter, SYS_ioctl, {20, call})) << call;
  }
  EXPECT_TRUE(allows(filter, SYS_write, {10}));
  EXPECT_TRUE(allows(filter, SYS_pread64, {6, 0, 512, 0}));
  EXPECT_TRUE(allows(filter, SYS_read, {11}));
  EXPECT_FALSE(allows(filter, SYS_read, {10}));
  EXPECT_FALSE(allows(filter, SYS_pwrite64, {6, 0, 512, (1 << 20) + 1}));
  for (const long call : {SYS_mmap, SYS_mprotect, SYS_openat, SYS_socket, SYS_execve, SYS_clone,
                          SYS_kill, SYS_ptrace, SYS_seccomp, SYS_rt_sigaction, SYS_close}) {
    EXPECT_FALSE(allows(filter, call, {})) << call;
  }
}

void expect_killed_by(tenders::Refusal refusal) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    static Filter filter(tenders::kCpu.audit_arch, refusal);
    filter.allow(SYS_exit_group, Argument{0, Argument::Is::equal, 7});
    if (!filter.finish() || tenders::forbid_new_privileges() < 0) ::_exit(1);
    // What whoever started us did to the signal must not matter.
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    ::signal(SIGSYS, SIG_IGN);
    if (tenders::load_filter(filter) < 0) ::_exit(2);
    kernel_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
    kernel_call(SYS_exit_group, 7, 0, 0, 0, 0, 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

TEST(TenderFilter, TheKernelTakesItAndKillsByIt) { expect_killed_by(tenders::Refusal::kill); }

TEST(TenderFilter, AForcedSignalKillsThoughItIsBlockedAndIgnored) {
  expect_killed_by(tenders::Refusal::signal);
}

}  // namespace
