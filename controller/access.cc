#include "controller/access.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace controller {
namespace {

using proto::Code;

constexpr std::size_t kNamed = 5;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Error not_yours(const Caller& caller, const std::string& what) {
  return {Code::forbidden,
          what + "; your token " + caller.name + " is for " + joined(caller.groups) + " alone", ""};
}

// The number of "r-7"; 0: it is none, and the handler says so.
std::int64_t rollout_number(const std::string& id) {
  std::int64_t number = 0;
  if (id.size() < 3 || id.rfind("r-", 0) != 0) return 0;
  const char* const end = id.data() + id.size();
  const auto [after, error] = std::from_chars(id.data() + 2, end, number);
  return error == std::errc() && after == end ? std::max<std::int64_t>(number, 0) : 0;
}

Status check_device(Parts& parts, const Caller& caller, const std::string& name) {
  TRY(const auto row, parts.store.device_by_name(name));
  if (row && !row->revoked) {
    TRY(const Subject subject, parts.store.subject(row->id));
    if (is_within(caller.groups, subject)) return {};
  }
  return Error{Code::not_found, "no device " + name + "; see: fleetctl devices", name};
}

Status check_rollout(Parts& parts, const Caller& caller, const std::string& id, bool changes) {
  const std::int64_t number = rollout_number(id);
  if (number == 0) return {};  // the handler says what an id looks like
  TRY(const RolloutReach reach, parts.store.rollout_reach(number, caller.groups));
  if (reach.own == 0) {
    return Error{Code::not_found, "no rollout " + id + "; see: fleetctl rollouts", id};
  }
  if (changes && reach.own < reach.devices) {
    return not_yours(caller, id + " also reaches " + std::to_string(reach.devices - reach.own) +
                                 " of others' devices");
  }
  return {};
}

void count(v1::RolloutCounts& counts, const v1::RolloutDevice& row) {
  counts.set_devices(counts.devices() + 1);
  if (!row.online()) counts.set_offline(counts.offline() + 1);
  switch (row.state()) {
    case v1::WAITING: counts.set_waiting(counts.waiting() + 1); break;
    case v1::HEALTHY:
    case v1::STOPPED:
    case v1::REMOVED: counts.set_healthy(counts.healthy() + 1); break;
    case v1::REVERTED: counts.set_reverted(counts.reverted() + 1); break;
    case v1::FAILED: counts.set_failed(counts.failed() + 1); break;
    case v1::HELD: counts.set_held(counts.held() + 1); break;
    case v1::SUPERSEDED: counts.set_superseded(counts.superseded() + 1); break;
    default: counts.set_busy(counts.busy() + 1); break;
  }
}

}  // namespace

Status check_reach(Parts& parts, const Caller& caller, Reach reach,
                   const std::vector<std::string>& words) {
  if (caller.groups.empty()) return {};
  switch (reach) {
    case Reach::narrowed: return {};
    case Reach::device: return check_device(parts, caller, words.at(0));
    case Reach::rollout: return check_rollout(parts, caller, words.at(0), false);
    case Reach::whole_rollout: return check_rollout(parts, caller, words.at(0), true);
    case Reach::fleet: break;
  }
  return Error{Code::forbidden,
               "this concerns the whole fleet; your token " + caller.name + " is for " +
                   joined(caller.groups) + " alone: ask an admin for one without groups", ""};
}

Result<std::vector<Subject>> visible_devices(Parts& parts, const Caller& caller) {
  TRY(auto subjects, parts.store.subjects());
  std::erase_if(subjects,
                [&caller](const Subject& subject) { return !is_within(caller.groups, subject); });
  return subjects;
}

Result<std::vector<Subject>> selected_devices(Parts& parts, const Caller& caller,
                                              const std::string& text) {
  TRY(const Selector selector, parse_selector(text));
  TRY(const auto subjects, visible_devices(parts, caller));
  std::vector<Subject> out;
  for (const Subject& subject : subjects) {
    if (selector.matches(subject)) out.push_back(subject);
  }
  if (!out.empty()) return out;
  const Suggestion near = suggest(selector, text, subjects);
  return Error{Code::not_found,
               text + " matches none of " + std::to_string(subjects.size()) + " devices" +
                   (near.message.empty() ? "" : "; " + near.message), "selector"};
}

Status check_group(const Caller& caller, const std::string& group) {
  const auto& groups = caller.groups;
  if (groups.empty() || std::find(groups.begin(), groups.end(), group) != groups.end()) return {};
  return not_yours(caller, group.empty() ? std::string("a device needs a group")
                                         : "group " + group + " is another's");
}

Status check_app_role(Parts& parts, const Caller& caller, const std::string& role) {
  if (caller.groups.empty()) return {};
  const std::string app = role.substr(std::min(role.find('.') + 1, role.size()));
  TRY(const auto own, visible_devices(parts, caller));
  std::set<std::string> own_ids;
  for (const Subject& subject : own) own_ids.insert(subject.id);
  std::vector<std::string> others;
  TRY(const auto devices, parts.store.devices());
  for (const DeviceRow& device : devices) {
    if (own_ids.count(device.id) == 1) continue;
    TRY(const auto wish, parts.store.desired_app(device.id, app));
    const auto& apps = device.facts.apps();
    const bool has = wish || std::any_of(apps.begin(), apps.end(), [&app](const auto& status) {
                       return status.app() == app;
                     });
    if (has && others.size() < kNamed) others.push_back(device.name);
  }
  if (others.empty()) return {};
  return not_yours(caller, "app " + app + " is also on " + joined(others));
}

Status narrow(Parts& parts, const Caller& caller, v1::Rollout& rollout) {
  if (caller.groups.empty()) return {};
  TRY(const RolloutReach reach,
      parts.store.rollout_reach(rollout_number(rollout.id()), caller.groups));
  if (reach.own == reach.devices) return {};
  // Its sentence and its counts tell of devices that are not there for this token.
  const bool listed = rollout.devices_size() > 0;
  rollout.clear_verdict();
  rollout.clear_paused_why();
  rollout.clear_halted_why();
  rollout.clear_faults();
  rollout.clear_waves();
  rollout.clear_counts();
  rollout.mutable_counts()->set_devices(static_cast<std::uint32_t>(reach.own));
  if (!listed) return {};
  TRY(const auto own, visible_devices(parts, caller));
  std::set<std::string> names;
  for (const Subject& subject : own) names.insert(subject.name);
  google::protobuf::RepeatedPtrField<v1::RolloutDevice> kept;
  rollout.mutable_counts()->clear_devices();
  for (v1::RolloutDevice& row : *rollout.mutable_devices()) {
    if (names.count(row.device()) == 0) continue;
    count(*rollout.mutable_counts(), row);
    kept.Add(std::move(row));
  }
  rollout.mutable_devices()->Swap(&kept);
  return {};
}

Result<bool> narrow(Parts& parts, const Caller& caller, v1::Event& event) {
  if (caller.groups.empty()) return true;
  if (!event.device().empty()) {
    const Status seen = check_device(parts, caller, event.device());
    if (!seen && seen.error().code != Code::not_found) return seen.error();
    if (!seen) return false;
  }
  if (event.has_rollout()) {
    TRY(const RolloutReach reach,
        parts.store.rollout_reach(rollout_number(event.rollout().id()), caller.groups));
    if (reach.own == reach.devices) return true;
    if (event.device().empty()) return false;
    event.clear_rollout();
    return true;
  }
  // What tells of neither a device nor an app is the whole fleet's.
  return !event.device().empty() || !event.app().empty();
}

}  // namespace controller
