// GET /v1/devices/{name}/why: gathers what controller/why judges.
#include <algorithm>
#include <set>

#include "controller/api_routes.h"
#include "controller/values.h"
#include "controller/why.h"
#include "fleet/v1/api.pb.h"
#include "proto/units.h"

namespace controller {
namespace {

constexpr std::int64_t kRolloutsLookedAt = 200;

// The newest release of the app that was pushed to this device.
Status find_rollout(Parts& parts, const std::string& device_id, WhyFacts& facts) {
  TRY(const auto rollouts, parts.store.rollouts(kRolloutsLookedAt));
  for (const rollout::Rollout& rollout : rollouts) {
    if (rollout.app != facts.app) continue;
    TRY(const auto row, parts.store.rollout_device(rollout.number, device_id));
    if (!row) continue;
    // Values that are there leave open what a push before them came to.
    if (rollout.kind == v1::KIND_CONFIG && row->row.state() == v1::HEALTHY) continue;
    facts.rollout = rollout;
    facts.row = row->row;
    return {};
  }
  return {};
}

// Also in one that is over, if it ended well or another took its place for others: who was offline
// still joins.
bool waits_for_turn(const rollout::Rollout& rollout, const v1::RolloutDevice& row) {
  const bool called_off =
      rollout.state == v1::ROLLOUT_FAILED || rollout.state == v1::ROLLOUT_ABORTED;
  return rollout::has_waves(rollout.kind) && !row.let_in() && row.state() == v1::WAITING &&
         !called_off;
}

// Why its turn has not come yet; "" if it only has to be online.
std::string turn_of(const rollout::Rollout& rollout, const v1::RolloutDevice& row) {
  if (!rollout.halted_why.empty()) {
    return rollout.id() + " lets nobody in any more: " + rollout.halted_why;
  }
  if (rollout.state == v1::ROLLOUT_PAUSED) {
    return rollout.id() + " is paused" +
           (rollout.paused_by.empty() ? "" : " by " + rollout.paused_by) +
           (rollout.paused_why.empty() ? "" : ": " + rollout.paused_why);
  }
  if (row.wave() > rollout.wave) {
    return "wave " + std::to_string(row.wave()) + " of " + std::to_string(rollout.waves.size()) +
           " of " + rollout.id() + " has not begun; wave " + std::to_string(rollout.wave) +
           (rollout.soak_until_ms != 0 ? " soaks" : " is under way");
  }
  if (row.online() && rollout.policy.has_max_unavailable()) {
    return rollout.id() + " has at most " +
           std::to_string(rollout.policy.max_unavailable().count()) + " under way for each " +
           rollout.policy.max_unavailable().by();
  }
  return "";
}

Result<WhyFacts> facts_of(Parts& parts, const DeviceRow& device, const std::string& app) {
  WhyFacts facts;
  facts.device = device.name;
  facts.app = app;
  facts.online = parts.fleet.is_online(device.id);
  facts.seen_ms = device.seen_ms;
  facts.now_ms = parts.clock.wall_ms();
  facts.certificate_over = device.certificate_until_ms < facts.now_ms;
  facts.ahead = device.ahead_text;
  facts.inventory = device.facts.inventory();
  for (const v1::AppStatus& status : device.facts.apps()) {
    if (status.app() == app) {
      facts.status = status;
    } else if (status.instance().memory_bytes() > 0) {
      facts.other_memory.push_back(
          status.app() + " " + std::to_string(status.live_release()) + " uses " +
          proto::format_size_bytes(status.instance().memory_bytes()));
    }
  }
  TRY(facts.wish, parts.store.desired_app(device.id, app));
  TRY_VOID(find_rollout(parts, device.id, facts));
  facts.waits_for_turn = facts.rollout && waits_for_turn(*facts.rollout, *facts.row);
  if (facts.waits_for_turn) facts.wave = turn_of(*facts.rollout, *facts.row);
  std::uint64_t release = facts.wish ? facts.wish->release() : 0;
  if (facts.rollout && rollout::is_release(facts.rollout->kind)) {
    release = facts.rollout->release;
  }
  if (release == 0) return facts;
  TRY(const auto row, parts.store.release(app, static_cast<std::int64_t>(release)));
  if (!row) return facts;
  facts.manifest = row->manifest;
  TRY(facts.yanked, is_yanked(parts.store, app, release));
  TRY(const Subject subject, parts.store.subject(device.id));
  TRY(const auto set, parts.store.config(device.id, app));
  const Vars vars(row->manifest.vars().begin(), row->manifest.vars().end());
  for (v1::ConfigValue& value : show_values(vars, subject, set)) {
    if (vars.count(value.name()) == 1 && !value.problem().empty()) {
      facts.values.push_back(std::move(value));
    }
  }
  TRY(facts.gate, judge_windows(row->manifest.update(), subject, facts.now_ms));
  return facts;
}

Result<v1::Why> why_of(Call& call) {
  TRY(const DeviceRow device, device_named(call.parts, call.words[0]));
  v1::Why out;
  out.set_device(device.name);
  const std::int64_t ago_ms =
      std::max<std::int64_t>(call.parts.clock.wall_ms() - device.seen_ms, 0);
  out.set_seen(call.parts.fleet.is_online(device.id) ? "online"
               : device.seen_ms == 0
                   ? "never connected"
                   : "offline for " +
                         proto::format_elapsed_ms(static_cast<std::uint64_t>(ago_ms)));
  std::set<std::string> apps;
  const std::string asked = call.request.parameter("app");
  if (!asked.empty()) {
    apps.insert(asked);
  } else {
    for (const v1::AppStatus& status : device.facts.apps()) apps.insert(status.app());
    TRY(const auto desired, call.parts.store.desired(device.id));
    for (const v1::DesiredApp& wish : desired) apps.insert(wish.app());
    // A first push that failed leaves neither a wish nor an app, but its row.
    TRY(const auto known, call.parts.store.apps());
    for (const std::string& app : known) {
      WhyFacts facts;
      facts.app = app;
      TRY_VOID(find_rollout(call.parts, device.id, facts));
      if (facts.row) apps.insert(app);
    }
  }
  for (const std::string& app : apps) {
    TRY(const WhyFacts facts, facts_of(call.parts, device, app));
    *out.add_apps() = why(facts);
  }
  return out;
}

}  // namespace

awaitable<Response> show_why(Call call) {
  const auto out = why_of(call);
  if (!out) co_return error_response(out.error());
  co_return answer(*out);
}

}  // namespace controller
