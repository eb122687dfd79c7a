#include "images/runtime/aarch64/clock.h"

#include <algorithm>

#include "images/runtime/console.h"
#include "images/runtime/counter.h"

namespace images::runtime::arm64 {
namespace {

constexpr std::uint64_t kLongestTimerMs = 3000;

std::uint64_t start_ticks = 0;
std::uint64_t ticks_per_ms = 0;

}  // namespace

void start_clock() {
  std::uint64_t ticks_per_second;
  asm volatile("mrs %0, cntfrq_el0" : "=r"(ticks_per_second));
  if (ticks_per_second < 1000) panic("the machine does not say how fast its clock is");
  ticks_per_ms = ticks_per_second / 1000;
  start_ticks = read_counter();
}

std::uint64_t clock_ms() { return (read_counter() - start_ticks) / ticks_per_ms; }

void start_timer(std::uint64_t deadline_ms) {
  const std::uint64_t latest = clock_ms() + kLongestTimerMs;
  const std::uint64_t at = start_ticks + std::min(deadline_ms, latest) * ticks_per_ms;
  asm volatile("msr cntv_cval_el0, %0; msr cntv_ctl_el0, %1; isb"
               : : "r"(at), "r"(std::uint64_t{1}) : "memory");
}

void stop_timer() {
  asm volatile("msr cntv_ctl_el0, %0; isb" : : "r"(std::uint64_t{0}) : "memory");
}

}  // namespace images::runtime::arm64
