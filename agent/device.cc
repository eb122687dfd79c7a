#include "agent/device.h"

#include <algorithm>
#include <utility>

#include "proto/log.h"

namespace agent {

using proto::Result;
using proto::Status;

Device::Device(Ports& the_ports, State& the_state, std::int64_t build_time_s)
    : ports(the_ports),
      state(the_state),
      blobs(the_ports.disk),
      volumes(the_ports.disk),
      snapshots(the_ports.disk),
      trust(the_ports.disk),
      link_lost_ms(the_ports.clock.now_ms()),
      outbox_changed(the_ports.clock),
      flights_changed(the_ports.clock),
      build_time_s_(build_time_s),
      turn_ended_(the_ports.clock) {}

std::int64_t Device::now_s() {
  TimeFacts facts;
  facts.wall_s = ports.clock.wall_ms() / 1000;
  auto stored = state.time_floor();
  facts.floor_s = std::max(build_time_s_, stored ? stored->unix_s : 0);
  facts.root_expires_s = trust.root_expires_s();
  facts.synchronised = ports.machine.clock_synchronised();
  return trusted_now(facts);
}

Result<bool> Device::learn(const MetadataFacts& facts) {
  if (facts.root_version > 0) metadata.root_version = facts.root_version;
  if (facts.timestamp_version > 0) {
    metadata.timestamp_version = facts.timestamp_version;
    metadata.timestamp_expires_s = facts.timestamp_expires_s;
  }
  TRY_VOID(learn_yanks(facts.yanked));
  if (facts.timestamp_keys.empty()) return false;
  TRY(const State::TimeFloor old, state.time_floor());
  // The floor of a timestamp key that was rotated may be a lie: it is not kept (DESIGN 4).
  const bool same_keys = old.keys == facts.timestamp_keys;
  State::TimeFloor floor{same_keys ? old.unix_s : 0, facts.timestamp_keys};
  if (facts.refreshed) floor.unix_s = std::max(floor.unix_s, facts.issued_floor_s);
  if (floor == old) return false;
  TRY_VOID(state.store_time_floor(floor));
  return floor.unix_s < old.unix_s;
}

Status Device::learn_yanks(const Yanked& told) {
  Yanked news;
  for (const auto& [app, releases] : told) {
    for (const std::uint64_t release : releases) {
      if (!is_yanked(app, release)) news[app].insert(release);
    }
  }
  if (news.empty()) return {};
  TRY_VOID(state.add_yanked(news));
  for (const auto& [app, releases] : news) {
    for (const std::uint64_t release : releases) {
      proto::log_warning("release.yanked", {{"app", app}, {"release", release}});
    }
    yanked_[app].insert(releases.begin(), releases.end());
  }
  outbox_changed.notify();  // what runs is marked for the controller, too
  return {};
}

Status Device::remember() {
  metadata = trust.stored();
  TRY(yanked_, state.yanked());
  return {};
}

bool Device::is_yanked(std::string_view app, std::uint64_t release) const {
  const auto found = yanked_.find(app);
  return found != yanked_.end() && found->second.count(release) == 1;
}

fleet::v1::Inventory Device::inventory() {
  fleet::v1::Inventory out = ports.machine.inventory();
  auto free = ports.disk.free_bytes();
  if (free) out.set_disk_free_bytes(*free);
  fleet::v1::MetadataStatus& held = *out.mutable_metadata();
  held.set_root_version(metadata.root_version);
  held.set_timestamp_version(metadata.timestamp_version);
  held.set_fresh_until_ms(static_cast<std::uint64_t>(metadata.timestamp_expires_s) * 1000);
  if (metadata_why) {
    held.mutable_why()->set_code(static_cast<fleet::v1::Code>(metadata_why->code));
    held.mutable_why()->set_text(metadata_why->what);
  }
  for (const MonitorChoice& choice : monitors) {
    fleet::v1::MonitorEvidence* one = out.add_monitors();
    one->set_name(choice.label);
    one->set_usable(choice.monitor != nullptr);
    one->set_evidence(choice.evidence);
    one->set_start_ms(choice.start_ms);
  }
  return out;
}

Status Device::publish() {
  FLEET_ASSERT(network != nullptr);
  std::vector<PublishedPort> after = network->published();
  if (after != published_) {
    TRY_VOID(switch_ports(ports.launcher, published_, after));
    published_ = std::move(after);
  }
  // What the launcher knows from the agent before stays until the list is whole.
  std::vector<BridgePair> bypasses = network->bypasses();
  if (unadopted > 0 || bypasses == bypasses_) return {};
  TRY_VOID(ports.launcher.bypass(bypasses));
  bypasses_ = std::move(bypasses);
  return {};
}

bool Device::had_link(std::uint64_t within_ms) const {
  if (link_up) return true;
  return ports.clock.now_ms() - link_lost_ms <= static_cast<std::int64_t>(within_ms);
}

proto::awaitable<bool> Device::take_turn(std::function<bool()> given_up) {
  while (turns_ >= kUpdatesAtOnce) {
    if (stopping || given_up()) co_return false;
    co_await turn_ended_.wait(proto::Deadline::after(ports.clock, 1000));
  }
  if (stopping || given_up()) co_return false;
  ++turns_;
  co_return true;
}

void Device::end_turn() {
  FLEET_ASSERT(turns_ > 0);
  --turns_;
  turn_ended_.notify();
}

proto::awaitable<Status> Device::collect_blobs() {
  const auto is_unsaid = [](const auto& held) { return !held.second.has_value(); };
  if (std::any_of(held_.begin(), held_.end(), is_unsaid)) co_return Status();
  co_return co_await make_room();
}

proto::awaitable<Status> Device::make_room() {
  auto pinned = ota::Slots::pinned_blobs(state.database());
  if (!pinned) co_return pinned.error();
  store_untidy = false;
  for (const auto& [app, blobs_of_app] : held_) {
    if (!blobs_of_app) continue;
    pinned->insert(pinned->end(), blobs_of_app->begin(), blobs_of_app->end());
  }
  auto work = [this, &pinned] { return blobs.remove_unpinned(*pinned); };
  const auto freed = co_await proto::run_blocking(ports.disk_pool, std::move(work));
  if (!freed) {
    store_untidy = true;
    co_return freed.error();
  }
  if (*freed > 0) proto::log_info("blobs.collected", {{"bytes", *freed}});
  co_return Status();
}

}  // namespace agent
