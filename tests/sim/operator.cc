#include "tests/sim/operator.h"

#include <span>
#include <utility>

#include "controller/config.h"
#include "tests/sim/world.h"

namespace sim {

namespace {

constexpr std::uint64_t kSmallestImage = 200;
constexpr std::uint64_t kLargestImage = 40'000;

}  // namespace

void Operator::tell(const std::string& what) { world_.trace.tell("operator", what); }

// As fleetctl does before it signs: a push whose answer was lost may be there all the same, and one
// that was there may be lost with an old backup.
void Operator::refresh() {
  controller::Headquarters& hq = world_.controller.headquarters;
  const auto text = hq.store->metadata(ota::app_role_name(kApp));
  if (!text) return;
  if (*text) {
    auto there = ota::parse_targets(**text);
    FLEET_ASSERT(there.has_value());
    const bool newer = !hq.role || there->value.header.version > hq.role->header.version;
    if (newer) hq.role = std::move(there->value);
    if (there->value.header.version < hq.role->header.version) return give_back();
    seen_ = hq.seen();
  } else if (hq.role) {
    give_back();
  }
}

// `fleetctl keys restore`
void Operator::give_back() {
  controller::Headquarters& hq = world_.controller.headquarters;
  const ota::SigningKey* const keys[] = {&hq.app_key};
  for (fleet::v1::MetadataUpload& one : *seen_.mutable_together()) {
    if (one.role() == ota::app_role_name(kApp)) one.set_json(ota::sign(*hq.role, keys));
  }
  const auto given = hq.upload(seen_);
  tell("gives back what was seen: " + (given ? "taken" : given.error().what));
}

Operator::Prepared Operator::prepare(const std::string& selector) {
  Random& random = world_.random;
  controller::Headquarters& hq = world_.controller.headquarters;
  std::string image(kSmallestImage + random.below(kLargestImage), '\0');
  for (char& byte : image) byte = static_cast<char>(random.next());
  fleet::v1::AppManifest manifest = tests::make_manifest(kApp, 1);
  if (random.chance(150)) yank_one();
  manifest.mutable_update()->set_watch_ms(random.chance(500) ? 30'000 : 300'000);
  manifest.mutable_update()->set_tries(static_cast<std::uint32_t>(random.between(1, 3)));
  if (random.chance(300)) {
    manifest.mutable_update()->set_handover(fleet::v1::STOP_START);
  }
  fleet::v1::Var& zone = (*manifest.mutable_vars())[kVariable];
  zone.set_type(fleet::v1::VAR_STRING);
  zone.set_default_("none");
  *manifest.mutable_rollout() = any_policy();
  Prepared prepared{hq.next_push(selector, image, std::move(manifest)), ota::sha256(image)};
  prepared.request.set_strategy(fleet::v1::STRATEGY_UNSPECIFIED);
  return prepared;
}

// In waves or at once, with each way to end; in a world with a budget all pushes keep to it.
fleet::v1::RolloutPolicy Operator::any_policy() {
  Random& random = world_.random;
  fleet::v1::RolloutPolicy policy;
  if (random.chance(400)) {
    policy.add_waves("1");
    if (random.chance(500)) policy.add_waves("50%");
    policy.set_soak_ms(static_cast<std::uint64_t>(random.between(0, 60)) * 1000);
  }
  constexpr fleet::v1::OnFailure kWays[] = {fleet::v1::ON_FAILURE_UNSPECIFIED, fleet::v1::REVERT,
                                            fleet::v1::PAUSE, fleet::v1::KEEP};
  policy.set_on_failure(kWays[random.below(4)]);
  policy.set_min_finished(static_cast<std::uint32_t>(random.between(1, 5)));
  if (world_.down_per_site > 0) {
    policy.mutable_max_unavailable()->set_by(kSiteLabel);
    policy.mutable_max_unavailable()->set_count(world_.down_per_site);
  }
  return policy;
}

// It goes with the next push.
void Operator::yank_one() {
  controller::Headquarters& hq = world_.controller.headquarters;
  if (!hq.role) return;
  const auto listed = ota::releases_of(*hq.role, kApp);
  FLEET_ASSERT(listed.has_value() && !listed->empty());
  const std::int64_t release = (*listed)[world_.random.below(listed->size())].number;
  auto edited = ota::edit_app_role(*hq.role, kApp, std::span(&release, 1),
                                   world_.clock.wall_ms() / 1000);
  FLEET_ASSERT(edited.has_value());
  --edited->header.version;  // one new version for both
  hq.role = std::move(*edited);
  tell("yanks " + std::to_string(release));
}

std::int64_t Operator::send(const Prepared& prepared, const tests::Script& script,
                            const std::string& key) {
  controller::Headquarters& hq = world_.controller.headquarters;
  const std::uint64_t release = prepared.request.release();
  world_.scripts[release] = script;
  world_.rules.signed_release(release, prepared.image);
  const auto begun = hq.push(prepared.request, key);
  tell("pushes " + std::to_string(release) + " to " + prepared.request.selector() + ": " +
       (begun ? begun->id() : begun.error().what));
  if (!begun) return 0;
  seen_ = hq.seen();
  return begun->number;
}

std::int64_t Operator::push(const std::string& selector, const tests::Script& script, As as) {
  if (!world_.controller.running()) return 0;
  controller::Headquarters& hq = world_.controller.headquarters;
  refresh();
  auto before = hq.role;
  Prepared prepared = prepare(selector);
  prepared.request.set_stage_only(as == As::staged);
  const std::string key = "key-" + std::to_string(++pushes_);
  const std::int64_t number = send(prepared, script, key);
  if (number == 0) {
    hq.role = std::move(before);
    return 0;
  }
  if (as == As::staged) world_.rules.staged_only(prepared.request.release());
  const bool again = world_.random.chance(200);  // its answer was lost
  if (again && send(prepared, script, key) != number) {
    world_.rules.fail(nullptr, "a push that came twice is not the same rollout");
  }
  return number;
}

void Operator::push_twice(const std::string& selector) {
  if (!world_.controller.running()) return;
  controller::Headquarters& hq = world_.controller.headquarters;
  refresh();
  const auto before = hq.role;
  const Prepared one = prepare(selector);
  const auto after_one = hq.role;
  hq.role = before;
  const Prepared other = prepare(selector);
  hq.role = before;
  if (send(one, {}, "") == 0) return;
  hq.role = after_one;
  const auto refused = hq.push(other.request);
  if (refused) world_.rules.fail(nullptr, "one number was pushed twice, with two contents");
  tell("pushes " + std::to_string(other.request.release()) + " at the same time: " +
       (refused ? refused->id() : refused.error().what));
}

void Operator::order(fleet::v1::OrderKind kind, const std::string& selector) {
  if (!world_.controller.running()) return;
  const auto begun = world_.controller.headquarters.order(kind, selector);
  tell(fleet::v1::OrderKind_Name(kind) + " on " + selector + ": " +
       (begun ? begun->id() : begun.error().what));
}

void Operator::abort_newest() {
  if (!world_.controller.running()) return;
  controller::Headquarters& hq = world_.controller.headquarters;
  const auto running = hq.store->running_rollouts();
  if (!running || running->empty()) return;
  const auto ended = hq.fleet->abort(running->back().number, "ana");
  tell("aborts " + running->back().id() + ": " +
       (ended ? ended->verdict : ended.error().what));
}

void Operator::change_any() {
  if (!world_.controller.running()) return;
  controller::Headquarters& hq = world_.controller.headquarters;
  const auto all = hq.store->rollouts(5);
  if (!all || all->empty()) return;
  const std::int64_t number = (*all)[world_.random.below(all->size())].number;
  const std::size_t what = world_.random.below(4);
  const auto word = [&]() -> proto::Result<controller::rollout::Rollout> {
    switch (what) {
      case 0: return hq.fleet->pause(number, "ana");
      case 1: return hq.fleet->resume(number, "ana");
      case 2: return hq.fleet->retry(number, "", "ana");
      default: return hq.fleet->abort(number, "ana");
    }
  };
  const char* const names[] = {"pauses", "resumes", "retries", "aborts"};
  const auto done = word();
  tell(std::string(names[what]) + " r-" + std::to_string(number) + ": " +
       (done ? controller::rollout::word(done->state) : done.error().what));
  // Said again, it changes nothing but what happened meanwhile, which is nothing.
  if (!done || world_.random.chance(700)) return;
  const auto again = word();
  if (again && again->state != done->state) {
    world_.rules.fail(nullptr, std::string("what ") + names[what] + " r-" +
                                   std::to_string(number) + " twice changes it");
  }
}

void Operator::accept_ahead() {
  if (!world_.controller.running()) return;
  controller::Headquarters& hq = world_.controller.headquarters;
  const auto devices = hq.store->subjects();
  if (!devices) return;
  const auto result = hq.fleet->accept(*devices, "ana");
  if (!result) return tell("accepts nobody: " + result.error().what);
  for (const std::string& name : result->accepted()) tell("accepts what " + name + " runs");
  for (const auto& left : result->left()) tell(left.device() + " is left ahead: " + left.why());
}

void Operator::relabel_any() {
  if (!world_.controller.running()) return;
  const Device& device = *world_.devices[world_.random.below(world_.devices.size())];
  const std::string value = world_.random.chance(600) ? kRing : "";
  const auto done = world_.controller.headquarters.label(device.id, kRingLabel, value);
  tell((value.empty() ? "takes its ring from " : "puts into the ring ") + device.name + ": " +
       (done ? "done" : done.error().what));
}

void Operator::configure(const std::string& selector) {
  if (!world_.controller.running()) return;
  controller::Headquarters& hq = world_.controller.headquarters;
  fleet::v1::ConfigChange change;
  change.set_selector(selector);
  if (world_.random.chance(250)) {
    change.add_unset(kVariable);
  } else {
    (*change.mutable_set())[kVariable] = "zone-" + std::to_string(world_.random.below(5));
  }
  controller::Config config(*hq.store, *hq.fleet, *hq.pushes);
  std::vector<std::string> nearest;
  const auto changed = config.change(kApp, change, {"ana"}, nearest);
  const std::string to = change.unset_size() > 0 ? "nothing" : change.set().begin()->second;
  tell("sets " + std::string(kVariable) + " to " + to + " on " + selector + ": " +
       (changed ? "r-" + std::to_string(changed->rollout) : changed.error().what));
}

std::string Operator::any_selector() {
  Random& random = world_.random;
  if (random.chance(500)) return "all";
  if (random.chance(300)) return std::string(kRingLabel) + "=" + kRing;
  return world_.devices[random.below(world_.devices.size())]->name;
}

tests::Script Operator::any_script(bool bad_releases) {
  Random& random = world_.random;
  tests::Script script;
  script.answers_after_ms = random.between(5, 3000);
  if (!bad_releases || random.chance(500)) return script;
  switch (random.below(6)) {
    case 0: script.answers_after_ms = -1; break;                       // silent from the start
    case 1: script.answers_after_ms = random.between(8000, 15'000); break;  // slow, maybe too slow
    case 2: script.exits_after_ms = random.between(0, 3000); break;    // crashes on its trial
    case 3: script.exits_after_ms = random.between(3000, 60'000); break;
    case 4: script.stops_answering_ms = random.between(4000, 20'000); break;
    case 5: script.stops_answering_ms = random.between(20'000, 400'000); break;
  }
  script.exit_status = static_cast<int>(random.below(3));
  return script;
}

void Operator::act(bool bad_releases) {
  if (pushes_ == 0) {
    push("all", {});
    return;
  }
  switch (world_.random.below(20)) {
    case 0: return order(fleet::v1::ORDER_STOP, any_selector());
    case 1: return order(fleet::v1::ORDER_START, any_selector());
    case 2: return order(fleet::v1::ORDER_RESTART, any_selector());
    case 3:
    case 4: return order(fleet::v1::ORDER_REVERT, any_selector());
    case 5: return order(fleet::v1::ORDER_DELETE, any_selector());
    case 6: return abort_newest();
    case 7: return push_twice(any_selector());
    case 11: return accept_ahead();
    case 12: return relabel_any();
    case 13: return configure(any_selector());
    case 14: {
      push(any_selector(), any_script(bad_releases), As::staged);
      return;
    }
    case 8:
    case 9:
    case 10: return change_any();
    default: push(any_selector(), any_script(bad_releases));
  }
}

}  // namespace sim
