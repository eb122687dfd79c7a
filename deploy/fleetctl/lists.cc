#include "deploy/fleetctl/lists.h"

#include <algorithm>
#include <map>

#include "deploy/fleetctl/attention.h"
#include "deploy/fleetctl/expiry.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/tokens.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::Rollout;

constexpr int kRolloutsInStatus = 3;
constexpr std::size_t kAttentionColumns = 48;  // longer texts push their hint to the right

std::uint64_t since(std::uint64_t then_ms, std::uint64_t now_ms) {
  return now_ms > then_ms ? now_ms - then_ms : 0;
}

std::string kind_word(const Rollout& rollout) {
  return rollout.kind() == fleet::v1::ROLLOUT_KIND_UNSPECIFIED ? "push"
                                                                : proto::word_of(rollout.kind());
}

std::string state_word(const Rollout& rollout) { return proto::word_of(rollout.state()); }

const char* mark(const Rollout& rollout) {
  switch (rollout.state()) {
    case fleet::v1::ROLLOUT_SUCCEEDED: return "✔";
    case fleet::v1::ROLLOUT_RUNNING:
    case fleet::v1::ROLLOUT_REVERTING: return "▶";
    case fleet::v1::ROLLOUT_PAUSED: return "▲";
    case fleet::v1::ROLLOUT_FAILED:
    case fleet::v1::ROLLOUT_ABORTED: return "✘";
    default: return "○";
  }
}

std::string running_on(const fleet::v1::App& app) {
  std::vector<std::string> parts;
  for (const auto& count : app.running()) {
    parts.push_back(std::to_string(count.release()) + " on " + std::to_string(count.devices()));
  }
  return parts.empty() ? "on no device" : join(parts, ", ");
}

std::string subject(const Rollout& rollout) {
  return visible(rollout.app()) +
         (rollout.release() == 0 ? "" : " " + std::to_string(rollout.release()));
}

}  // namespace

std::string counts_text(const Rollout& rollout) {
  const auto& counts = rollout.counts();
  std::vector<std::string> parts;
  const auto add = [&parts](std::uint32_t count, const char* word) {
    if (count > 0) parts.push_back(std::to_string(count) + " " + word);
  };
  const bool run = rollout.kind() != fleet::v1::KIND_STOP &&
                   rollout.kind() != fleet::v1::KIND_DELETE;
  add(counts.healthy(), run ? "healthy" : "done");
  add(counts.busy(), "under way");
  add(counts.waiting(), "waiting");
  add(counts.reverted(), "reverted");
  add(counts.failed(), "failed");
  add(counts.held(), "held");
  add(counts.superseded(), "superseded");
  add(counts.offline(), "offline");
  return parts.empty() ? "no device" : join(parts, ", ");
}

std::vector<std::string> apps_table(const fleet::v1::AppList& list) {
  if (list.apps_size() == 0) {
    return {"No app yet.", "  push one:  fleetctl keys delegate dns",
            "             fleetctl push dns --to edge"};
  }
  Table table({"APP", "NEWEST", "WANTED", "RUNNING", "DESCRIPTION"});
  for (const auto& app : list.apps()) {
    table.add({visible(app.name()), std::to_string(app.newest_release()),
               app.wanted_release() == 0 ? "-" : std::to_string(app.wanted_release()),
               running_on(app), visible(app.description())});
  }
  return table.lines();
}

std::vector<std::string> releases_table(const fleet::v1::ReleaseList& list, std::string_view app,
                                        std::uint64_t now_ms) {
  if (list.releases_size() == 0) {
    return {"No release of " + visible(app) + " yet.",
            "  push one:  fleetctl push " + visible(app) + " --to SELECTOR"};
  }
  Table table({"RELEASE", "AGE", "BY", "KEY", "SIZE", "MANIFEST", "DEVICES", "IMAGES"});
  for (const auto& release : list.releases()) {
    std::vector<std::string> images;
    for (const auto& image : release.manifest().images()) {
      images.push_back(proto::word_of(image.arch()) + "/" + proto::word_of(image.platform()));
    }
    table.add({std::to_string(release.number()) + (release.yanked() ? " yanked" : ""),
               age_text(since(release.created_ms(), now_ms)), visible(release.by()),
               visible(short_digest(release.key_id())),
               proto::format_size_bytes(release.size_bytes()),
               "sha256:" + visible(short_digest(release.manifest_sha256())),
               std::to_string(release.devices()), images.empty() ? "-" : join(images, ",")});
  }
  return table.lines();
}

std::vector<std::string> rollouts_table(const fleet::v1::RolloutList& list, std::uint64_t now_ms) {
  if (list.rollouts_size() == 0) {
    return {"No rollout yet.", "  begin one:  fleetctl push APP --to SELECTOR"};
  }
  Table table({"ROLLOUT", "WHAT", "APP", "TO", "STATE", "AGE", "BY", "DEVICES"});
  for (const Rollout& rollout : list.rollouts()) {
    table.add({visible(rollout.id()), kind_word(rollout), subject(rollout),
               visible(rollout.selector()), state_word(rollout),
               age_text(since(rollout.created_ms(), now_ms)), visible(rollout.by()),
               counts_text(rollout)},
              mark(rollout));
  }
  return table.lines();
}

namespace {

// "   2 updating   1 needs you", what there is of it.
std::string states_text(const fleet::v1::ServerStatus& server) {
  const std::uint32_t needing = server.needing();
  std::string text;
  if (server.updating() > 0) text += "   " + std::to_string(server.updating()) + " updating";
  if (needing > 0) {
    text += "   " + std::to_string(needing) + (needing == 1 ? " needs you" : " need you");
  }
  return text;
}

}  // namespace

std::vector<std::string> status_lines(const StatusInput& input, std::uint64_t now_ms) {
  std::vector<std::string> lines = {
      input.host + "   " + visible(input.who.name()) + " (" +
      right_text(input.who.role(), input.who.groups()) + ")   controller " +
      visible(input.server.version()) + ", up " +
      age_text(input.server.up_ms())};
  std::vector<std::pair<std::string, std::string>> pairs;
  const std::uint32_t all = input.server.devices();
  pairs.push_back({"DEVICES", std::to_string(all) + "   " + std::to_string(input.server.online()) +
                                  " online   " + std::to_string(all - input.server.online()) +
                                  " offline" + states_text(input.server)});
  std::vector<std::string> apps;
  for (const auto& app : input.server.apps()) {
    apps.push_back(visible(app.name()) + "  " + running_on(app));
  }
  pairs.push_back({"APPS", apps.empty() ? "none yet: fleetctl push APP --to SELECTOR"
                                        : join(apps, "     ")});
  for (int i = 0; i < std::min(kRolloutsInStatus, input.server.rollouts_size()); ++i) {
    const Rollout& rollout = input.server.rollouts(i);
    const bool running = rollout.ended_ms() == 0;
    pairs.push_back(
        {i == 0 ? "ROLLOUTS" : "",
         visible(rollout.id()) + " " + kind_word(rollout) + " " + subject(rollout) + "  " +
             state_word(rollout) + " " +
             age_text(since(running ? rollout.created_ms() : rollout.ended_ms(), now_ms)) +
             (running ? ": " : " ago: ") + counts_text(rollout)});
  }
  if (input.server.rollouts_size() == 0) pairs.push_back({"ROLLOUTS", "none yet"});
  std::vector<RoleExpiry> roles;
  for (const auto& role : input.server.expiries()) {
    roles.push_back({role.role(), static_cast<std::int64_t>(role.expires_ms() / 1000)});
  }
  const auto now_s = static_cast<std::int64_t>(now_ms / 1000);
  if (!roles.empty()) pairs.push_back({"KEYS", keys_line(roles, now_s)});
  const std::vector<std::string> body = aligned(pairs, "");
  lines.insert(lines.end(), body.begin(), body.end());

  const std::vector<Attention> attention = attention_of(input.server, now_ms);
  if (attention.empty()) {
    lines.push_back("Nothing needs you.");
    return lines;
  }
  lines.push_back("ATTENTION");
  std::size_t what_columns = 0;
  std::size_t text_columns = 0;
  for (const Attention& one : attention) {
    what_columns = std::max(what_columns, display_width(one.what));
    text_columns = std::max(text_columns, std::min(display_width(one.text), kAttentionColumns));
  }
  for (const Attention& one : attention) {
    lines.push_back("  " + pad(one.what, what_columns) + "  " +
                    (one.hint.empty() ? one.text : pad(one.text, text_columns) + "  " + one.hint));
  }
  return lines;
}

CommandResult list_apps(Program& program) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::AppList list, connection.api->apps());
  program.json ? program.print_json(list) : program.terminal.lines(apps_table(list));
  return ExitCode::ok;
}

CommandResult list_releases(Program& program, const std::string& app) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::ReleaseList list, connection.api->releases(app));
  program.json ? program.print_json(list)
               : program.terminal.lines(releases_table(list, app, now_ms()));
  return ExitCode::ok;
}

CommandResult list_rollouts(Program& program) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::RolloutList list, connection.api->rollouts());
  program.json ? program.print_json(list)
               : program.terminal.lines(rollouts_table(list, now_ms()));
  return ExitCode::ok;
}

namespace {

proto::Result<fleet::v1::DeviceList> devices_of(Api& api, const DeviceFilter& filter) {
  const std::string selector = !filter.selector.empty() ? filter.selector
                               : !filter.name.empty() ? filter.name : "all";
  TRY(fleet::v1::DeviceList list, api.devices(selector, filter.state));
  // With a state a selector may match and still show nothing.
  if (list.devices_size() == 0 && list.fleet_size() > 0 && filter.state.empty() &&
      selector != "all") {
    return no_match(selector, list, "");
  }
  return list;
}

}  // namespace

CommandResult list_devices(Program& program, const DeviceFilter& filter) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::DeviceList list, devices_of(*connection.api, filter));
  if (program.json) {
    program.print_json(list);
  } else {
    program.terminal.lines(filter.labels ? labels_table(list) : devices_table(list, now_ms()));
  }
  return ExitCode::ok;
}

CommandResult list_instances(Program& program, const DeviceFilter& filter) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::DeviceList list, devices_of(*connection.api, filter));
  if (program.json) {
    program.terminal.line(instances_json(list));
  } else {
    program.terminal.lines(instances_table(list, now_ms(), filter.output == "wide"));
  }
  return ExitCode::ok;
}

CommandResult show_device(Program& program, const std::string& name) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::Device device, connection.api->device(name));
  program.json ? program.print_json(device)
               : program.terminal.lines(device_lines(device, now_ms()));
  return ExitCode::ok;
}

CommandResult show_status(Program& program) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::ServerStatus server, connection.api->status());
  if (program.json) {
    program.print_json(server);
    return ExitCode::ok;
  }
  TRY(const fleet::v1::Whoami who, connection.api->whoami());
  program.terminal.lines(status_lines({connection.host(), server, who}, now_ms()));
  return ExitCode::ok;
}

}  // namespace fleetctl
