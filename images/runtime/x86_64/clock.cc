#include "images/runtime/x86_64/clock.h"

#include <algorithm>

#include "images/runtime/console.h"
#include "images/runtime/x86_64/apic.h"
#include "images/runtime/x86_64/cpu.h"

namespace images::runtime::x86 {
namespace {

constexpr std::uint16_t kPitChannel2 = 0x42;
constexpr std::uint16_t kPitCommand = 0x43;
constexpr std::uint16_t kPitGate = 0x61;
constexpr std::uint64_t kPitHz = 1193182;
constexpr std::uint32_t kMeasureCounts = 6000;  // 5 ms
constexpr int kMaxReads = 1'000'000;            // then the PIT does not count: there is none
constexpr int kMaxMeasurements = 100;           // a busy host spoils some
constexpr std::uint64_t kLongestTimerMs = 3000;

std::uint64_t start_ticks;
std::uint64_t ticks_per_ms;
std::uint64_t timer_counts_per_ms;

struct Sample {
  std::uint64_t ticks;
  std::uint32_t timer;
  std::uint32_t pit;
};

std::uint32_t read_pit() {
  out8(kPitCommand, 0x80);  // latch channel 2
  const std::uint32_t low = in8(kPitChannel2);
  const std::uint32_t high = in8(kPitChannel2);
  return high << 8 | low;
}

/// All three clocks at one moment: of several tries the one that the host disturbed least.
Sample take_sample() {
  Sample best{};
  std::uint64_t best_span = UINT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = read_tsc();
    const std::uint32_t pit = read_pit();
    const std::uint32_t timer = timer_counts_left();
    const std::uint64_t after = read_tsc();
    if (after - before >= best_span) continue;
    best_span = after - before;
    best = {before + (after - before) / 2, timer, pit};
  }
  return best;
}

/// The counter came to its end since it was set: its OUT pin is high, also after it wrapped.
bool pit_ran_out() {
  out8(kPitCommand, 0xe8);  // read back the status of channel 2
  return (in8(kPitChannel2) & 0x80) != 0;
}

/// False if the host let the guest stand still for longer than the PIT counts (55 ms).
bool measure() {
  out8(kPitCommand, 0xb0);  // channel 2, both bytes, counts down once from 65535
  out8(kPitChannel2, 0xff);
  out8(kPitChannel2, 0xff);
  start_timer(UINT32_MAX);  // its interrupt would come much later than the end of this
  const Sample first = take_sample();
  Sample last = first;
  for (int i = 0; first.pit - last.pit < kMeasureCounts; ++i) {
    if (i == kMaxReads) panic("the machine has no PIT to measure time by (QEMU: pit=on)");
    last.pit = read_pit();
  }
  last = take_sample();
  if (pit_ran_out()) return false;
  const std::uint64_t pit_counts = first.pit - last.pit;
  const std::uint64_t ticks = last.ticks - first.ticks;
  ticks_per_ms = std::max<std::uint64_t>(1, ticks * kPitHz / pit_counts / 1000);
  const std::uint64_t timer_counts = first.timer - last.timer;
  timer_counts_per_ms = std::max<std::uint64_t>(1, timer_counts * kPitHz / pit_counts / 1000);
  start_ticks = first.ticks;
  return true;
}

}  // namespace

void start_clock() {
  out8(kPitGate, static_cast<std::uint8_t>((in8(kPitGate) & ~2U) | 1));  // gate on, speaker off
  for (int i = 0; i < kMaxMeasurements; ++i) {
    if (measure()) return;
  }
  panic("the host is too busy to measure time: the PIT ran out again and again");
}

std::uint64_t clock_ms() { return (read_tsc() - start_ticks) / ticks_per_ms; }

void wake_at(std::uint64_t deadline_ms) {
  const std::uint64_t now = clock_ms();
  const std::uint64_t delay = deadline_ms > now ? std::min(deadline_ms - now, kLongestTimerMs) : 0;
  const std::uint64_t counts = delay * timer_counts_per_ms;
  start_timer(static_cast<std::uint32_t>(std::clamp<std::uint64_t>(counts, 1, UINT32_MAX)));
}

}  // namespace images::runtime::x86
