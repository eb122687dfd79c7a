// A world with devices edge-1, edge-2 and on, and the pushes and words of a test of rollouts.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/controller/world.h"

namespace controller {

inline constexpr std::int64_t kSoak = 30'000;

struct FleetOfDevices : ::testing::Test {
  World world;
  FleetOfDevices() { world.set_up_trust(); }

  static std::string name(int number) { return "edge-" + std::to_string(number); }
  void devices(int count, int sites = 0) {
    for (int i = 1; i <= count; ++i) {
      world.enroll(name(i));
      if (sites > 0) label(i, "site", "s" + std::to_string((i - 1) % sites));
      world.online(name(i));
    }
  }
  void label(int number, const std::string& key, const std::string& value) {
    const Status done = world.label(world.id_of(name(number)), key, value);
    ASSERT_TRUE(done.has_value()) << (done ? "" : done.error().what);
  }
  void unlabel(int number, const std::string& key) { label(number, key, ""); }
  std::int64_t push(const v1::RolloutPolicy& policy, const std::string& selector = "edge",
                    bool stage = false) {
    world.next_rollout = policy;
    v1::PushRequest request = world.next_push(selector);
    request.set_strategy(v1::STRATEGY_UNSPECIFIED);
    request.set_stage_only(stage);
    const auto begun = world.push(request);
    EXPECT_TRUE(begun.has_value()) << (begun ? "" : begun.error().what);
    return begun ? begun->number : 0;
  }
  static v1::RolloutPolicy waves(const std::vector<std::string>& totals) {
    v1::RolloutPolicy policy;
    for (const std::string& total : totals) policy.add_waves(total);
    policy.set_soak_ms(kSoak);
    return policy;
  }
  static v1::RolloutPolicy one_per_site() {
    v1::RolloutPolicy policy;
    policy.set_strategy(v1::ALL);
    policy.mutable_max_unavailable()->set_by("site");
    policy.mutable_max_unavailable()->set_count(1);
    return policy;
  }
  bool is_let_in(std::int64_t number, int device) {
    return (*world.store->rollout_device(number, world.id_of(name(device))))->row.let_in();
  }
  int let_in_count(std::int64_t number, int devices) {
    int count = 0;
    for (int i = 1; i <= devices; ++i) count += is_let_in(number, i) ? 1 : 0;
    return count;
  }
  void say(int number, v1::DeviceState state, std::uint64_t live) {
    const Status taken = world.report(name(number), state, live);
    ASSERT_TRUE(taken.has_value()) << (taken ? "" : taken.error().what);
  }
  /// What it says of its slots, as a Hello does.
  void slots(int number, std::uint64_t live, std::uint64_t other) {
    v1::Telemetry facts;
    v1::AppStatus& app = *facts.add_apps();
    app.set_app("dns");
    app.set_live_slot("A");
    app.set_live_release(live);
    app.mutable_a()->set_state(v1::GOOD);
    app.mutable_a()->set_release(live);
    app.mutable_b()->set_state(other == 0 ? v1::EMPTY : v1::GOOD);
    app.mutable_b()->set_release(other);
    ASSERT_TRUE(world.store->set_facts(world.id_of(name(number)), facts, 1).has_value());
  }
  void tick(std::int64_t ms) {
    world.clock.advance(ms);
    ASSERT_TRUE(world.fleet->tick().has_value());
  }
  /// dns 1 on all of them.
  void settled(int count) {
    push({});
    for (int i = 1; i <= count; ++i) {
      say(i, v1::HEALTHY, 1);
      slots(i, 1, 0);
    }
  }
  /// dns 2 to the first two of four devices, of which edge-1 has it: if edge-2 fails, the fleet
  /// goes back. out: the rollout
  std::int64_t half_of_a_wave() {
    devices(4);
    settled(4);
    v1::RolloutPolicy policy = waves({"2"});
    policy.set_min_finished(2);
    const std::int64_t number = push(policy);
    say(1, v1::HEALTHY, 2);
    slots(1, 2, 1);
    return number;
  }
};

}  // namespace controller
