#include <algorithm>
#include <map>

#include "deploy/fleetctl/config.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "ota/json.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::AppStatus;
using fleet::v1::Device;
using fleet::v1::DeviceList;

std::string since(std::uint64_t then_ms, std::uint64_t now_ms) {
  return then_ms == 0 ? "-" : age_text(now_ms > then_ms ? now_ms - then_ms : 0);
}

std::string labels_of(const Device& device) {
  const std::map<std::string, std::string> sorted(device.labels().begin(), device.labels().end());
  std::vector<std::string> parts;
  for (const auto& [key, value] : sorted) parts.push_back(visible(key + "=" + value));
  return parts.empty() ? "-" : join(parts, ",");
}

// "qemu/tcg", the first that the probe found usable.
std::string monitor_of(const Device& device) {
  for (const auto& monitor : device.inventory().monitors()) {
    if (monitor.usable()) return visible(monitor.name());
  }
  return "-";
}

std::string state_of(const AppStatus& app) {
  if (app.stopped()) return "stopped";
  if (app.state() != fleet::v1::DEVICE_STATE_UNSPECIFIED) return proto::word_of(app.state());
  return app.live_release() != 0 ? "healthy" : "waiting";
}

bool is_yanked(const AppStatus& app) {
  return app.live_slot() == "A" ? app.a().yanked() : app.live_slot() == "B" && app.b().yanked();
}

// "3", "3 yanked", "-"
std::string release_of(const AppStatus& app) {
  if (app.live_release() == 0) return "-";
  return std::to_string(app.live_release()) + (is_yanked(app) ? " yanked" : "");
}

bool runs_well(const AppStatus& app) {
  return app.live_release() != 0 && !app.stopped() && app.instance().healthy();
}

std::string apps_of(const Device& device) {
  const auto good = std::count_if(device.apps().begin(), device.apps().end(), runs_well);
  return std::to_string(good) + "/" + std::to_string(device.apps_size());
}

const char* state_of(const Device& device) {
  return device.revoked() ? "revoked" : device.online() ? "online" : "offline";
}

std::string no_device_text(const DeviceList& list) {
  return list.fleet_size() == 0
             ? "No device yet. Make one known:\n"
               "  here           fleetctl enroll-token --group edge -o edge-1.boot\n"
               "  on the device  sudo fleet-agent enroll --bootstrap edge-1.boot\n"
               "                 sudo systemctl enable --now fleet-launcher fleet-agent"
             : "No device matches, of " + count_text(list.fleet_size(), "device") +
                   ". See what there is:  fleetctl devices --labels";
}

const char* spare_state(const fleet::v1::InstanceStatus& spare) {
  return spare.healthy() ? "ready" : "booting";
}

ota::Json instance_json(const Device& device, const AppStatus& app) {
  ota::Json json = ota::Json::object();
  const auto number = [](std::uint64_t value) {
    return ota::Json(static_cast<std::int64_t>(value));
  };
  json.set("device", device.name());
  json.set("app", app.app());
  json.set("release", number(app.live_release()));
  json.set("yanked", is_yanked(app));
  json.set("slot", app.live_slot());
  json.set("state", state_of(app));
  json.set("online", device.online());
  json.set("healthy", app.instance().healthy());
  json.set("instance", app.instance().id());
  json.set("address", app.instance().address());
  json.set("monitor", app.instance().monitor());
  json.set("up_ms", number(app.instance().up_ms()));
  json.set("memory_bytes", number(app.instance().memory_bytes()));
  json.set("memory_limit_bytes", number(app.instance().memory_limit_bytes()));
  json.set("cpu_permille", number(app.instance().cpu_permille()));
  json.set("restarts", number(app.instance().restarts()));
  if (app.has_spare()) {
    const auto& spare = app.spare();
    json.set("spare", ota::Json::object({{"instance", spare.id()},
                                         {"state", spare_state(spare)},
                                         {"address", spare.address()},
                                         {"memory_bytes", number(spare.memory_bytes())}}));
  }
  json.set("took_over", app.instance().took_over());
  ota::Json ports = ota::Json::array();
  for (const std::string& port : app.ports()) ports.push_back(port);
  json.set("ports", ports);
  return json;
}

std::string percent_of(std::uint32_t permille) {
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + "%";
}

std::vector<std::string> instance_cells(const Device& device, const AppStatus& app,
                                        std::uint64_t now_ms) {
  const auto& instance = app.instance();
  std::vector<std::string> cells = {
      visible(device.name()), visible(app.app()),
      release_of(app), app.live_slot().empty() ? "-" : visible(app.live_slot())};
  const std::string monitor = instance.monitor().empty() ? "-" : visible(instance.monitor());
  if (!device.online()) {
    cells.insert(cells.end(), {"unknown", "-", "-", "-", "-", monitor,
                               "(last report " + since(device.seen_ms(), now_ms) + " ago: " +
                                   state_of(app) + ")"});
    return cells;
  }
  const bool runs = !instance.id().empty() && !app.stopped();
  std::vector<std::string> ports;
  for (const std::string& port : app.ports()) ports.push_back(visible(port));
  cells.push_back(state_of(app));
  cells.push_back(runs ? age_text(instance.up_ms()) : "-");
  cells.push_back(runs && instance.memory_bytes() != 0
                      ? size_of_text(instance.memory_bytes(), instance.memory_limit_bytes()) : "-");
  cells.push_back(runs ? percent_of(instance.cpu_permille()) : "-");
  cells.push_back(std::to_string(instance.restarts()));
  cells.push_back(runs ? monitor : "-");
  cells.push_back(ports.empty() ? "-" : join(ports, ","));
  return cells;
}

// "root 2; fresh for 21h", or why the device takes nothing new.
std::string trust_text(const fleet::v1::Inventory& inventory, std::uint64_t now_ms) {
  const fleet::v1::MetadataStatus& held = inventory.metadata();
  std::string text = "root " + std::to_string(held.root_version());
  if (held.fresh_until_ms() > now_ms) {
    text += "; fresh for " + age_text(held.fresh_until_ms() - now_ms);
  } else if (held.fresh_until_ms() != 0) {
    text += "; what it holds expired " + since(held.fresh_until_ms(), now_ms) + " ago";
  }
  if (held.has_why()) text += "; the last look brought nothing: " + visible(held.why().text());
  return text;
}

// Instance, address and the spare: "k3... ready 10.213.77.5 3.1 MiB".
std::vector<std::string> wide_cells(const Device& device, const AppStatus& app) {
  if (!device.online()) return {"-", "-", "-"};
  const auto& instance = app.instance();
  const auto& spare = app.spare();
  return {instance.id().empty() ? "-" : visible(instance.id()),
          instance.address().empty() ? "-" : visible(instance.address()),
          app.has_spare() ? visible(spare.id()) + " " + spare_state(spare) + " " +
                                visible(spare.address()) + " " +
                                proto::format_size_bytes(spare.memory_bytes())
                          : "-"};
}

}  // namespace

std::vector<std::string> devices_table(const DeviceList& list, std::uint64_t now_ms) {
  if (list.devices_size() == 0) return split(no_device_text(list), '\n');
  Table table({"NAME", "STATE", "GROUP", "BOARD", "MONITOR", "APPS", "MEM FREE", "SEEN", "LABELS"});
  std::size_t online = 0;
  std::size_t revoked = 0;
  std::size_t ahead = 0;
  for (const Device& device : list.devices()) {
    std::vector<std::string> groups;
    for (const std::string& group : device.groups()) groups.push_back(visible(group));
    if (device.online()) ++online;
    if (device.revoked()) ++revoked;
    const auto& inventory = device.inventory();
    table.add({visible(device.name()), state_of(device), groups.empty() ? "-" : join(groups, ","),
               inventory.board().empty() ? "-" : visible(inventory.board()), monitor_of(device),
               apps_of(device),
               device.online() && inventory.memory_free_bytes() != 0
                   ? proto::format_size_bytes(inventory.memory_free_bytes()) : "-",
               since(device.seen_ms(), now_ms),
               labels_of(device) + (device.has_ahead() ? "  ! ahead" : "")});
    if (device.has_ahead()) ++ahead;
  }
  std::vector<std::string> lines = table.lines();
  const auto all = static_cast<std::size_t>(list.devices_size());
  lines.push_back(count_text(all, "device") + ": " + std::to_string(online) + " online, " +
                  std::to_string(all - online - revoked) + " offline" +
                  (revoked > 0 ? ", " + std::to_string(revoked) + " revoked" : ""));
  if (ahead > 0) {
    lines.push_back(count_text(ahead, "device") + " ahead of the controller, left alone until you "
                    "decide:  fleetctl status");
  }
  return lines;
}

std::vector<std::string> labels_table(const DeviceList& list) {
  std::map<std::pair<std::string, std::string>, std::size_t> counts;
  for (const Device& device : list.devices()) {
    for (const std::string& group : device.groups()) ++counts[{"(group)", group}];
    for (const auto& [key, value] : device.labels()) ++counts[{key, value}];
  }
  if (counts.empty()) {
    return {"No device has a label or a group.",
            "  give one:  fleetctl device label NAME site=lyon"};
  }
  Table table({"LABEL", "VALUE", "DEVICES", "SELECTOR"});
  for (const auto& [pair, count] : counts) {
    const auto& [key, value] = pair;
    table.add({visible(key), visible(value), std::to_string(count),
               visible(key == "(group)" ? value : key + "=" + value)});
  }
  return table.lines();
}

std::vector<std::string> instances_table(const DeviceList& list, std::uint64_t now_ms, bool wide) {
  if (list.devices_size() == 0) return split(no_device_text(list), '\n');
  std::vector<std::string> heads = {"DEVICE", "APP", "RELEASE", "SLOT", "STATE", "UP", "MEM", "CPU",
                                    "RESTARTS", "MONITOR", "PORTS"};
  if (wide) heads.insert(heads.end(), {"INSTANCE", "ADDRESS", "SPARE"});
  Table table(heads);
  for (const Device& device : list.devices()) {
    for (const AppStatus& app : device.apps()) {
      std::vector<std::string> cells = instance_cells(device, app, now_ms);
      const std::vector<std::string> more =
          wide ? wide_cells(device, app) : std::vector<std::string>();
      cells.insert(cells.end(), more.begin(), more.end());
      table.add(std::move(cells));
    }
  }
  if (table.empty()) {
    return {"No app on " + count_text(static_cast<std::uint64_t>(list.devices_size()), "device") +
                " yet.",
            "  push one:  fleetctl push APP --to SELECTOR"};
  }
  return table.lines();
}

std::string instances_json(const DeviceList& list) {
  ota::Json all = ota::Json::array();
  for (const Device& device : list.devices()) {
    for (const AppStatus& app : device.apps()) all.push_back(instance_json(device, app));
  }
  ota::Json document = ota::Json::object();
  document.set("instances", all);
  return ota::pretty_json(document);
}

std::vector<std::string> device_lines(const Device& device, std::uint64_t now_ms) {
  const auto& inventory = device.inventory();
  std::vector<std::string> groups(device.groups().begin(), device.groups().end());
  std::vector<std::pair<std::string, std::string>> pairs = {
      {"device", visible(device.name()) + "  (" + visible(device.id()) + ")"},
      {"state",
       std::string(state_of(device)) + ", seen " + since(device.seen_ms(), now_ms) + " ago"},
      {"board", visible(inventory.board()) + ", " + proto::word_of(inventory.arch()) + ", kernel " +
                    visible(inventory.kernel())},
      {"memory", proto::format_size_bytes(inventory.memory_free_bytes()) + " free of " +
                     proto::format_size_bytes(inventory.memory_total_bytes())},
      {"disk", proto::format_size_bytes(inventory.disk_free_bytes()) + " free"},
      {"groups", visible(join(groups, ", "))},
      {"labels", labels_of(device)},
      {"agent", visible(device.agent_version()) + ", generation " +
                    std::to_string(device.generation_applied()) + " of " +
                    std::to_string(device.generation())},
      {"address", visible(device.address())}};
  if (device.has_ahead()) {
    pairs.push_back({"ahead", "for " + since(device.ahead().since_ms(), now_ms) + ": " +
                                  visible(device.ahead().text())});
    pairs.push_back({"", "nothing is told to it until:  fleetctl device accept " +
                             visible(device.name())});
  }
  if (device.certificate_until_ms() > now_ms) {
    pairs.push_back(
        {"certificate", "good for " + age_text(device.certificate_until_ms() - now_ms)});
  }
  if (inventory.has_metadata()) pairs.push_back({"trust", trust_text(inventory, now_ms)});
  for (const auto& monitor : inventory.monitors()) {
    pairs.push_back({"monitor", visible(monitor.name()) + (monitor.usable() ? ": " : " (no): ") +
                                    visible(monitor.evidence())});
  }
  for (const AppStatus& app : device.apps()) {
    std::string text = visible(app.app()) + " " + release_of(app) + ", " + state_of(app);
    for (const auto& [name, slot] : {std::pair{"A", &app.a()}, std::pair{"B", &app.b()}}) {
      if (slot->state() == fleet::v1::SLOT_STATE_UNSPECIFIED || slot->release() == 0) continue;
      text += "; slot " + std::string(name) + ": " + std::to_string(slot->release()) + " " +
              proto::word_of(slot->state()) + (slot->yanked() ? ", yanked" : "");
      if (!slot->why().text().empty()) text += " (" + visible(slot->why().text()) + ")";
    }
    pairs.push_back({"app", text});
  }
  for (const auto& config : device.config()) {
    pairs.push_back({"values", visible(config.app()) + " " + values_text(config)});
  }
  return aligned(pairs, "");
}

proto::Error no_match(std::string_view selector, const DeviceList& list,
                      std::string_view consequence) {
  const std::string written(selector);
  std::string what = "--to " + written + " matches none of " +
                     count_text(list.fleet_size(), "device") +
                     (consequence.empty() ? "" : "; " + std::string(consequence));
  if (list.fleet_size() == 0) {
    what += "\nmake a device known first:  fleetctl enroll-token --group edge -o edge-1.boot";
    return {proto::Code::not_found, what, {}};
  }
  const std::size_t equals = written.find('=');
  const bool simple = written.find_first_of(",!( ") == std::string::npos;
  std::string nearest = join({list.nearest().begin(), list.nearest().end()}, ", ");
  std::string why;
  if (simple && equals != std::string::npos) {
    why = "label " + written.substr(0, equals) + " has no value \"" + written.substr(equals + 1) +
          "\"";
  } else if (simple) {
    why = "no device, group or label is named \"" + written + "\"";
  }
  if (!nearest.empty()) why += (why.empty() ? "" : "; ") + std::string("nearest: ") + nearest;
  if (!why.empty()) what += "\n" + why;
  what += "\nsee what there is:  fleetctl devices --labels";
  return {proto::Code::not_found, what, {}};
}

}  // namespace fleetctl
