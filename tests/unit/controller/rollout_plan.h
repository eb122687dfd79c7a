// A rollout with its device rows, for the tests of the pure engine: it does what Fleet does with
// the engine's answers, without a store.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/rollout.h"

namespace controller::rollout {

inline constexpr std::int64_t kStart = 1'700'000'000'000;
inline constexpr std::int64_t kDeadline = 60'000;

/// A rollout with its device rows, stepped as the controller's shell does.
struct Plan {
  Rollout rollout;
  std::map<std::string, Device> devices;
  std::vector<Action> actions;  // of the last event
  std::int64_t now_ms = kStart;

  explicit Plan(v1::RolloutKind kind = v1::KIND_PUSH) {
    rollout.number = 7;
    rollout.kind = kind;
    rollout.app = "dns";
    rollout.release = 2;
    rollout.selector = "edge";
    rollout.created_ms = kStart;
    rollout.device_deadline_ms = kDeadline;
  }

  void event(const std::string& name, const Event& what) {
    actions.clear();
    take(name, what);
    let_in();
  }
  void take(const std::string& name, const Event& what) {
    Step step = rollout::step(rollout, devices.at(name), what, now_ms);
    rollout = step.rollout;
    devices[name] = step.device;
    actions.insert(actions.end(), step.actions.begin(), step.actions.end());
    for (const Action& each : step.actions) {
      if (std::holds_alternative<KeepRunning>(each)) ended_wishes.insert(step.device.attempt);
    }
    follow(step.actions);
  }
  void take(const Course& course) {
    rollout = course.rollout;
    actions.insert(actions.end(), course.actions.begin(), course.actions.end());
    follow(course.actions);
  }
  void follow(const std::vector<Action>& what) {
    for (const Action& each : what) {
      if (!std::holds_alternative<Halt>(each)) continue;
      for (auto& [name, device] : devices) {
        const bool wish_stands = ended_wishes.count(device.attempt) == 0;
        if (!device.row.let_in()) continue;
        take(name, Halted{device.attempt + "-back", back_to, wish_stands});
      }
      take(settle(rollout, now_ms));
    }
  }
  void let_in() {
    if (!has_waves(rollout.kind)) return;
    for (auto& [name, device] : devices) {
      if (!may_let_in(rollout, device)) continue;
      take(name, LetIn{"attempt-" + name, {true, 1, v1::RUN, 0}});
    }
  }
  void course(const Course& what) {
    actions.clear();
    take(what);
    let_in();
  }
  /// A tick, `ms` later.
  void after(std::int64_t ms) {
    now_ms += ms;
    course(tick(rollout, now_ms));
  }
  std::uint64_t back_to = 1;
  std::set<std::string> ended_wishes;
  void join(const std::string& name, bool online, std::uint32_t wave = 1) {
    Device device;
    device.id = "id-" + name;
    device.attempt = "attempt-" + name;
    device.row.set_wave(wave);
    device.row.set_device(name);
    device.row.set_state(v1::WAITING);
    device.row.set_online(online);
    devices[name] = device;
    event(name, Joined{});
    // An order reaches everybody at once.
    if (!has_waves(rollout.kind)) take(name, LetIn{"attempt-" + name, {true, 1, v1::RUN, 0}});
  }
  v1::Report report(const std::string& name, v1::DeviceState state) const {
    v1::Report out;
    out.set_attempt(devices.at(name).attempt);
    out.set_state(state);
    out.set_release(rollout.release);
    out.mutable_status()->set_live_release(state == v1::HEALTHY ? 2 : 1);
    if (state == v1::REVERTED) out.mutable_why()->set_text("no answer: dns, 0 of 18 probes");
    return out;
  }
  void say(const std::string& name, v1::DeviceState state) {
    event(name, Reported{report(name, state)});
  }
  void offered(const std::string& name) {
    join(name, true);
    event(name, Offered{});
  }
  v1::DeviceState state(const std::string& name) { return devices.at(name).row.state(); }
  template <typename T>
  const T* action() const {
    for (const Action& each : actions) {
      if (const T* found = std::get_if<T>(&each)) return found;
    }
    return nullptr;
  }
};

inline constexpr std::int64_t kSoak = 30'000;

/// A release in waves.
struct Waves : Plan {
  /// Devices edge-1 to edge-N, online, in waves of these sizes.
  explicit Waves(const std::vector<int>& sizes, v1::OnFailure on_failure = v1::REVERT,
                 std::uint32_t min_finished = 5) {
    std::uint64_t total = 0;
    rollout.policy.set_strategy(v1::WAVES);
    for (const int size : sizes) {
      total += static_cast<std::uint64_t>(size);
      rollout.policy.add_waves(std::to_string(total));
    }
    rollout.policy.set_soak_ms(kSoak);
    rollout.policy.set_max_failed("10%");
    rollout.policy.set_min_finished(min_finished);
    rollout.policy.set_on_failure(on_failure);
    lay_out(rollout, total, now_ms);
    int number = 0;
    for (std::size_t wave = 0; wave < sizes.size(); ++wave) {
      for (int i = 0; i < sizes[wave]; ++i) {
        join(name(++number), true, static_cast<std::uint32_t>(wave + 1));
      }
    }
  }
  static std::string name(int number) {
    return std::string("edge-") + (number < 10 ? "0" : "") + std::to_string(number);
  }
  bool is_let_in(int number) { return devices.at(name(number)).row.let_in(); }
  void say_all(int from, int to, v1::DeviceState state) {
    for (int i = from; i <= to; ++i) say(name(i), state);
  }
  void fails(int number, const std::string& fingerprint, v1::Code code = v1::CODE_NO_ANSWER) {
    v1::Report said = report(name(number), v1::REVERTED);
    said.mutable_why()->set_code(code);
    said.mutable_why()->set_fingerprint(fingerprint);
    event(name(number), Reported{said});
  }
  const Tell* told(const std::string& kind) const {
    for (const Action& each : actions) {
      const auto* tell = std::get_if<Tell>(&each);
      if (tell != nullptr && tell->kind == kind) return tell;
    }
    return nullptr;
  }
};

}  // namespace controller::rollout
