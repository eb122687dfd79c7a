// The half of Fleet that begins rollouts, and does what people say of them.
#include <algorithm>
#include <set>
#include <utility>

#include "controller/fleet.h"
#include "ota/hash.h"
#include "proto/log.h"

namespace controller {

// Rows of older rollouts of the app are done with. Who is under way in one goes on there until its
// turn in the newer one has come: then all of them are.
Status Fleet::supersede(const std::string& device_id, const rollout::Rollout& newer,
                        Superseded which) {
  TRY(const auto open, store_.open_rollouts_of(device_id));
  const std::string by = newer.id();
  for (const std::int64_t number : open) {
    TRY(const auto older, store_.rollout(number));
    if (!older || older->app != newer.app || older->number == newer.number) continue;
    // What is only staged is no other wish than that of a push; it waits for it (let_in).
    if (newer.kind == v1::KIND_STAGE && older->kind != v1::KIND_STAGE) continue;
    if (which == Superseded::waiting) {
      TRY(const auto row, store_.rollout_device(number, device_id));
      if (!row || row->row.let_in()) continue;
    }
    TRY_VOID(apply(number, device_id, rollout::Superseded{by}));
  }
  return {};
}

// The device's row and its wish; the rollout's counts come back in `rollout`.
Status Fleet::add_device(rollout::Rollout& rollout, const Wish& wish, std::uint32_t wave) {
  const std::string& id = wish.device.id;
  const bool order = !rollout::has_waves(rollout.kind);
  TRY_VOID(supersede(id, rollout, order ? Superseded::all : Superseded::waiting));
  rollout::Device device;
  device.id = id;
  device.attempt = ota::random_id();
  device.row.set_device(wish.device.name);
  device.row.set_state(v1::WAITING);
  device.row.set_online(hears(id));
  if (is_ahead(id)) {
    device.row.set_detail("ahead of this controller; first: fleetctl device accept " +
                          wish.device.name);
  }
  device.row.set_wave(wave);
  rollout::Step step =
      rollout::step(std::move(rollout), std::move(device), rollout::Joined{}, clock_.wall_ms());
  rollout = std::move(step.rollout);
  TRY_VOID(store_.add_rollout_device(rollout.number, rollout.app, step.device));
  TRY_VOID(store_.set_rollout(rollout));
  touched_.insert(rollout.number);
  if (!order) return {};
  TRY_VOID(give_order(rollout, wish));
  TRY(auto after, store_.rollout(rollout.number));
  rollout = std::move(*after);
  return {};
}

// A start and new values take the values as they are now; other orders leave alone what runs.
Status Fleet::fill_order_values(v1::RolloutKind kind, const rollout::Before& before,
                                const std::string& device_id, v1::DesiredApp& desired) {
  const bool starts = kind == v1::KIND_START ||
                      (kind == v1::KIND_RESTART && before.run == v1::STOP);
  const bool anew = kind == v1::KIND_CONFIG || (starts && before.wanted);
  if (!anew && before.wanted && kind != v1::KIND_REVERT) return {};
  TRY_VOID(fill_values(device_id, desired));
  desired.set_keep_values(!anew);
  // Other values are worth another try of what failed here.
  if (kind == v1::KIND_CONFIG) desired.set_retry_refused(true);
  return {};
}

// What a device is wanted to do before something newer. A step back that it was to take is over
// with that, taken or not: the release that it was to have is a guess (wishes_of in push).
Result<rollout::Before> Fleet::wanted_before(const std::string& device_id,
                                             const std::string& app) {
  TRY(const auto desired, store_.desired_app(device_id, app));
  if (!desired) return rollout::Before();
  rollout::Before before{true, desired->release(), desired->run(), desired->stage_release(),
                         desired->keep_values()};
  if (desired->fall_back() == 0) return before;
  TRY(const auto row, store_.device(device_id));
  before.release = row ? status_of(row->facts, app).live_release() : 0;
  return before;
}

// An order reaches everybody at once, also who is offline.
Status Fleet::give_order(const rollout::Rollout& rollout, const Wish& wish) {
  const std::string& id = wish.device.id;
  TRY(const rollout::Before before, wanted_before(id, rollout.app));
  v1::DesiredApp desired = wish.desired;
  desired.set_app(rollout.app);
  // Orders are for what runs: neither for what is only staged, nor a step back that was taken.
  desired.set_stage_release(0);
  if (rollout.kind != v1::KIND_REVERT) {
    if (desired.fall_back() != 0) desired.set_release(before.release);
    desired.set_fall_back(0);
  }
  // A count of its own would begin again with the row, numbers with an old backup; time goes on.
  if (rollout.kind == v1::KIND_RESTART) {
    const std::int64_t next = std::max({std::int64_t{desired.restart_count()} + 1, rollout.number,
                                        clock_.wall_ms() / 1000});
    desired.set_restart_count(static_cast<std::uint32_t>(next));
  }
  TRY_VOID(fill_order_values(rollout.kind, before, id, desired));
  TRY_VOID(store_.set_desired(id, desired));
  TRY_VOID(apply(rollout.number, id, rollout::LetIn{ota::random_id(), before}));
  return gate(rollout.number, id);
}

Status Fleet::recover() {
  TRY_VOID(remember_ahead());
  TRY(const auto running, store_.running_rollouts());
  TRY(const auto online, store_.rollouts_with_online());
  std::set<std::int64_t> numbers(online.begin(), online.end());
  for (const rollout::Rollout& rollout : running) {
    numbers.insert(rollout.number);
    proto::log_info("rollout.recovered", {{"rollout", rollout.id()}, {"app", rollout.app}});
  }
  if (numbers.empty()) return {};
  const auto work = [&]() -> Status {
    for (const std::int64_t number : numbers) {
      TRY(const auto devices, store_.rollout_devices(number));
      for (const rollout::Device& device : devices) {
        if (!device.row.online() || device.ended) continue;
        TRY_VOID(apply(number, device.id, rollout::Offline{}));
      }
    }
    return {};
  };
  return change(work);
}

Result<rollout::Rollout> Fleet::begin(
    rollout::Rollout plan, std::vector<Wish> wishes,
    const std::function<Status(const rollout::Rollout&)>& also) {
  FLEET_ASSERT(!wishes.empty());
  TRY_VOID(check_ahead(plan, wishes));
  std::sort(wishes.begin(), wishes.end(), [this](const Wish& one, const Wish& other) {
    return proto::comes_before({hears(one.device.id), one.device.name},
                               {hears(other.device.id), other.device.name});
  });
  const auto work = [&]() -> Status {
    TRY(plan.number, store_.next_rollout_number());
    plan.created_ms = clock_.wall_ms();
    plan.strategy = plan.policy.strategy();
    rollout::lay_out(plan, wishes.size(), plan.created_ms);
    const auto waves = proto::plan_waves(plan.policy, wishes.size());
    TRY_VOID(store_.add_rollout(plan));
    if (also) TRY_VOID(also(plan));
    std::uint32_t wave = 1;
    std::uint64_t of_wave = 0;
    for (const Wish& wish : wishes) {
      if (of_wave == waves[wave - 1].devices) {
        ++wave;
        of_wave = 0;
      }
      ++of_wave;
      TRY_VOID(add_device(plan, wish, wave));
    }
    const std::string what = std::string(rollout::word(plan.kind)) + " " + plan.app +
                             (rollout::has_waves(plan.kind)
                                  ? " " + std::to_string(plan.release) + " to "
                                  : std::string(" on ")) +
                             plan.selector;
    TRY_VOID(audit_.record({plan.by, "rollout.started", plan.id(),
                            what + ", devices: " + std::to_string(wishes.size())}));
    return tell_rollout(plan, "rollout.started", plan.by + " began " + plan.id() + ": " + what,
                        nullptr);
  };
  TRY_VOID(change(work));
  proto::log_info("rollout.started", {{"rollout", plan.id()},
                                      {"app", plan.app},
                                      {"release", plan.release},
                                      {"devices", wishes.size()}});
  return stored(plan.number);
}

Result<rollout::Rollout> Fleet::stored(std::int64_t number) {
  TRY(auto found, store_.rollout(number));
  if (found) return *found;
  return Error{proto::Code::not_found,
               "no rollout r-" + std::to_string(number) + "; see: fleetctl rollouts", ""};
}

namespace {

Error ended_already(const rollout::Rollout& rollout, const char* hint) {
  return Error{proto::Code::conflict,
               rollout.id() + " has " + rollout::word(rollout.state) + " already" + hint, ""};
}

}  // namespace

Result<rollout::Rollout> Fleet::abort(std::int64_t number, const std::string& by) {
  TRY(const auto found, stored(number));
  if (found.state == v1::ROLLOUT_ABORTED) return found;
  if (found.state == v1::ROLLOUT_REVERTING) {
    return Error{proto::Code::conflict,
                 found.id() + " is taking its devices back already; wait for its end", ""};
  }
  if (!rollout::is_under_way(found.state)) return ended_already(found, "");
  const auto work = [&]() -> Status {
    const rollout::Rollout ended = rollout::abort(found, by, clock_.wall_ms());
    TRY_VOID(store_.set_rollout(ended));
    TRY_VOID(audit_.record({by, "rollout.aborted", ended.id()}));
    TRY(const auto devices, store_.rollout_devices(number));
    for (const rollout::Device& device : devices) {
      TRY_VOID(apply(number, device.id, rollout::Aborted{by}));
    }
    TRY(const auto after, stored(number));
    return close(after);
  };
  TRY_VOID(change(work));
  return stored(number);
}

Result<rollout::Rollout> Fleet::pause(std::int64_t number, const std::string& by) {
  TRY(const auto found, stored(number));
  if (!rollout::is_under_way(found.state)) return ended_already(found, "");
  if (found.state == v1::ROLLOUT_PAUSED) return found;
  if (!found.halted_why.empty()) {
    return Error{proto::Code::conflict,
                 found.id() + " is stopped already: " + found.halted_why, ""};
  }
  const auto work = [&]() -> Status {
    TRY_VOID(audit_.record({by, "rollout.paused", found.id()}));
    return follow_course(rollout::pause(found, by, clock_.wall_ms()));
  };
  TRY_VOID(change(work));
  return stored(number);
}

Result<rollout::Rollout> Fleet::resume(std::int64_t number, const std::string& by) {
  TRY(const auto found, stored(number));
  if (!rollout::is_under_way(found.state)) {
    return ended_already(found, "; what failed is tried again by: fleetctl rollout retry");
  }
  if (found.state != v1::ROLLOUT_PAUSED) return found;
  const auto work = [&]() -> Status {
    TRY_VOID(audit_.record({by, "rollout.resumed", found.id()}));
    return follow_course(rollout::resume(found, by, clock_.wall_ms()));
  };
  TRY_VOID(change(work));
  return stored(number);
}

// Which of its devices a retry is about. errors not_found (no such device in it)
Result<std::vector<std::string>> Fleet::to_retry(const rollout::Rollout& rollout,
                                                 const std::string& device) {
  TRY(const auto rows, store_.rollout_devices(rollout.number));
  std::vector<std::string> ids;
  bool named = device.empty();
  std::size_t back = 0;
  for (const rollout::Device& row : rows) {
    if (!device.empty() && row.row.device() != device) continue;
    named = true;
    if (!rollout::is_failure(rollout.kind, row.row.state())) continue;
    if (row.row.going_back_to() != 0) {
      ++back;
      continue;
    }
    TRY(const std::int64_t newest, store_.newest_rollout_of(row.id, rollout.app));
    if (newest == rollout.number) ids.push_back(row.id);
  }
  if (!named) {
    return Error{proto::Code::not_found, rollout.id() + " has no device " + device, device};
  }
  if (ids.empty() && back > 0) {
    return Error{proto::Code::conflict,
                 std::to_string(back) + (back == 1 ? " device of " : " devices of ") +
                     rollout.id() + " went back from " + rollout.app + " " +
                     std::to_string(rollout.release) +
                     " and take only a higher release from now on: push again", ""};
  }
  return ids;
}

Result<rollout::Rollout> Fleet::retry(std::int64_t number, const std::string& device,
                                      const std::string& by) {
  TRY(const auto found, stored(number));
  if (!rollout::has_waves(found.kind)) {
    return Error{proto::Code::not_supported,
                 found.id() + " is an order to " + rollout::word(found.kind) +
                     "; give it again", ""};
  }
  if (found.state == v1::ROLLOUT_ABORTED || found.state == v1::ROLLOUT_SUPERSEDED) {
    return ended_already(found, "; push again");
  }
  if (found.state == v1::ROLLOUT_REVERTING) {
    return Error{proto::Code::conflict,
                 found.id() + " is taking its devices back; wait for its end", ""};
  }
  TRY(const std::vector<std::string> ids, to_retry(found, device));
  if (ids.empty()) return found;
  const auto work = [&]() -> Status {
    TRY_VOID(audit_.record({by, "rollout.retried", found.id(),
                            device.empty() ? std::to_string(ids.size()) + " devices" : device}));
    TRY_VOID(follow_course(rollout::reopen(found, by, clock_.wall_ms())));
    for (const std::string& id : ids) TRY_VOID(apply(number, id, rollout::Retried{}));
    TRY_VOID(let_in(number));
    TRY(const auto after, stored(number));
    return follow_course(rollout::settle(after, clock_.wall_ms()));
  };
  TRY_VOID(change(work));
  return stored(number);
}

Status Fleet::tick() {
  const std::int64_t now_ms = clock_.wall_ms();
  TRY_VOID(audit_.tend());
  TRY(const auto due, store_.due(now_ms));
  TRY(const auto running, store_.running_rollouts());
  TRY(const auto waiting, store_.rollouts_with_waiting());
  const bool gates = gates_due(now_ms);
  if (due.empty() && running.empty() && waiting.empty() && !gates) return {};
  const auto work = [&]() -> Status {
    if (gates) TRY_VOID(gate_all());
    for (const auto& [number, device_id] : due) {
      TRY_VOID(apply(number, device_id, rollout::DeadlinePassed{}));
    }
    for (const rollout::Rollout& rollout : running) {
      TRY(const auto fresh, stored(rollout.number));
      const rollout::Course course = rollout::tick(fresh, now_ms);
      if (!course.actions.empty()) TRY_VOID(follow_course(course));
    }
    // A budget may have room again.
    touched_.insert(waiting.begin(), waiting.end());
    return {};
  };
  return change(work);
}

Result<std::uint64_t> Fleet::wanted_release(const std::string& app) {
  TRY(const auto rollouts, store_.rollouts_of(app, v1::ROLLOUT_SUCCEEDED));
  for (const rollout::Rollout& rollout : rollouts) {
    if (rollout::is_release(rollout.kind)) return rollout.release;
  }
  return std::uint64_t{0};
}

}  // namespace controller
