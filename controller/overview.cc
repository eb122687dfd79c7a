#include "controller/overview.h"

#include <algorithm>
#include <set>
#include <utility>

namespace controller {
namespace {

constexpr std::int64_t kRolloutsLookedAt = 100;

bool is_working(v1::DeviceState state) {
  return state == v1::OFFERED || state == v1::FETCHING || state == v1::STAGED ||
         state == v1::TRIAL;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_found(const v1::DeviceSummary& device, const std::string& search) {
  if (search.empty() || contains(device.name(), search)) return true;
  for (const std::string& group : device.groups()) {
    if (contains(group, search)) return true;
  }
  for (const auto& [name, value] : device.labels()) {
    if (contains(name + "=" + value, search)) return true;
  }
  return std::any_of(device.apps().begin(), device.apps().end(),
                     [&](const v1::AppSummary& app) { return contains(app.app(), search); });
}

bool is_asked(const v1::DeviceSummary& device, const std::vector<std::string>& states) {
  if (states.empty()) return true;
  return std::any_of(states.begin(), states.end(), [&](const std::string& state) {
    return state == device.state() || (state == "online" && device.state() != "offline");
  });
}

}  // namespace

Overview::Entry Overview::summarise(const DeviceRow& row, Subject subject,
                                    const std::vector<v1::DesiredApp>& desired) {
  Entry entry;
  v1::DeviceSummary& out = entry.summary;
  out.set_name(row.name);
  out.set_state("ok");
  out.set_seen_ms(static_cast<std::uint64_t>(row.seen_ms));
  for (const std::string& group : subject.groups) out.add_groups(group);
  for (const auto& [name, value] : subject.labels) (*out.mutable_labels())[name] = value;
  const v1::Inventory& inventory = row.facts.inventory();
  out.set_board(inventory.board());
  out.set_memory_free_bytes(inventory.memory_free_bytes());
  out.set_agent_version(row.agent_version);
  const auto usable = std::find_if(inventory.monitors().begin(), inventory.monitors().end(),
                                   [](const auto& monitor) { return monitor.usable(); });
  if (usable != inventory.monitors().end()) out.set_monitor(usable->name());
  for (const v1::AppStatus& app : row.facts.apps()) {
    if (app.state() == v1::REMOVED) continue;
    v1::AppSummary& one = *out.add_apps();
    one.set_app(app.app());
    one.set_release(app.live_release());
    one.set_state(app.stopped() ? v1::STOPPED : app.state());
    if (app.instance().monitor() != "") out.set_monitor(app.instance().monitor());
    const auto wish = std::find_if(desired.begin(), desired.end(),
                                   [&](const auto& each) { return each.app() == app.app(); });
    if (wish != desired.end() && wish->run() == v1::RUN && wish->release() != app.live_release()) {
      one.set_wanted(wish->release());
    }
    if (is_working(app.state())) {
      out.set_state("updating");
    } else if (app.state() == v1::FAILED || app.state() == v1::HELD) {
      out.set_state(app.state() == v1::FAILED ? "bad" : "look");
      out.set_note(app.app() + " " + rollout::word(app.state()));
    }
  }
  const bool low = out.memory_free_bytes() > 0 && out.memory_free_bytes() < kLowMemoryBytes;
  if (low && out.state() == "ok") {
    out.set_state("look");
    out.set_note("little memory");
  }
  if (row.ahead_ms != 0) {
    out.set_state("look");
    out.set_note("ahead of the controller");
    entry.ahead_ms = static_cast<std::uint64_t>(row.ahead_ms);
  }
  entry.certificate_until_ms = static_cast<std::uint64_t>(row.certificate_until_ms);
  entry.takes_nothing_new = inventory.metadata().has_why();
  entry.subject = std::move(subject);
  return entry;
}

Status Overview::refresh() {
  const auto changed = store_.take_changed_devices();
  if (!changed) {
    devices_.clear();
    TRY(const auto rows, store_.devices());
    TRY(const auto subjects, store_.subjects());
    TRY(auto desired, store_.all_desired());
    std::map<std::string, Subject> by_id;
    for (const Subject& subject : subjects) by_id[subject.id] = subject;
    TRY(const auto strange, store_.audit_strangers());
    const std::set<std::string> strangers(strange.begin(), strange.end());
    for (const DeviceRow& row : rows) {
      Entry& entry = devices_[row.id];
      entry = summarise(row, std::move(by_id[row.id]), desired[row.id]);
      entry.audit_strange = strangers.count(row.name) == 1;
    }
    return {};
  }
  for (const std::string& id : *changed) {
    TRY(const auto row, store_.device(id));
    if (!row || row->revoked) {
      devices_.erase(id);
      continue;
    }
    TRY(Subject subject, store_.subject(id));
    TRY(const auto desired, store_.desired(id));
    Entry& entry = devices_[id];
    entry = summarise(*row, std::move(subject), desired);
    TRY(entry.audit_strange, store_.is_audit_stranger(id));
  }
  return {};
}

// Only the newest rollout of an app tells how the app is; what a newer one mended is over.
Status Overview::refresh_faults(const std::vector<rollout::Rollout>& rollouts,
                                const Groups& groups) {
  faults_.clear();
  fault_of_.clear();
  std::set<std::string> seen;
  for (const rollout::Rollout& one : rollouts) {
    if (one.state == v1::ROLLOUT_SUPERSEDED || !seen.insert(one.app).second) continue;
    const v1::RolloutCounts& counts = one.counts;
    if (counts.reverted() + counts.failed() + counts.held() == 0) continue;
    TRY(auto rows, store_.bad_rollout_devices(one.number));
    for (rollout::Device& device : rows) {
      const auto entry = devices_.find(device.id);
      if (entry == devices_.end()) continue;  // removed meanwhile
      if (!is_within(groups, entry->second.subject)) continue;
      device.row.set_device(entry->second.summary.name());
      faults_.push_back({one.id(), one.app, one.release, rollout::is_release(one.kind),
                         std::move(device.row)});
    }
  }
  for (const Fault& fault : faults_) fault_of_[fault.row.device()] = &fault;
  return {};
}

std::string_view Overview::state_now(const std::string& id, const Entry& entry) const {
  if (!fleet_.is_online(id)) return "offline";
  const auto fault = fault_of_.find(entry.summary.name());
  if (entry.ahead_ms != 0) return entry.summary.state();
  if (fault == fault_of_.end() || entry.summary.state() == "updating") return entry.summary.state();
  return fault->second->row.state() == v1::HELD ? "look" : "bad";
}

v1::DeviceSummary Overview::now(const std::string& id, const Entry& entry) const {
  v1::DeviceSummary out = entry.summary;
  const auto found = fault_of_.find(out.name());
  if (found != fault_of_.end() && entry.ahead_ms == 0) {
    const Fault& fault = *found->second;
    out.set_note(fault.app + (fault.is_release ? " " + std::to_string(fault.release) : "") + " " +
                 rollout::word(fault.row.state()) +
                 (fault.row.why().text().empty() ? "" : ": " + fault.row.why().text()));
  }
  out.set_state(std::string(state_now(id, entry)));
  return out;
}

Result<v1::FleetOverview> Overview::look(const std::string& by, const Groups& groups) {
  TRY_VOID(refresh());
  TRY(const auto rollouts, store_.rollouts(kRolloutsLookedAt));
  TRY_VOID(refresh_faults(rollouts, groups));
  v1::FleetOverview out;
  out.set_by(by.empty() ? "group" : by);
  if (by.empty()) {
    const bool has_site =
        std::any_of(devices_.begin(), devices_.end(), [&groups](const auto& device) {
          const Subject& subject = device.second.subject;
          return subject.labels.count("site") == 1 && is_within(groups, subject);
        });
    if (has_site) out.set_by("site");
  }
  for (const auto& [id, entry] : devices_) {
    if (!is_within(groups, entry.subject)) continue;
    out.set_devices(out.devices() + 1);
    const std::string_view state = state_now(id, entry);
    if (state == "offline") {
      out.set_offline(out.offline() + 1);
    } else {
      out.set_online(out.online() + 1);
    }
    if (state == "updating") out.set_updating(out.updating() + 1);
    if (fault_of_.count(entry.summary.name()) == 1 || state == "bad") out.set_bad(out.bad() + 1);
  }
  if (!rollouts.empty()) *out.mutable_last() = to_api(rollouts.front());
  TRY(const auto running, store_.running_rollouts());
  for (const rollout::Rollout& one : running) *out.add_running() = to_api(one);
  TRY(auto expiries, metadata_.expiries());
  add_tiles(out.by(), groups, out);
  add_faults(out);
  add_device_needs(groups, out);
  for (v1::RoleExpiry& role : expiries) *out.add_expiries() = std::move(role);
  *out.mutable_certificates() = certificates(groups);
  return out;
}

Result<v1::DeviceSummaryList> Overview::list(const SummaryQuestion& question) {
  const std::string text = question.selector.empty() ? "all" : question.selector;
  TRY(const Selector selector, parse_selector(text));
  TRY_VOID(refresh());
  TRY(const auto rollouts, store_.rollouts(kRolloutsLookedAt));
  TRY_VOID(refresh_faults(rollouts, question.groups));
  v1::DeviceSummaryList out;
  std::map<std::string, v1::DeviceSummary> by_name;
  bool matched = false;
  for (const auto& [id, entry] : devices_) {
    if (!is_within(question.groups, entry.subject)) continue;
    out.set_fleet_size(out.fleet_size() + 1);
    if (!selector.matches(entry.subject)) continue;
    matched = true;
    v1::DeviceSummary device = now(id, entry);
    if (!is_asked(device, question.states) || !is_found(device, question.search)) continue;
    by_name[device.name()] = std::move(device);
  }
  out.set_matched(static_cast<std::uint32_t>(by_name.size()));
  for (auto& [name, device] : by_name) {
    if (static_cast<std::size_t>(out.devices_size()) >= question.limit) break;
    *out.add_devices() = std::move(device);
  }
  if (!matched && out.fleet_size() > 0) {
    std::vector<Subject> fleet;
    for (const auto& [id, entry] : devices_) {
      if (is_within(question.groups, entry.subject)) fleet.push_back(entry.subject);
    }
    const Suggestion suggestion = suggest(selector, text, fleet);
    for (const std::string& word : suggestion.nearest) out.add_nearest(word);
    for (const std::string& word : suggestion.known) out.add_known_values(word);
  }
  return out;
}

}  // namespace controller
