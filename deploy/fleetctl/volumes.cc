#include "deploy/fleetctl/volumes.h"

#include <functional>

#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "ota/json.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::AppStatus;
using fleet::v1::Device;
using fleet::v1::VolumeStatus;
using Visit = std::function<void(const Device&, const AppStatus&, const VolumeStatus&)>;

void each_volume(const fleet::v1::DeviceList& list, const std::string& app, const Visit& visit) {
  for (const Device& device : list.devices()) {
    for (const AppStatus& status : device.apps()) {
      if (!app.empty() && status.app() != app) continue;
      for (const VolumeStatus& volume : status.volumes()) visit(device, status, volume);
    }
  }
}

std::string snapshot_text(const AppStatus& app, const VolumeStatus& volume) {
  if (!volume.restores()) return "-";
  if (volume.snapshot_release() == 0) return "none now";
  return "before " + visible(app.app()) + " " + std::to_string(volume.snapshot_release());
}

}  // namespace

proto::Error volumes_are_pushed() {
  return {proto::Code::not_supported,
          "a volume is made on each device by the push of a manifest that names it\n"
          "in the manifest:  volumes: [{name: cache, size: 8M}]\n"
          "it outlives updates and reverts, and with keep (the default) a delete\n"
          "see what there is:  fleetctl volumes list", {}};
}

std::vector<std::string> volumes_table(const fleet::v1::DeviceList& list, const std::string& app) {
  Table table({"DEVICE", "APP", "VOLUME", "SIZE", "USED", "SYNC", "ON DELETE", "ON REVERT",
               "SNAPSHOT"});
  bool any_left = false;
  each_volume(list, app, [&](const Device& device, const AppStatus& status,
                             const VolumeStatus& volume) {
    const bool left = volume.left();
    any_left = any_left || left;
    table.add({visible(device.name()), visible(status.app()), visible(volume.name()),
               volume.size_bytes() == 0 ? "missing" : proto::format_size_bytes(volume.size_bytes()),
               proto::format_size_bytes(volume.used_bytes()), left ? "-" : visible(volume.sync()),
               left ? "left" : volume.keep() ? "keep" : "remove",
               left ? "-" : volume.restores() ? "restore" : "keep",
               snapshot_text(status, volume)});
  });
  if (table.empty()) {
    return {(app.empty() ? std::string("No app") : visible(app)) + " has a volume on " +
                count_text(static_cast<std::uint64_t>(list.devices_size()), "device") + ".",
            "  in a manifest:  volumes: [{name: cache, size: 8M}]"};
  }
  std::vector<std::string> lines = table.lines();
  if (any_left) {
    lines.emplace_back("left: what runs there does not name it, and a release that does finds it "
                       "again.");
    lines.emplace_back("  to remove it, push one that names it with keep: false, then delete the "
                       "app there");
  }
  return lines;
}

std::string volumes_json(const fleet::v1::DeviceList& list, const std::string& app) {
  const auto number = [](std::uint64_t value) {
    return ota::Json(static_cast<std::int64_t>(value));
  };
  ota::Json all = ota::Json::array();
  each_volume(list, app, [&all, &number](const Device& device, const AppStatus& status,
                                         const VolumeStatus& volume) {
    all.push_back(ota::Json::object(
        {{"device", device.name()}, {"online", device.online()}, {"app", status.app()},
         {"name", volume.name()}, {"size_bytes", number(volume.size_bytes())},
         {"used_bytes", number(volume.used_bytes())}, {"sync", volume.sync()},
         {"keep", volume.keep()}, {"left", volume.left()},
         {"on_revert", volume.restores() ? "restore" : "keep"},
         {"snapshot_release", number(volume.snapshot_release())}}));
  });
  return ota::pretty_json(ota::Json::object({{"volumes", all}}));
}

CommandResult list_volumes(Program& program, const VolumeFilter& filter) {
  TRY(const Connection connection, connect(program));
  const std::string selector = filter.selector.empty() ? "all" : filter.selector;
  TRY(const fleet::v1::DeviceList list, connection.api->devices(selector));
  if (list.devices_size() == 0 && list.fleet_size() > 0) return no_match(selector, list, "");
  if (program.json) {
    program.terminal.line(volumes_json(list, filter.app));
  } else {
    program.terminal.lines(volumes_table(list, filter.app));
  }
  return ExitCode::ok;
}

}  // namespace fleetctl
