#include "agent/tenders/spt/reporter.h"

#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/prctl.h>
#include <linux/wait.h>

#include "agent/tenders/cpu.h"
#include "agent/tenders/exit_report.h"
#include "agent/tenders/filter.h"
#include "agent/tenders/sys.h"
#include "images/abi/solo5.h"

namespace tenders::spt {
namespace {

using proto::Code;

constexpr std::uint64_t kNsPerMs = 1'000'000;

constexpr std::uint64_t bit_of(int signal) { return 1ULL << (signal - 1); }
constexpr std::uint64_t kWatched = bit_of(SIGCHLD) | bit_of(SIGTERM) | bit_of(SIGINT);

struct KernelTime {
  std::int64_t seconds;
  std::int64_t fraction;  // nanoseconds, or microseconds in Usage
};

struct Usage {  // struct rusage
  KernelTime user;
  KernelTime system;
  std::int64_t resident_kib;
  std::int64_t others[13];
};
static_assert(sizeof(Usage) == 144);

bool is_stopped(int wait_status) { return (wait_status & 0xff) == 0x7f; }
int ended_by(int wait_status) { return wait_status & 0x7f; }
int status_of(int wait_status) { return wait_status >> 8 & 0xff; }

[[noreturn]] void fail(std::string_view what) {
  sys::write_text(2, "fleet-spt: ");
  sys::write_text(2, what);
  sys::write_text(2, "\n");
  sys::exit(1);
}

void jail_reporter(const Options& options, long child) {
  static Filter filter(kCpu.audit_arch);
  const auto number = [](long value) { return static_cast<std::uint64_t>(value); };
  filter.allow(__NR_rt_sigtimedwait);
  filter.allow(__NR_wait4, Argument{0, Argument::Is::equal, number(child)});
  const Argument kill[] = {{0, Argument::Is::equal, number(child)},
                           {1, Argument::Is::equal, SIGKILL}};
  filter.allow(__NR_kill, kill);
  if (options.report_descriptor >= 0) add_tracer_rules(child, filter);
  filter.allow(__NR_clock_gettime);
  for (const int descriptor : {options.report_descriptor, options.stats_descriptor}) {
    if (descriptor < 0) continue;
    filter.allow(__NR_write, Argument{0, Argument::Is::equal, number(descriptor)});
  }
  filter.allow(__NR_exit_group);
  if (!filter.finish() || load_filter(filter) < 0) {
    sys::call(__NR_kill, child, SIGKILL);
    fail("the kernel refused the reporter's jail");
  }
}

/// Sleep for a signal, at most until the deadline (0: none). Returns it, or a negative errno.
long wait_for_signal(std::uint64_t deadline_ns) {
  const std::uint64_t watched = kWatched;
  KernelTime left{};
  if (deadline_ns != 0) {
    const std::uint64_t now = sys::now_ns(sys::kMonotonic);
    const std::uint64_t ns = deadline_ns > now ? deadline_ns - now : 0;
    left = {static_cast<std::int64_t>(ns / 1'000'000'000),
            static_cast<std::int64_t>(ns % 1'000'000'000)};
  }
  return sys::call(__NR_rt_sigtimedwait, reinterpret_cast<long>(&watched), 0,
                   deadline_ns == 0 ? 0 : reinterpret_cast<long>(&left), sizeof watched);
}

/// Until the guest has ended. An order to stop is kept for the report.
Ended watch(long child, std::uint32_t grace_ms) {
  Ended ended;
  std::uint64_t deadline_ns = 0;
  for (;;) {
    Usage usage{};
    const long waited = sys::call(__NR_wait4, child, reinterpret_cast<long>(&ended.wait_status),
                                  WNOHANG, reinterpret_cast<long>(&usage));
    if (waited == child && is_stopped(ended.wait_status)) {
      pass_stop(child, ended.wait_status, ended.look);
      continue;
    }
    if (waited == child) {
      const auto micros = [](const KernelTime& time) {
        return static_cast<std::uint64_t>(time.seconds * 1'000'000 + time.fraction);
      };
      ended.user_us = micros(usage.user);
      ended.system_us = micros(usage.system);
      ended.resident_kib = static_cast<std::uint64_t>(usage.resident_kib);
      return ended;
    }
    const long signal = wait_for_signal(deadline_ns);
    const bool told = signal == SIGTERM || signal == SIGINT;
    if (told && !ended.ordered) {
      ended.ordered = true;
      deadline_ns = sys::now_ns(sys::kMonotonic) + grace_ms * kNsPerMs;
    }
    if (ended.ordered && sys::now_ns(sys::kMonotonic) >= deadline_ns) {
      sys::call(__NR_kill, child, SIGKILL);
      deadline_ns = 0;
    }
  }
}

void write_stats(int descriptor, const Ended& ended, std::uint64_t started_ns) {
  Text line;
  line.add_all("{\"monitor\":\"fleet-spt\",\"lifetime_us\":",
               (sys::now_ns(sys::kMonotonic) - started_ns) / 1000, ",\"user_us\":", ended.user_us,
               ",\"system_us\":", ended.system_us, ",\"resident_kib\":", ended.resident_kib, "}\n");
  sys::write_text(descriptor, line.view());
}

}  // namespace

Text report_line(const Ended& ended) {
  ExitReport report;
  report.monitor = "fleet-spt";
  report.signal = ended_by(ended.wait_status);
  report.status = report.signal == 0 ? status_of(ended.wait_status) : 0;
  Text what;
  if (ended.ordered) {
    report.reason = Code::ordered;
    what.add("stopped as ordered");
  } else if (report.signal == SIGKILL || report.signal == SIGXCPU) {
    report.reason = Code::killed_by_limit;
    what.add("killed from outside, as the kernel does at a limit of memory or time");
  } else if (report.signal == SIGSYS) {
    report.reason = Code::guest_abort;
    if (ended.look.forbidden_call >= 0) {
      what.add_all("the guest made the system call ", ended.look.forbidden_call,
                   ", which it must not make");
    } else {
      what.add("the guest made a system call that it must not make");
    }
  } else if (report.signal != 0) {
    report.reason = Code::guest_abort;
    what.add_all("the guest faulted (signal ", report.signal, ")");
  } else if (report.status == images::abi::kAbortStatus) {
    report.reason = Code::guest_abort;
    what.add("the guest aborted");
  } else {
    report.reason = Code::guest_exit;
    what.add_all("the guest ended with status ", report.status);
  }
  report.what = what.view();
  if (report.reason == Code::guest_abort && report.signal != 0) report.trap = ended.look.trap;
  return to_json(report);
}

namespace {

/// In the process that becomes the guest.
void become_guest(const Options& options, long reporter, std::uint64_t signals_before) {
  sys::call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
  if (sys::call(__NR_getppid) != reporter) sys::exit(1);  // it died before that
  // No instruction of the guest runs unseen: the other one says when it looks.
  const std::uint64_t word = bit_of(SIGCHLD);
  while (options.report_descriptor >= 0 &&
         sys::call(__NR_rt_sigtimedwait, reinterpret_cast<long>(&word), 0, 0, sizeof word) !=
             SIGCHLD) {
  }
  sys::call(__NR_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&signals_before), 0,
            sizeof signals_before);
  for (const int descriptor : {options.report_descriptor, options.stats_descriptor}) {
    if (descriptor >= 0) sys::close(descriptor);
  }
}

}  // namespace

void split_reporter(const Options& options, std::uint64_t memory_bytes, std::uint64_t started_ns) {
  const std::uint64_t watched = kWatched;
  std::uint64_t before = 0;
  sys::call(__NR_rt_sigprocmask, SIG_BLOCK, reinterpret_cast<long>(&watched),
            reinterpret_cast<long>(&before), sizeof watched);
  const long self = sys::call(__NR_getpid);
  const long child = sys::call(__NR_clone, SIGCHLD);
  if (child < 0) fail("no process for the exit report");
  if (child == 0) return become_guest(options, self, before);
  if (options.report_descriptor >= 0) {
    start_tracing(child);
    sys::call(__NR_kill, child, SIGCHLD);
  }
  sys::unmap(images::abi::kGuestFirstPage, memory_bytes - images::abi::kGuestFirstPage);
  jail_reporter(options, child);
  const Ended ended = watch(child, options.stop_grace_ms);
  if (options.stats_descriptor >= 0) write_stats(options.stats_descriptor, ended, started_ns);
  if (options.report_descriptor >= 0) {
    sys::write_text(options.report_descriptor, report_line(ended).view());
  }
  const int signal = ended_by(ended.wait_status);
  sys::exit(signal != 0 ? 128 + signal : status_of(ended.wait_status));
}

}  // namespace tenders::spt
