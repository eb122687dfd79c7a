#include "deploy/fleetctl/orders.h"

#include <optional>

#include "deploy/fleetctl/follow.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/login.h"
#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

const char* doing_word(fleet::v1::OrderKind kind) {
  switch (kind) {
    case fleet::v1::ORDER_REVERT: return "Reverting";
    case fleet::v1::ORDER_STOP: return "Stopping";
    case fleet::v1::ORDER_START: return "Starting";
    case fleet::v1::ORDER_RESTART: return "Restarting";
    case fleet::v1::ORDER_DELETE: return "Deleting";
    default: return "Ordering";
  }
}

// The manifest of a rollout's release, for hints and causes; none is no error.
std::optional<fleet::v1::AppManifest> manifest_of(Api& api, const fleet::v1::Rollout& rollout) {
  const auto releases = api.releases(rollout.app());
  if (!releases) return std::nullopt;
  for (const auto& release : releases->releases()) {
    if (release.number() == rollout.release()) return release.manifest();
  }
  return std::nullopt;
}

}  // namespace

CommandResult give_order(Program& program, const OrderOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const fleet::v1::DeviceList devices, api.devices(options.selector));
  if (devices.devices_size() == 0)
    return no_match(options.selector, devices, "nothing was ordered");
  fleet::v1::OrderRequest request;
  request.set_app(options.app);
  request.set_selector(options.selector);
  request.set_kind(options.kind);
  request.set_release(options.release);
  TRY(const fleet::v1::Rollout rollout, api.order(request));
  if (!program.json) {
    const std::string what =
        options.app + (options.release != 0 ? " " + std::to_string(options.release) : "");
    const std::uint64_t count = rollout.counts().devices();
    program.terminal.line(std::string(doing_word(options.kind)) + " " + what + " on " +
                          options.selector + " (" + count_text(count, "device") + ")...");
    program.terminal.line("Rollout " + visible(rollout.id()) + "  " + connection.context.url +
                          "/rollouts/" + visible(rollout.id()));
  }
  if (options.detach) {
    if (program.json) program.print_json(rollout);
    return ExitCode::ok;
  }
  FollowOptions follow;
  follow.wait_ms = options.wait_ms;
  follow.require_all = options.require_all;
  return follow_rollout(program, api, rollout, follow);
}

CommandResult show_rollout(Program& program, const RolloutOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const fleet::v1::Rollout rollout, api.rollout(options.id));
  const auto manifest = manifest_of(api, rollout);
  FollowOptions follow;
  follow.wait_ms = options.wait_ms;
  follow.manifest = manifest ? &*manifest : nullptr;
  if (options.watch) return follow_rollout(program, api, rollout, follow);
  if (program.json) {
    program.print_json(rollout);
    return ExitCode::ok;
  }
  program.terminal.lines(rollouts_table([&rollout] {
    fleet::v1::RolloutList one;
    *one.add_rollouts() = rollout;
    return one;
  }(), now_ms()));
  print_rollout(program, rollout, follow);
  return ExitCode::ok;
}

namespace {

// What a person's word made of it, and the next command.
CommandResult tell_change(Program& program, const fleet::v1::Rollout& rollout,
                          const std::string& what, const std::string& next) {
  if (program.json) {
    program.print_json(rollout);
  } else {
    program.terminal.line(visible(rollout.id()) + " " + what);
    program.terminal.line("  next     " + next);
  }
  return ExitCode::ok;
}

}  // namespace

CommandResult pause_rollout(Program& program, const std::string& id) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::Rollout rollout, connection.api->change_rollout(id, "pause"));
  return tell_change(program, rollout,
                     "is paused: who is under way goes on, nobody else is let in",
                     "fleetctl rollout resume " + visible(rollout.id()) +
                         "     fleetctl rollout abort " + visible(rollout.id()));
}

CommandResult resume_rollout(Program& program, const std::string& id) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::Rollout rollout, connection.api->change_rollout(id, "resume"));
  return tell_change(program, rollout, "goes on; what failed until now is accepted",
                     "fleetctl rollout show " + visible(rollout.id()) + " -w");
}

CommandResult abort_rollout(Program& program, const std::string& id) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::Rollout rollout, connection.api->change_rollout(id, "abort"));
  return tell_change(program, rollout,
                     "is aborted: devices that took " + visible(rollout.app()) +
                         " keep it, the others are not asked any more",
                     "to go back: fleetctl revert " + visible(rollout.app()) + " --to '" +
                         visible(rollout.selector()) + "'");
}

CommandResult retry_rollout(Program& program, const RetryOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const fleet::v1::Rollout rollout, api.retry_rollout(options.id, options.device));
  if (options.detach || rollout.state() == fleet::v1::ROLLOUT_PAUSED) {
    return tell_change(program, rollout,
                       rollout.state() == fleet::v1::ROLLOUT_PAUSED
                           ? "is paused; what failed is asked again when it goes on"
                           : "asks again what failed",
                       rollout.state() == fleet::v1::ROLLOUT_PAUSED
                           ? "fleetctl rollout resume " + visible(rollout.id())
                           : "fleetctl rollout show " + visible(rollout.id()) + " -w");
  }
  const auto manifest = manifest_of(api, rollout);
  FollowOptions follow;
  follow.wait_ms = options.wait_ms;
  follow.require_all = options.require_all;
  follow.manifest = manifest ? &*manifest : nullptr;
  return follow_rollout(program, api, rollout, follow);
}

CommandResult label_device(Program& program, const LabelOptions& options) {
  fleet::v1::LabelChange change;
  for (const std::string& text : options.changes) {
    if (text.ends_with('-') && text.size() > 1 && text.find('=') == std::string::npos) {
      change.add_remove(text.substr(0, text.size() - 1));
      continue;
    }
    TRY(const auto label, parse_label(text));
    (*change.mutable_set())[label.first] = label.second;
  }
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::Device device, connection.api->change_labels(options.name, change));
  program.json ? program.print_json(device)
               : program.terminal.lines(device_lines(device, now_ms()));
  return ExitCode::ok;
}

CommandResult remove_device(Program& program, const std::string& name) {
  TRY(const Connection connection, connect(program));
  TRY_VOID(connection.api->remove_device(name));
  if (program.json) {
    program.terminal.line("{\"removed\": true}");
  } else {
    program.terminal.line(name + " is revoked: its certificate counts no more. What runs there "
                          "runs on until the device is enrolled anew or switched off.");
  }
  return ExitCode::ok;
}

}  // namespace fleetctl
