#include "agent/app.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/flight.h"
#include "agent/flight_log.h"
#include "agent/uplink.h"
#include "proto/log.h"
#include "proto/manifest.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

fleet::v1::SlotState to_wire(ota::SlotState state) {
  switch (state) {
    case ota::SlotState::empty: return fleet::v1::EMPTY;
    case ota::SlotState::trial: return fleet::v1::ON_TRIAL;
    case ota::SlotState::good: return fleet::v1::GOOD;
    case ota::SlotState::bad: return fleet::v1::BAD;
  }
  return fleet::v1::SLOT_STATE_UNSPECIFIED;
}

void fill_slot(const App& app, const ota::SlotRecord& slot, fleet::v1::SlotStatus* out) {
  out->set_state(to_wire(slot.state));
  if (slot.state == ota::SlotState::empty) return;
  out->set_release(slot.release.release);
  out->set_yanked(app.device.is_yanked(app.name, slot.release.release));
  if (slot.why == Code::unset) return;
  out->mutable_why()->set_code(static_cast<fleet::v1::Code>(slot.why));
  out->mutable_why()->set_text(slot.why_text);
}

}  // namespace

App::App(Device& the_device, std::string the_name)
    : device(the_device),
      name(std::move(the_name)),
      changed(the_device.ports.clock),
      live_probe(the_device.ports.loop, the_device.ports.prober, changed) {
  slots.app = name;
}

void App::set_wish(const fleet::v1::DesiredApp& newest, std::uint64_t of_generation) {
  const bool other = wish_key(newest) != wish_key(wish);
  const bool was_held = held();
  wish = newest;
  generation = of_generation;
  if (!other && held() == was_held) return;
  if (fetch != nullptr && (other || held())) fetch->cancel();
  changed.notify();
}

bool App::held() const {
  if (slots.trial()) return false;
  const bool staged = slots.candidate && slots.candidate->attempt == wish.attempt();
  if (staged) return wish.hold_arm() && wish.stage_release() == 0;  // nothing of it is armed
  return wish.hold_fetch();
}

ReportDraft App::draft(fleet::v1::DeviceState state, std::uint64_t release) const {
  ReportDraft out;
  out.state = state;
  out.release = release;
  out.wish = wish;
  return out;
}

bool App::wanted_running() const {
  return wish.run() != fleet::v1::STOP && wish.run() != fleet::v1::REMOVE;
}

Status App::load() {
  TRY(slots, ota::Slots::read(device.state.database(), name));
  TRY(row, device.state.app(name));
  return {};
}

proto::awaitable<Result<fleet::v1::AppManifest>> App::read_manifest(ota::ReleaseRecord record) {
  const auto found = std::find_if(record.blobs.begin(), record.blobs.end(),
                                  [&](const auto& blob) { return blob.digest == record.manifest; });
  if (found == record.blobs.end()) {
    co_return Error{Code::not_found, "the slot's manifest is not in its record", name};
  }
  const ota::BlobRef ref = *found;
  auto work = [this, ref] { return device.blobs.read_verified(ref, proto::kMaxManifestBytes); };
  CO_TRY(const auto bytes, co_await proto::run_blocking(device.ports.disk_pool, std::move(work)));
  fleet::v1::AppManifest out;
  if (!out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    co_return Error{Code::bad_digest, "the stored manifest cannot be read", name};
  }
  co_return out;
}

proto::awaitable<std::vector<std::string>> App::unkept_volumes() {
  std::set<std::string> seen;
  std::vector<std::string> out;
  const std::array order = {slots.live.value_or(slots.spare()), slots.spare()};
  for (const ota::SlotName slot : order) {
    const ota::SlotRecord record = slots.slot(slot);
    if (record.state == ota::SlotState::empty) continue;
    const auto of = co_await read_manifest(record.release);
    if (!of) continue;  // nothing says that they may go, so they stay
    for (const fleet::v1::Volume& volume : of->volumes()) {
      if (seen.insert(volume.name()).second && !volume.keep()) out.push_back(volume.name());
    }
  }
  co_return out;
}

proto::awaitable<Status> App::load_live() {
  const ota::SlotRecord* slot = slots.live_slot();
  if (slot == nullptr) {
    manifest.reset();
    judge.reset();
    restarts.reset();
    co_return Status();
  }
  CO_TRY(fleet::v1::AppManifest read, co_await read_manifest(slot->release));
  manifest = std::move(read);
  judge.emplace(manifest->health(), manifest->health().deadline_ms());
  const std::uint32_t before = restarts ? restarts->restarts() : 0;
  restarts.emplace(manifest->restart());
  restarts->set_restarts(before);
  co_return Status();
}

Status App::move(const Verb& verb, const ReportDraft& draft) {
  ota::Transaction transaction(device.state.database());
  TRY(ota::AppSlots after, verb(transaction));
  AppRow next = row;
  next.state = draft.state;
  next.why = draft.why;
  if (draft.ends_wish) {
    next.wish_done = wish_key(draft.wish);
    next.restart_count = draft.wish.restart_count();
  }
  if (draft.reopens_wish) next.wish_done.clear();
  if (draft.uplink) next.uplink = *draft.uplink;
  TRY_VOID(device.state.put_app(transaction, name, next));
  fleet::v1::Report report = to_report(draft, after);
  TRY(const std::uint64_t sequence, device.state.add_report(transaction, report));
  if (draft.flight) TRY_VOID(FlightLog::keep(transaction, *draft.flight));
  TRY_VOID(transaction.commit());
  slots = std::move(after);
  row = std::move(next);
  device.store_untidy = true;
  last_sequence_ = sequence;
  proto::log_info("app.reported", {{"app", name},
                                   {"release", draft.release},
                                   {"state", fleet::v1::DeviceState_Name(draft.state)},
                                   {"attempt", draft.wish.attempt()},
                                   {"rollout", draft.wish.rollout()},
                                   {"why", draft.why.text()}});
  device.outbox_changed.notify();
  if (draft.flight) device.flights_changed.notify();
  return {};
}

Status App::report(const ReportDraft& draft) {
  const Verb same = [this](ota::Transaction&) -> Result<ota::AppSlots> { return slots; };
  return move(same, draft);
}

Status App::amend(const ReportDraft& draft) {
  if (last_sequence_ == 0) return {};
  fleet::v1::Report report = to_report(draft, slots);
  report.set_sequence(last_sequence_);
  return device.state.amend_report(report);
}

fleet::v1::Report App::to_report(const ReportDraft& draft, const ota::AppSlots& after) const {
  fleet::v1::Report report;
  report.set_generation(generation);
  report.set_app(name);
  report.set_release(draft.release);
  report.set_attempt(draft.wish.attempt());
  report.set_state(draft.state);
  if (draft.why.code() != fleet::v1::CODE_UNSET) *report.mutable_why() = draft.why;
  *report.mutable_status() = status_of(after, draft.state);
  report.set_time_ms(static_cast<std::uint64_t>(device.ports.clock.wall_ms()));
  for (const fleet::v1::StepTime& step : draft.steps) *report.add_steps() = step;
  report.set_detail(draft.detail);
  report.set_fetched_bytes(draft.fetched_bytes);
  return report;
}

fleet::v1::AppStatus App::status() const {
  fleet::v1::DeviceState now = row.state;  // without a live release: how the last wish ended
  if (slots.live && !wanted_running()) {
    now = fleet::v1::STOPPED;
  } else if (slots.live) {
    const bool healthy = live && !live->ended() && judge && judge->healthy();
    now = healthy && !owes_uplink(*this) ? fleet::v1::HEALTHY : fleet::v1::TRIAL;
  }
  return status_of(slots, busy.value_or(now));
}

fleet::v1::AppStatus App::status_of(const ota::AppSlots& of, fleet::v1::DeviceState state) const {
  fleet::v1::AppStatus out;
  out.set_app(name);
  fill_slot(*this, of.a, out.mutable_a());
  fill_slot(*this, of.b, out.mutable_b());
  if (of.live) {
    out.set_live_slot(ota::name_of(*of.live));
    out.set_live_release(of.slot(*of.live).release.release);
  }
  out.set_highest_confirmed(of.highest_confirmed);
  out.set_state(state);
  if (of.candidate) out.set_candidate_release(of.candidate->release);
  out.set_stopped(wish.run() == fleet::v1::STOP);
  const bool trial_is_live = trial && of.live == trial->slot;
  const Guest* guest = trial_is_live ? &*trial : live ? &*live : nullptr;
  if (guest != nullptr && !guest->ended()) {
    fleet::v1::InstanceStatus& instance = *out.mutable_instance();
    fill_instance(*guest, instance);
    instance.set_restarts(restarts ? restarts->restarts() : 0);
    instance.set_healthy(trial_is_live || (judge && judge->healthy()));
    instance.set_took_over(guest->as_spare);
  }
  if (spare.guest && !spare.guest->ended()) {
    fill_instance(*spare.guest, *out.mutable_spare());
    out.mutable_spare()->set_healthy(spare.ready);
  }
  fill_volumes(of, out);
  if (manifest) {
    for (const fleet::v1::PublishedPort& port : manifest->publish()) {
      out.add_ports(std::to_string(port.host_port()) +
                    (port.proto() == fleet::v1::UDP ? "/udp" : "/tcp"));
    }
  }
  return out;
}

// A copy is of the release that would leave its volumes backwards.
void App::fill_volumes(const ota::AppSlots& of, fleet::v1::AppStatus& out) const {
  std::uint64_t copied = 0;
  for (const ota::SlotRecord* slot : {&of.a, &of.b}) {
    if (slot->state == ota::SlotState::empty || !snapshots) continue;
    if (snapshots->count(snapshot_tag(slot->release.attempt)) == 1) copied = slot->release.release;
  }
  for (const fleet::v1::VolumeStatus& volume : volume_facts.volumes) {
    fleet::v1::VolumeStatus& one = *out.add_volumes();
    one = volume;
    if (volume.restores()) one.set_snapshot_release(copied);
  }
}

proto::awaitable<void> App::measure_volumes() {
  constexpr std::int64_t kMeasureEveryMs = 60'000;
  const ota::SlotRecord* slot = slots.live_slot();
  const std::int64_t now_ms = device.ports.clock.now_ms();
  std::string attempt = slot != nullptr ? slot->release.attempt : "";
  const bool fresh = volume_facts.attempt == attempt && volume_facts.measured_ms &&
                     now_ms < *volume_facts.measured_ms + kMeasureEveryMs;
  // What is on its way, or live and not read yet, may declare others.
  const bool unclear = busy || slots.trial() || (slot != nullptr && !manifest);
  if (fresh || unclear) co_return;
  const std::optional<fleet::v1::AppManifest> of = slot != nullptr ? manifest : std::nullopt;
  auto work = [this, &of] { return device.volumes.measure(name, of ? &*of : nullptr); };
  auto measured = co_await proto::run_blocking(device.ports.disk_pool, std::move(work));
  if (!measured) {
    proto::log_warning("volume.not_measured", {{"app", name}, {"why", measured.error().what}});
    measured = std::vector<fleet::v1::VolumeStatus>();
  }
  volume_facts = {std::move(*measured), std::move(attempt), now_ms};
}

void App::fill_instance(const Guest& guest, fleet::v1::InstanceStatus& out) const {
  out.set_id(guest.id);
  out.set_monitor(guest.monitor);
  const std::uint64_t up = up_ms(guest);
  out.set_up_ms(up);
  out.set_memory_bytes(guest.last.rss_bytes);
  if (manifest) out.set_memory_limit_bytes(manifest->memory_bytes());
  if (up > 0) out.set_cpu_permille(static_cast<std::uint32_t>(guest.last.cpu_ms * 1000 / up));
  if (guest.address.value != 0) out.set_address(launcher::to_string(guest.address));
}

std::uint64_t App::up_ms(const Guest& guest) const {
  const std::uint64_t end =
      guest.last.exited_ms != 0 ? guest.last.exited_ms : device.ports.machine.boottime_ms();
  return end > guest.started_ms ? end - guest.started_ms : 0;
}

std::uint64_t App::serving_ms(const Guest& guest) const {
  const std::uint64_t waited =
      guest.took_over_ms > guest.started_ms ? guest.took_over_ms - guest.started_ms : 0;
  const std::uint64_t up = up_ms(guest);
  return up > waited ? up - waited : 0;
}

std::uint32_t App::stop_grace_ms() const {
  constexpr std::uint64_t kMost = 60'000;
  return manifest ? static_cast<std::uint32_t>(
                        std::min(manifest->update().stop_grace_ms(), kMost))
                  : 2000;
}

fleet::v1::FlightRecord App::flight(const Guest& guest, Code code, std::string_view text,
                                    const HealthJudge* of) {
  FlightFacts facts{name, guest};
  facts.judge = of;
  facts.console = console(guest, proto::kFlightConsoleBytes);
  facts.up_ms = up_ms(guest);
  facts.restarts = restarts ? restarts->restarts() : 0;
  facts.wall_ms = static_cast<std::uint64_t>(device.ports.clock.wall_ms());
  if (guest.ended() && !guest.lost) {
    const monitors::Monitor* monitor = nullptr;
    for (const MonitorChoice& choice : device.monitors) {
      if (choice.monitor != nullptr) monitor = choice.monitor.get();
      if (choice.label == guest.monitor && monitor != nullptr) break;
    }
    if (monitor != nullptr) {
      const auto report = device.ports.launcher.read_report(guest.id);
      facts.exit = monitor->classify_exit(guest.last, facts.console,
                                          report ? *report : std::string());
    }
  }
  return build_flight(facts, code, text);
}

void App::keep_flight(fleet::v1::FlightRecord record, fleet::v1::FlightOutcome outcome) {
  record.set_outcome(outcome);
  ota::Transaction transaction(device.state.database());
  Status kept = FlightLog::keep(transaction, std::move(record));
  if (kept) kept = transaction.commit();
  if (!kept) {
    proto::log_error("flight.not_kept", {{"app", name}, {"why", kept.error().what}});
    return;
  }
  device.flights_changed.notify();
}

void App::publish_live() {
  FLEET_ASSERT(device.network != nullptr);
  if (manifest) device.network->set_bypass(name, bypass_of(*manifest));
  if (!slots.live) device.network->set_bypass(name, std::nullopt);
  const bool up = live && !live->ended() && manifest && live->address.value != 0;
  const auto publish = [&]() -> Status {
    if (!up) {
      device.network->clear_published(name);
      return device.publish();
    }
    TRY(auto ports, port_mappings(*manifest));
    device.network->set_published(name, std::move(ports), live->address);
    return device.publish();
  };
  const Status published = publish();
  if (!published) {
    proto::log_error("ports.not_published", {{"app", name}, {"why", published.error().what}});
  }
}

void App::raise_live() {
  if (!live || live->ended() || live->last.ports_up) return;
  const Status up = device.ports.launcher.set_ports(live->id, true);
  live->last.ports_up = up.has_value();
  if (!up) proto::log_error("ports.not_raised", {{"app", name}, {"why", up.error().what}});
}

}  // namespace agent
