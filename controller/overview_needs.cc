// Tiles, and what needs a person: sorted by harm, the same fault of many devices as one.
#include <algorithm>
#include <set>
#include <utility>

#include "controller/overview.h"

namespace controller {
namespace {

constexpr int kNamesTold = 8;
constexpr int kConsoleLinesTold = 8;

void count(std::string_view state, v1::FleetTile& tile) {
  tile.set_devices(tile.devices() + 1);
  if (state == "offline") tile.set_offline(tile.offline() + 1);
  if (state == "updating") tile.set_updating(tile.updating() + 1);
  if (state == "look") tile.set_look(tile.look() + 1);
  if (state == "bad") tile.set_bad(tile.bad() + 1);
  if (state == "ok") tile.set_ok(tile.ok() + 1);
}

std::vector<std::string> keys_of(const v1::DeviceSummary& device, const std::string& by) {
  std::vector<std::string> keys;
  if (by == "group") {
    keys.assign(device.groups().begin(), device.groups().end());
  } else if (by == "board") {
    if (!device.board().empty()) keys.push_back(device.board());
  } else if (by == "release") {
    for (const v1::AppSummary& app : device.apps()) {
      if (app.release() != 0) keys.push_back(app.app() + " " + std::to_string(app.release()));
    }
  } else if (const auto label = device.labels().find(by); label != device.labels().end()) {
    keys.push_back(label->second);
  }
  if (keys.empty()) keys.emplace_back();
  return keys;
}

void name(v1::FleetNeed& need, const std::string& device) {
  need.set_devices(need.devices() + 1);
  if (need.names_size() < kNamesTold) need.add_names(device);
}

// What one device needs; alike ones are put together by their kind.
struct DeviceNeed {
  std::string kind;
  std::string device;
  std::string text;
  std::uint64_t since_ms = 0;
  std::string app;
  std::uint64_t release = 0;
};

std::string together(const std::string& kind) {
  if (kind == "ahead") return "are ahead of the controller, and left alone until you decide";
  if (kind == "offline") return "offline";
  if (kind == "memory") return "have little free memory";
  if (kind == "app") return "have an app that failed or is held";
  return "run another release than is wanted";
}

}  // namespace

void Overview::add_tiles(const std::string& by, const Groups& groups,
                         v1::FleetOverview& out) const {
  std::map<std::string, v1::FleetTile> tiles;
  std::set<std::string> labels;
  for (const auto& [id, entry] : devices_) {
    if (!is_within(groups, entry.subject)) continue;
    const v1::DeviceSummary& device = entry.summary;
    const std::string_view state = state_now(id, entry);
    for (const std::string& key : keys_of(device, by)) {
      tiles[key].set_key(key);
      count(state, tiles[key]);
    }
    for (const auto& [label, value] : device.labels()) labels.insert(label);
  }
  for (const std::string& label : labels) out.add_groupings(label);
  for (const char* fixed : {"group", "board", "release"}) out.add_groupings(fixed);
  std::vector<v1::FleetTile> sorted;
  for (auto& [key, tile] : tiles) sorted.push_back(std::move(tile));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.devices() > b.devices(); });
  for (v1::FleetTile& tile : sorted) *out.add_tiles() = std::move(tile);
}

void Overview::add_faults(v1::FleetOverview& out) const {
  std::map<std::pair<std::string, std::string>, v1::FleetNeed> faults;
  for (const Fault& fault : faults_) {
    const v1::Reason& why = fault.row.why();
    const std::string& key = why.fingerprint().empty() ? why.text() : why.fingerprint();
    v1::FleetNeed& need = faults[{fault.rollout, key}];
    name(need, fault.row.device());
    if (need.devices() > 1) continue;
    need.set_level(fault.row.state() == v1::HELD ? "look" : "bad");
    need.set_kind("fault");
    need.set_text(why.text().empty() ? fault.row.detail() : why.text());
    need.set_app(fault.app);
    if (fault.is_release) need.set_release(fault.release);
    need.set_rollout(fault.rollout);
    need.set_fingerprint(why.fingerprint());
    need.set_since_ms(fault.row.ended_ms());
    need.set_state(fault.row.state());
    need.set_live_release(fault.row.live_release());
    const int lines = why.console_tail_size();
    for (int i = std::max(0, lines - kConsoleLinesTold); i < lines; ++i) {
      need.add_console_tail(why.console_tail(i));
    }
  }
  std::vector<v1::FleetNeed> sorted;
  for (auto& [key, need] : faults) sorted.push_back(std::move(need));
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return std::pair(b.level() == "bad", b.devices()) < std::pair(a.level() == "bad", a.devices());
  });
  for (v1::FleetNeed& need : sorted) *out.add_needs() = std::move(need);
}

void Overview::add_device_needs(const Groups& groups, v1::FleetOverview& out) const {
  std::map<std::string, std::vector<DeviceNeed>> needs;  // by kind
  const auto add = [&needs](DeviceNeed need) { needs[need.kind].push_back(std::move(need)); };
  for (const auto& [id, entry] : devices_) {
    if (!is_within(groups, entry.subject)) continue;
    const v1::DeviceSummary& device = entry.summary;
    const std::string_view state = state_now(id, entry);
    if (entry.ahead_ms != 0) {
      add({"ahead", device.name(),
           "is ahead of the controller, and left alone until you decide: fleetctl device accept " +
               device.name(), entry.ahead_ms, "", 0});
      continue;
    }
    if (state == "offline") {
      add({"offline", device.name(), "offline", device.seen_ms(), "", 0});
      continue;
    }
    if (device.memory_free_bytes() > 0 && device.memory_free_bytes() < kLowMemoryBytes) {
      const std::uint64_t free_mib = device.memory_free_bytes() / proto::kMiB;
      add({"memory", device.name(), std::to_string(free_mib) + " MiB free", 0, "", 0});
    }
    if (state == "updating" || fault_of_.count(device.name()) == 1) continue;
    for (const v1::AppSummary& app : device.apps()) {
      if (app.state() == v1::FAILED || app.state() == v1::HELD) {
        const std::string word = rollout::word(app.state());
        add({"app", device.name(), app.app() + " " + word, 0, app.app(), app.release()});
      } else if (app.wanted() != 0 && app.release() != 0) {
        add({"behind", device.name(),
             "runs " + app.app() + " " + std::to_string(app.release()) + ", " +
                 std::to_string(app.wanted()) + " is wanted", 0, app.app(), app.release()});
      }
    }
  }
  for (const char* kind : {"ahead", "app", "offline", "memory", "behind"}) {
    const auto& found = needs[kind];
    v1::FleetNeed* need = nullptr;
    for (const DeviceNeed& one : found) {
      if (need == nullptr || found.size() <= kNeedsOneByOne) {
        need = out.add_needs();
        need->set_level(one.kind == "app" ? "bad" : "look");
        need->set_kind(one.kind);
        need->set_text(found.size() <= kNeedsOneByOne ? one.text : together(one.kind));
        need->set_app(one.app);
        need->set_release(one.release);
        need->set_since_ms(one.since_ms);
      }
      name(*need, one.device);
    }
  }
}

}  // namespace controller
