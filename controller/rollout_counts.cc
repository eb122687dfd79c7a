// The counts of a rollout and its waves, and its faults: moved with each row.
#include <algorithm>

#include "controller/rollout_parts.h"
#include "proto/cause.h"
#include "proto/result.h"

namespace controller::rollout {
namespace {

using Field = std::uint32_t (v1::RolloutCounts::*)() const;
using SetField = void (v1::RolloutCounts::*)(std::uint32_t);

void change(v1::RolloutCounts& counts, Field get, SetField set, std::uint32_t by) {
  (counts.*set)((counts.*get)() + by);  // modulo 2^32: minus one, too
}

void add(v1::RolloutCounts& counts, v1::RolloutKind kind, const v1::RolloutDevice& row,
         std::uint32_t one) {
  using C = v1::RolloutCounts;
  const v1::DeviceState state = row.state();
  if (is_success(kind, state)) return change(counts, &C::healthy, &C::set_healthy, one);
  switch (state) {
    case v1::WAITING:
      if (row.online()) return change(counts, &C::waiting, &C::set_waiting, one);
      return change(counts, &C::offline, &C::set_offline, one);
    case v1::REVERTED: return change(counts, &C::reverted, &C::set_reverted, one);
    case v1::FAILED: return change(counts, &C::failed, &C::set_failed, one);
    case v1::HELD: return change(counts, &C::held, &C::set_held, one);
    case v1::SUPERSEDED: return change(counts, &C::superseded, &C::set_superseded, one);
    default: break;
  }
  // An end that this kind of rollout did not want: stopped, when it should be healthy.
  if (has_ended(kind, state)) return change(counts, &C::failed, &C::set_failed, one);
  change(counts, &C::busy, &C::set_busy, one);
}

v1::RolloutWave* wave_of(Rollout& rollout, const v1::RolloutDevice& row) {
  if (rollout.waves.empty()) return nullptr;
  const std::size_t wave = std::clamp<std::size_t>(row.wave(), 1, rollout.waves.size());
  return &rollout.waves[wave - 1];
}

// What went back because it was told to is no fault of that device.
bool has_fault(const Rollout& rollout, const v1::RolloutDevice& row) {
  return is_failure(rollout.kind, row.state()) && row.going_back_to() == 0 && row.has_why() &&
         row.why().code() != v1::CODE_UNSET;
}

void count_fault(Rollout& rollout, const v1::RolloutDevice& row) {
  if (!has_fault(rollout, row)) return;
  const v1::Reason& why = row.why();
  for (v1::RolloutFault& fault : rollout.faults) {
    if (fault.fingerprint() != why.fingerprint()) continue;
    if (why.fingerprint().empty() && fault.code() != why.code()) continue;
    fault.set_devices(fault.devices() + 1);
    return;
  }
  if (rollout.faults.size() >= kFaultsKept) return;
  v1::RolloutFault& fault = rollout.faults.emplace_back();
  fault.set_fingerprint(why.fingerprint());
  fault.set_code(why.code());
  fault.set_cause(proto::cause_of(why.code()));
  fault.set_text(why.text());
  fault.set_devices(1);
  fault.set_device(row.device());
}

void uncount_fault(Rollout& rollout, const v1::RolloutDevice& row) {
  if (!has_fault(rollout, row)) return;
  const v1::Reason& why = row.why();
  for (auto fault = rollout.faults.begin(); fault != rollout.faults.end(); ++fault) {
    if (fault->fingerprint() != why.fingerprint()) continue;
    if (why.fingerprint().empty() && fault->code() != why.code()) continue;
    fault->set_devices(fault->devices() - 1);
    if (fault->devices() == 0) rollout.faults.erase(fault);
    return;
  }
}

void add_all(v1::RolloutCounts& sum, const v1::RolloutCounts& more) {
  sum.set_devices(sum.devices() + more.devices());
  sum.set_waiting(sum.waiting() + more.waiting());
  sum.set_busy(sum.busy() + more.busy());
  sum.set_healthy(sum.healthy() + more.healthy());
  sum.set_reverted(sum.reverted() + more.reverted());
  sum.set_failed(sum.failed() + more.failed());
  sum.set_offline(sum.offline() + more.offline());
  sum.set_held(sum.held() + more.held());
  sum.set_superseded(sum.superseded() + more.superseded());
}

}  // namespace

void count(Rollout& rollout, const v1::RolloutDevice& row) {
  add(rollout.counts, rollout.kind, row, 1);
  if (v1::RolloutWave* wave = wave_of(rollout, row)) {
    add(*wave->mutable_counts(), rollout.kind, row, 1);
  }
  count_fault(rollout, row);
}

void uncount(Rollout& rollout, const v1::RolloutDevice& row) {
  constexpr std::uint32_t kMinusOne = ~std::uint32_t{0};
  add(rollout.counts, rollout.kind, row, kMinusOne);
  if (v1::RolloutWave* wave = wave_of(rollout, row)) {
    add(*wave->mutable_counts(), rollout.kind, row, kMinusOne);
  }
  uncount_fault(rollout, row);
}

std::uint32_t failed_of(const v1::RolloutCounts& counts) {
  return counts.reverted() + counts.failed() + counts.held();
}

v1::RolloutCounts open_counts(const Rollout& rollout) {
  if (rollout.waves.empty()) return rollout.counts;
  v1::RolloutCounts sum;
  for (std::size_t i = 0; i < rollout.waves.size() && i < rollout.wave; ++i) {
    add_all(sum, rollout.waves[i].counts());
  }
  return sum;
}

void lay_out(Rollout& rollout, std::uint64_t devices, std::int64_t now_ms) {
  rollout.waves.clear();
  rollout.wave = 1;
  for (const proto::PlannedWave& planned : proto::plan_waves(rollout.policy, devices)) {
    v1::RolloutWave& wave = rollout.waves.emplace_back();
    wave.set_share(planned.share);
  }
  FLEET_ASSERT(!rollout.waves.empty());
  rollout.waves.front().set_opened_ms(static_cast<std::uint64_t>(now_ms));
}

}  // namespace controller::rollout
