#include "deploy/fleetctl/plan.h"

#include <algorithm>
#include <limits>

#include "deploy/fleetctl/diff.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/wave_view.h"
#include "ota/json.h"
#include "proto/document.h"
#include "proto/manifest.h"
#include "proto/units.h"
#include "proto/waves.h"

namespace fleetctl {
namespace {

using fleet::v1::AppManifest;
using fleet::v1::Device;

constexpr std::size_t kRefusalsShown = 5;

// "2 spt, 1 hvt"
std::string platforms_text(const Fit& fit) {
  std::vector<std::pair<std::string, std::size_t>> sorted(fit.platforms.begin(),
                                                          fit.platforms.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> parts;
  for (const auto& [platform, count] : sorted) {
    parts.push_back(std::to_string(count) + " " + platform);
  }
  return join(parts, ", ");
}

// A line per file: an image's first one says what it is.
struct ImageRow {
  std::string key;
  std::string path;
  std::string size;
  std::string rest;
};

std::vector<ImageRow> image_rows(const Draft& draft) {
  std::vector<ImageRow> rows;
  const auto add = [&rows](const std::string& key, const std::string& path,
                           const fleet::v1::Blob& blob, const std::string& summary) {
    rows.push_back({key, visible(path), proto::format_size_bytes(blob.size_bytes()),
                    "sha256:" + short_digest(blob.sha256()) +
                        (summary.empty() ? "" : "  " + visible(summary))});
  };
  for (std::size_t i = 0; i < draft.images.size(); ++i) {
    const DraftImage& shown = draft.images[i];
    const auto& image = draft.manifest.images(static_cast<int>(i));
    add(shown.key, shown.path, image.has_kernel() ? image.kernel() : image.disk(),
        shown.info.summary);
    if (image.has_initrd()) add("", shown.initrd_path, image.initrd(), "");
  }
  return rows;
}

void add_images(const Draft& draft, std::vector<std::string>& lines) {
  const std::vector<ImageRow> rows = image_rows(draft);
  std::size_t key_width = 0;
  std::size_t path_width = 0;
  std::size_t size_width = 0;
  for (const ImageRow& row : rows) {
    key_width = std::max(key_width, display_width(row.key));
    path_width = std::max(path_width, display_width(row.path));
    size_width = std::max(size_width, row.size.size());
  }
  const char* title = "  images     ";
  for (const ImageRow& row : rows) {
    lines.push_back(title + pad(row.key, key_width + 3) + pad(row.path, path_width + 3) +
                    pad_left(row.size, size_width) + "  " + row.rest);
    title = "             ";
  }
}

void add_fits(const PlanInput& input, std::vector<std::string>& lines) {
  const Fit& fit = input.fit;
  const std::string platforms = platforms_text(fit);
  lines.push_back("  fits       " + std::to_string(fit.fitting) + " of " +
                  count_text(fit.devices, "device") +
                  (platforms.empty() ? "" : " (" + platforms + ")"));
  for (std::size_t i = 0; i < std::min(fit.refusals.size(), kRefusalsShown); ++i) {
    lines.push_back("             not on " + visible(fit.refusals[i].device) + ": " +
                    visible(fit.refusals[i].why));
  }
  if (fit.refusals.size() > kRefusalsShown) {
    lines.push_back("             nor on " +
                    count_text(fit.refusals.size() - kRefusalsShown, "other device"));
  }
}

void add_plan(const PlanInput& input, std::vector<std::string>& lines) {
  const Fit& fit = input.fit;
  const std::string app = input.draft.manifest.name();
  const std::string who = fit.devices == 1 ? "1 device" : "all " + std::to_string(fit.devices) +
                                                              " at once";
  const AppManifest& manifest = input.draft.manifest;
  if (proto::standing_memory_bytes(manifest) > manifest.memory_bytes()) {
    lines.push_back("  memory     " + proto::format_size_bytes(manifest.memory_bytes()) +
                    " and as much for its warm spare");
  }
  const auto policy = proto::policy_of(manifest.rollout(), input.strategy, fit.devices);
  const bool waves = proto::plan_waves(policy, fit.devices).size() > 1;
  if (waves || policy.has_max_unavailable()) {
    lines.push_back("  plan       " + policy_text(policy, fit.devices));
  }
  std::string after = input.previous == nullptr
      ? "first release here, so a device that fails keeps " + app + " stopped"
      : "a device that fails goes back to the release that it runs";
  if (input.stage_only) after = "it is fetched and verified, nothing is started";
  const bool said = waves || policy.has_max_unavailable();
  lines.push_back(said ? "             " + after : "  plan       " + who + "; " + after);
  if (fit.offline > 0) {
    lines.push_back("             " + std::to_string(fit.devices - fit.offline) + " reachable, " +
                    std::to_string(fit.offline) + " offline (join when they return)");
  }
}

// "qemu/tcg" -> MONITOR_QEMU
fleet::v1::MonitorKind kind_of(std::string_view name) {
  const auto* value = proto::value_of_word(*fleet::v1::MonitorKind_descriptor(),
                                           name.substr(0, name.find('/')));
  return value == nullptr ? fleet::v1::MONITOR_UNSPECIFIED
                          : static_cast<fleet::v1::MonitorKind>(value->number());
}

// The platform of the image that the device would take; "" when the device never said what it is.
// The device judges again, by what is true then. errors boards::check_fit's and pick_image's
proto::Result<std::string> platform_on(const AppManifest& manifest, const Device& device) {
  const auto& inventory = device.inventory();
  if (inventory.arch() == fleet::v1::ARCH_UNSPECIFIED) return std::string();
  boards::Board board = boards::generic_board(inventory.arch());
  if (!inventory.board().empty()) board.name = inventory.board();
  board.memory_reserve_bytes = 0;  // of the device's own board file, which only it knows
  boards::FitFacts facts;
  facts.labels = {device.labels().begin(), device.labels().end()};
  // What the running release would free is known to the device alone.
  const bool runs_it = std::any_of(
      device.apps().begin(), device.apps().end(), [&manifest](const fleet::v1::AppStatus& app) {
        return app.app() == manifest.name() && app.live_release() != 0;
      });
  const bool known = inventory.memory_free_bytes() != 0 && !runs_it;
  facts.memory_free_bytes = known ? inventory.memory_free_bytes()
                                  : std::numeric_limits<std::uint64_t>::max();
  TRY_VOID(boards::check_fit(manifest, board, facts));
  // Enrolled and never connected: its probe has not been heard of.
  if (inventory.monitors_size() == 0 && !device.online()) return std::string();
  std::vector<boards::RankedMonitor> monitors;
  for (const auto& monitor : inventory.monitors()) {
    monitors.push_back({kind_of(monitor.name()), monitor.usable(), monitor.name(),
                        monitor.evidence()});
  }
  TRY(const boards::ImagePick pick,
      boards::pick_image(manifest, inventory.arch(), monitors));
  return proto::word_of(manifest.images(pick.image_index).platform());
}

/// One device of the plan, in the order in which they are let in.
struct Planned {
  std::string device;
  std::size_t wave = 1;
  bool online = false;
  std::uint64_t runs = 0;
  std::string what;  // "", or why it does not fit
};

std::vector<Planned> planned_devices(const PlanInput& input) {
  std::vector<Planned> out;
  if (input.devices == nullptr) return out;
  const std::string& app = input.draft.manifest.name();
  for (const Device& device : input.devices->devices()) {
    Planned one{device.name(), 1, device.online(), 0, ""};
    for (const auto& status : device.apps()) {
      if (status.app() == app) one.runs = status.live_release();
    }
    for (const Fit::Refusal& refusal : input.fit.refusals) {
      if (refusal.device == device.name()) one.what = "does not fit: " + refusal.why;
    }
    if (one.what.empty() && !device.online()) one.what = "offline: joins when it returns";
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(), [](const Planned& one, const Planned& other) {
    return proto::comes_before({one.online, one.device}, {other.online, other.device});
  });
  const auto policy =
      proto::policy_of(input.draft.manifest.rollout(), input.strategy, out.size());
  std::size_t next = 0;
  std::size_t number = 0;
  for (const proto::PlannedWave& wave : proto::plan_waves(policy, out.size())) {
    ++number;
    for (std::uint64_t i = 0; i < wave.devices; ++i) out[next++].wave = number;
  }
  return out;
}

void add_devices(const PlanInput& input, std::vector<std::string>& lines) {
  Table table({"DEVICE", "WAVE", "RUNS", "GETS", "NOTE"});
  for (const Planned& device : planned_devices(input)) {
    table.add({visible(device.device), std::to_string(device.wave),
               device.runs == 0 ? "-" : std::to_string(device.runs),
               std::to_string(input.number) + (input.stage_only ? " staged" : ""),
               visible(device.what)});
  }
  if (table.empty()) return;
  for (std::string& line : table.lines()) lines.push_back("  " + std::move(line));
}

}  // namespace

Fit fit_of(const AppManifest& manifest, const fleet::v1::DeviceList& devices) {
  Fit fit;
  for (const Device& device : devices.devices()) {
    ++fit.devices;
    if (!device.online()) ++fit.offline;
    const auto platform = platform_on(manifest, device);
    if (!platform) {
      fit.refusals.push_back({device.name(), platform.error().what});
      continue;
    }
    ++fit.fitting;
    if (!platform->empty()) ++fit.platforms[*platform];
  }
  return fit;
}

proto::Status check_any_fits(const AppManifest& manifest, const Fit& fit) {
  if (fit.fitting > 0 || fit.devices == 0) return {};
  std::string what = manifest.name() + " fits none of " + count_text(fit.devices, "device") +
                     "; nothing was signed or uploaded";
  for (std::size_t i = 0; i < std::min(fit.refusals.size(), kRefusalsShown); ++i) {
    what += "\n" + visible(fit.refusals[i].device) + ": " + visible(fit.refusals[i].why);
  }
  return proto::Error{proto::Code::no_fit, what, manifest.name()};
}

std::vector<std::string> plan_lines(const PlanInput& input) {
  std::vector<std::string> lines;
  const std::string app = input.draft.manifest.name();
  const bool first = input.previous == nullptr;
  if (!first) {
    const std::vector<std::string> diff = diff_lines(*input.previous, input.draft.manifest);
    const std::string step = app + " " + std::to_string(input.previous_number) + " -> " +
                             std::to_string(input.number);
    lines.push_back(diff.empty() ? "Updating " + step + ", which is the same but for its number."
                                 : "Updating " + step + " with these attributes:");
    lines.insert(lines.end(), diff.begin(), diff.end());
  }
  if (first || input.in_full) {
    lines.push_back("  manifest   " + visible(input.draft.manifest_file));
    add_images(input.draft, lines);
  }
  if (first || input.in_full || !input.fit.refusals.empty()) add_fits(input, lines);
  const auto policy =
      proto::policy_of(input.draft.manifest.rollout(), input.strategy, input.fit.devices);
  const bool in_waves = proto::plan_waves(policy, input.fit.devices).size() > 1;
  const bool planned = first || input.in_full || input.fit.offline > 0 || input.stage_only ||
                       in_waves || policy.has_max_unavailable();
  if (planned) add_plan(input, lines);
  if (!first && !input.stage_only && !input.draft.flows.empty()) {
    lines.push_back("  flows      " + input.draft.flows);
  }
  if (input.in_full) add_devices(input, lines);
  return lines;
}

std::string plan_json(const PlanInput& input, std::string_view selector) {
  const auto number = [](std::uint64_t value) {
    return ota::Json(static_cast<std::int64_t>(value));
  };
  ota::Json images = ota::Json::array();
  for (const auto& image : input.draft.manifest.images()) {
    images.push_back(ota::Json::object({{"image", image_key(image)},
                                        {"sha256", image.kernel().sha256()},
                                        {"size_bytes", number(image.kernel().size_bytes())},
                                        {"summary", image.summary()}}));
  }
  ota::Json refusals = ota::Json::array();
  for (const Fit::Refusal& refusal : input.fit.refusals) {
    refusals.push_back(ota::Json::object({{"device", refusal.device}, {"why", refusal.why}}));
  }
  ota::Json changes = ota::Json::array();
  if (input.previous != nullptr) {
    for (const std::string& line : diff_lines(*input.previous, input.draft.manifest)) {
      changes.push_back(line);
    }
  }
  ota::Json each = ota::Json::array();
  for (const Planned& device : planned_devices(input)) {
    each.push_back(ota::Json::object({{"device", device.device},
                                      {"wave", number(device.wave)},
                                      {"runs", number(device.runs)},
                                      {"note", device.what}}));
  }
  return ota::pretty_json(ota::Json::object(
      {{"app", input.draft.manifest.name()}, {"release", number(input.number)},
       {"previous_release", number(input.previous_number)}, {"selector", selector},
       {"devices", number(input.fit.devices)}, {"fitting", number(input.fit.fitting)},
       {"offline", number(input.fit.offline)}, {"images", images}, {"refusals", refusals},
       {"changes", changes}, {"flows", input.draft.flows}, {"each", each}}));
}

}  // namespace fleetctl
