#include "tests/sim/rules.h"

#include <algorithm>

#include "agent/guest_config.h"
#include "controller/config.h"
#include "tests/sim/world.h"

namespace sim {

using fleet::v1::Envelope;

namespace {

constexpr std::int64_t kCrowdedMs = 120'000;

std::size_t running_guests(const Device& device) {
  return static_cast<std::size_t>(
      std::count_if(device.guests.instances.begin(), device.guests.instances.end(),
                    [](const agent::Instance& one) {
                      return one.state == agent::InstanceState::running;
                    }));
}

// What cannot be read is told by others.
template <typename T>
T or_none(const proto::Result<T>& result) {
  return result ? *result : T();
}

std::string blob_path(const ota::BlobRef& blob) { return "blobs/" + blob.digest.hex(); }

}  // namespace

void Rules::fail(const Device* device, const std::string& what) {
  const std::string line = (device == nullptr ? "" : device->name + ": ") + what;
  world_.trace.tell("RULE", line);
  if (broken_.empty()) broken_ = line;
}

void Rules::signed_release(std::uint64_t release, const ota::Sha256& image) {
  signed_[release].insert(image);
}

void Rules::after_event() {
  if (touched_.empty()) return;
  std::set<Device*> now;
  now.swap(touched_);
  for (Device* device : now) look(*device);
}

// --- what a device keeps

void Rules::look(Device& device) {
  Process* process = device.process();
  if (process == nullptr) return;
  Known& known = known_[&device];
  const auto desired = process->state().desired();
  if (!desired) return;
  const std::uint64_t generation = desired->generation();
  if (generation < known.generation) {
    fail(&device, "its generation fell from " + std::to_string(known.generation) + " to " +
                      std::to_string(generation));
  }
  known.generation = generation;
  const auto slots = ota::Slots::read(process->state().database(), kApp);
  if (!slots) return;
  if (slots->highest_confirmed < known.highest) {
    fail(&device, "its highest confirmed release fell from " + std::to_string(known.highest) +
                      " to " + std::to_string(slots->highest_confirmed));
  }
  if (slots->highest_confirmed > known.highest) known.one_back = known.live;
  known.highest = slots->highest_confirmed;
  check_yanks(device, *slots);
  const ota::SlotRecord* live = slots->live_slot();
  known.live = live == nullptr ? 0 : live->release.release;
  if (live == nullptr) return;
  if (live->state != ota::SlotState::good) fail(&device, "its live slot is not good");
  if (known.live != known.highest && known.live != known.one_back) {
    fail(&device, "release " + std::to_string(known.live) + " is live, confirmed was " +
                      std::to_string(known.highest) + " after " + std::to_string(known.one_back));
  }
  check_bytes(device, live->release);
}

// What the device knows as yanked comes neither on trial nor back by an order.
void Rules::check_yanks(Device& device, const ota::AppSlots& slots) {
  Known& known = known_[&device];
  const bool ordered_back = slots.live && slots.slot(slots.spare()).why == proto::Code::ordered;
  const ota::SlotRecord* record = nullptr;
  if (slots.trial()) {
    record = &slots.slot(*slots.trial());
  } else if (ordered_back) {
    record = slots.live_slot();
  }
  if (record == nullptr || record->release.attempt == known.judged_attempt) return;
  known.judged_attempt = record->release.attempt;
  const std::uint64_t release = record->release.release;
  if (device.process()->agent().device().is_yanked(kApp, release)) {
    fail(&device, "release " + std::to_string(release) + " is known as yanked, and chosen");
  }
}

void Rules::check_bytes(Device& device, const ota::ReleaseRecord& record) {
  Known& known = known_[&device];
  for (const ota::BlobRef& blob : record.blobs) {
    const SimDisk::File file = device.disk.find(blob_path(blob));
    if (file == nullptr || file->written.size() != blob.size_bytes) {
      fail(&device, "blob " + blob.digest.hex() + " of its live slot is not there");
      return;
    }
    if (known.live_attempt == record.attempt) continue;  // hashed before
    const auto bytes = file->written.all();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (ota::sha256(text) != blob.digest) {
      fail(&device, "blob " + blob.digest.hex() + " of its live slot has other bytes");
    }
    if (file->synced.all() != bytes) {
      fail(&device, "blob " + blob.digest.hex() + " of its live slot is not synced");
    }
  }
  known.live_attempt = record.attempt;
}

void Rules::started(Device& device, const agent::GuestTag& tag, const ota::Sha256& kernel) {
  look(device);
  Known& known = known_[&device];
  const std::string release = "release " + std::to_string(tag.release);
  const auto found = signed_.find(tag.release);
  if (found == signed_.end()) return fail(&device, release + " runs and nobody signed it");
  if (staged_only_.count(tag.release) == 1) {
    return fail(&device, release + " runs, and was to be staged alone");
  }
  if (found->second.count(kernel) == 0) return fail(&device, release + " runs with another image");
  const bool allowed = tag.release >= known.highest || tag.release == known.one_back;
  if (!allowed) {
    fail(&device, release + " runs, older than one step behind " + std::to_string(known.highest));
  }
}

void Rules::open_failed(Device& device, const proto::Error& error) {
  const bool for_a_while = error.code == proto::Code::no_space || device.disk.full;
  if (!for_a_while) fail(&device, "agent.db does not open: " + error.what);
}

// --- what goes over the wire

void Rules::device_said(Device& device, const Envelope& envelope) {
  if (!envelope.has_report()) return;
  const fleet::v1::Report& report = envelope.report();
  const std::string what = report.attempt() + " " + fleet::v1::DeviceState_Name(report.state());
  Known& known = known_[&device];
  const auto [before, is_new] = known.reports.emplace(report.sequence(), what);
  if (!is_new && before->second != what) {
    fail(&device, "sequence " + std::to_string(report.sequence()) + " was \"" + before->second +
                      "\" and is \"" + what + "\" now");
  }
}

void Rules::controller_said(Device& device, const Envelope& envelope) {
  if (envelope.has_desired()) {
    check_budget();
    check_ahead(device, envelope.desired());
  }
  if (!envelope.has_ack() || !world_.controller.running()) return;
  const auto row = world_.controller.headquarters.store->device(device.id);
  const std::uint64_t sequence = envelope.ack().sequence();
  const bool kept = row && *row && std::cmp_greater_equal((*row)->report_sequence, sequence);
  if (!kept) {
    fail(&device, "report " + std::to_string(sequence) + " is acknowledged and not stored");
  }
  Known& known = known_[&device];
  known.acknowledged = std::max(known.acknowledged, sequence);
}

void Rules::controller_started() {
  for (const auto& device : world_.devices) {
    const auto row = world_.controller.headquarters.store->device(device->id);
    const std::uint64_t acknowledged = known_[device.get()].acknowledged;
    const bool kept = row && *row && std::cmp_greater_equal((*row)->report_sequence, acknowledged);
    if (!kept) {
      fail(device.get(), "report " + std::to_string(acknowledged) +
                             " was acknowledged and is lost");
    }
  }
}

void Rules::controller_restored() {
  for (auto& [device, known] : known_) known.acknowledged = 0;
}

// Only an older backup makes a device ahead; then it is told nothing.
void Rules::check_ahead(Device& device, const fleet::v1::Desired& desired) {
  if (!world_.controller.running()) return;
  if (!world_.controller.headquarters.fleet->is_ahead(device.id)) return;
  if (world_.controller.restores == 0) fail(&device, "it is ahead of its only controller");
  if (desired.apps_size() > 0) fail(&device, "it is ahead, and told what to run all the same");
}

// Who is under way, not who goes back: that asks no budget.
void Rules::check_budget() {
  if (world_.down_per_site == 0 || !world_.controller.running()) return;
  controller::Store& store = *world_.controller.headquarters.store;
  std::map<std::string, std::map<std::string, std::string>> down;  // site -> device -> by what
  for (const auto& device : world_.devices) {
    const auto open = store.open_rollouts_of(device->id);
    for (const std::int64_t number : or_none(open)) {
      const auto rollout = store.rollout(number);
      const auto row = store.rollout_device(number, device->id);
      if (!rollout || !*rollout || !row || !*row) continue;
      const bool under_way = (*row)->row.let_in() && (*row)->row.going_back_to() == 0 &&
                             controller::rollout::is_release((*rollout)->kind);
      const std::string site = store.subject(device->id)->labels[kSiteLabel];
      if (under_way) down[site][device->name] = (*rollout)->id();
    }
  }
  for (const auto& [site, devices] : down) {
    if (devices.size() <= world_.down_per_site) continue;
    std::string who;
    for (const auto& [name, by] : devices) who += " " + name + " (" + by + ")";
    fail(nullptr, std::to_string(devices.size()) + " devices of " + site +
                      " are under way at once, the budget is " +
                      std::to_string(world_.down_per_site) + ":" + who);
  }
}

void Rules::sweep() {
  check_budget();
  for (const auto& device : world_.devices) {
    Known& known = known_[device.get()];
    Process* process = device->process();
    const bool crowded = process != nullptr && !device->launcher_away &&
                         running_guests(*device) > 1;
    if (!crowded) {
      known.crowded_since_ms = -1;
      continue;
    }
    const std::int64_t now_ms = world_.clock.now_ms();
    const auto slots = ota::Slots::read(process->state().database(), kApp);
    if (known.crowded_since_ms < 0 || !slots || slots->trial()) known.crowded_since_ms = now_ms;
    if (now_ms - known.crowded_since_ms > kCrowdedMs) {
      fail(device.get(), "more than one guest runs for minutes, and none is on trial");
    }
  }
}

// --- at rest

std::vector<std::string> Rules::unrest() {
  std::vector<std::string> out;
  if (!world_.controller.running()) return {"the controller does not run"};
  const auto running = world_.controller.headquarters.store->running_rollouts();
  for (const auto& rollout : or_none(running)) {
    if (rollout.state == fleet::v1::ROLLOUT_PAUSED) continue;  // a person's to go on with
    out.push_back(rollout.id() + " has not ended");
  }
  if (!out.empty()) return out;  // the rest costs more
  for (const auto& device : world_.devices) find_unrest(*device, out);
  return out;
}

void Rules::find_unrest(Device& device, std::vector<std::string>& out) {
  const auto say = [&](const std::string& what) { out.push_back(device.name + ": " + what); };
  Process* process = device.process();
  if (process == nullptr) return say("its agent does not run");
  controller::Headquarters& hq = world_.controller.headquarters;
  if (!hq.fleet->is_online(device.id)) return say("it is offline");
  if (hq.fleet->is_ahead(device.id)) return say("it is ahead, and nobody has decided");
  const auto row = hq.store->device(device.id);
  const auto wanted = hq.store->desired_app(device.id, kApp);
  const auto slots = ota::Slots::read(process->state().database(), kApp);
  const auto outbox = process->state().outbox(0, 1);
  if (!row || !*row || !wanted || !slots || !outbox) return say("its records cannot be read");
  if (!outbox->empty()) say("a report waits");
  const auto generation = static_cast<std::uint64_t>((*row)->generation);
  if (process->agent().generation() != generation) {
    say("generation " + std::to_string(process->agent().generation()) + " there, " +
        std::to_string(generation) + " here");
  }
  const std::uint64_t live = slots->live ? slots->live_slot()->release.release : 0;
  std::uint64_t told = 0;
  for (const auto& app : (*row)->facts.apps()) {
    if (app.app() == kApp) told = app.live_release();
  }
  if (told != live) {
    say("release " + std::to_string(live) + " is live, the controller believes " +
        std::to_string(told));
  }
  const bool stopped = *wanted && (*wanted)->run() == fleet::v1::STOP;
  const bool removed = *wanted && (*wanted)->run() == fleet::v1::REMOVE;
  if (removed && live != 0) say("it was to be removed, and is there");
  // One that was only asked to stage is wanted to run nothing in particular.
  const bool differs = *wanted && !stopped && !removed && (*wanted)->release() != 0 &&
                       (*wanted)->release() != live;
  if (differs && !ended_there(device, **wanted)) {
    say("release " + std::to_string((*wanted)->release()) + " is wanted, " +
        std::to_string(live) + " is live");
  }
  const bool runs = live != 0 && !stopped && !removed;
  const std::size_t guests = running_guests(device);
  // One that falls ill again and again stays where what it had to go back to was yanked.
  const auto script = world_.scripts.find(live);
  const bool falls_ill =
      script != world_.scripts.end() &&
      (script->second.exits_after_ms >= 0 || script->second.stops_answering_ms >= 0 ||
       script->second.answers_after_ms < 0);
  // An old backup names an app no more, or wants again what this device has done since.
  const auto app = process->state().app(kApp);
  const bool replayed = world_.controller.restores > 0 &&
                        (!*wanted || !app || app->wish_done == agent::wish_key(**wanted));
  const bool as_wanted = guests == (runs ? 1u : 0u) || (runs && falls_ill && guests == 0);
  if (!replayed && !as_wanted) say(std::to_string(guests) + " guests run");
  if (runs && !differs && *wanted) find_other_values(device, **wanted, *slots->live_slot(), out);
  find_leaks(device, *slots, out);
}

void Rules::find_other_values(Device& device, const fleet::v1::DesiredApp& wish,
                              const ota::SlotRecord& live, std::vector<std::string>& out) {
  if (wish.keep_values()) return;  // what a wish that ended badly left
  const std::string wanted = agent::write_overrides(agent::values_of(wish));
  if (live.release.overrides != wanted && !ended_there(device, wish)) {
    out.push_back(device.name + ": runs with " + live.release.overrides + ", wanted is " + wanted);
  }
  controller::Headquarters& hq = world_.controller.headquarters;
  controller::Config config(*hq.store, *hq.fleet, *hq.pushes);
  const auto subject = hq.store->subject(device.id);
  const fleet::v1::DeviceConfig shown = or_none(config.show(or_none(subject), kApp));
  for (const fleet::v1::ConfigValue& value : shown.values()) {
    const auto told = wish.overrides().find(value.name());
    const std::string there = told == wish.overrides().end() ? "none" : told->second;
    if (there == value.value()) continue;
    out.push_back(device.name + ": " + value.name() + " is " + value.value() + " for people, " +
                  there + " is wanted");
  }
}

bool Rules::ended_there(Device& device, const fleet::v1::DesiredApp& wish) {
  if (world_.controller.restores == 0) return false;
  const auto row = device.process()->state().app(kApp);
  return row && row->wish_done == agent::wish_key(wish) && row->why.code() != 0;
}

void Rules::find_leaks(Device& device, const ota::AppSlots& slots,
                       std::vector<std::string>& out) {
  const auto say = [&](const std::string& what) { out.push_back(device.name + ": " + what); };
  if (slots.trial()) say("a trial is on");
  // What was staged alone stays for the push that will want its bytes, one at most.
  const bool for_later = slots.candidate && staged_only_.count(slots.candidate->release) == 1;
  if (slots.candidate && !for_later) say("a candidate is left");
  if (device.guests.instances.size() > 1) say("ended guests are not forgotten");
  const auto pinned = ota::Slots::pinned_blobs(device.process()->state().database());
  std::set<std::string> names;
  for (const ota::BlobRef& blob : or_none(pinned)) names.insert(blob.digest.hex());
  const auto blobs = device.disk.list("blobs");
  for (const ota::DiskEntry& entry : or_none(blobs)) {
    if (names.erase(entry.name) == 0) say("blob " + entry.name + " is pinned by nothing");
  }
  for (const std::string& name : names) say("blob " + name + " is pinned and not there");
  const auto partials = device.disk.list("partial");
  for (const ota::DiskEntry& entry : or_none(partials)) say("partial " + entry.name);
}

}  // namespace sim
