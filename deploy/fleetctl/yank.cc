#include "deploy/fleetctl/yank.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "deploy/fleetctl/app_signer.h"
#include "deploy/fleetctl/keys_sign.h"
#include "deploy/fleetctl/orders.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/trust.h"

namespace fleetctl {
namespace {

using proto::Code;

/// errors not_found, which says what is listed
proto::Result<bool> is_yanked(const ota::Signed<ota::Targets>* role, const YankOptions& options) {
  std::vector<ota::ListedRelease> listed;
  if (role != nullptr) {
    TRY(listed, ota::releases_of(role->value, options.app));
  }
  std::vector<std::string> numbers;
  for (const ota::ListedRelease& release : listed) {
    if (std::cmp_equal(release.number, options.release)) return release.yanked;
    numbers.push_back(std::to_string(release.number));
  }
  return proto::Error{Code::not_found,
                      options.app + " lists no release " + std::to_string(options.release) +
                          (numbers.empty() ? "; there is none yet"
                                           : ", so no device may take it anyway; it lists " +
                                                 join(numbers, ", ")),
                      options.app};
}

// Signs and sends; once more on top of what somebody else signed meanwhile.
// out    the role's version; 0 when it was yanked already
proto::Result<std::int64_t> sign_yank(Program& program, const Connection& connection, Trust& trust,
                                      const YankOptions& options) {
  std::optional<AppSigner> signer;  // stays open for the second try
  for (int attempt = 1;; ++attempt) {
    TRY(const auto* role, trust.app_role(options.app));
    TRY(const bool yanked_already, is_yanked(role, options));
    if (yanked_already) return std::int64_t{0};
    const std::int64_t numbers[] = {static_cast<std::int64_t>(options.release)};
    TRY(const ota::Targets next, ota::edit_app_role(role->value, options.app, numbers, now_s()));
    if (!signer) {
      TRY(AppSigner opened,
          open_app_signer(program, connection, trust, options.app,
                          "the yank of " + options.app + " " + std::to_string(options.release),
                          options.passphrase_file));
      signer.emplace(std::move(opened));
    }
    const proto::Status sent =
        send_metadata(*connection.api, ota::app_role_name(options.app), signer->sign(next));
    if (sent) return next.header.version;
    if (sent.error().code != Code::conflict || attempt == 2) return sent.error();
    program.terminal.note("somebody signed for " + options.app + " meanwhile; signing again");
    TRY_VOID(trust.refresh());
  }
}

std::uint32_t running_count(const fleet::v1::AppList& list, const YankOptions& options) {
  for (const fleet::v1::App& app : list.apps()) {
    if (app.name() != options.app) continue;
    for (const fleet::v1::ReleaseCount& count : app.running()) {
      if (count.release() == options.release) return count.devices();
    }
  }
  return 0;
}

}  // namespace

CommandResult yank(Program& program, const YankOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY_VOID(trust->refresh());
  TRY(const std::int64_t version, sign_yank(program, connection, *trust, options));
  if (const proto::Status seen = trust->remember(options.app); !seen) {
    program.terminal.note("after the yank: " + seen.error().what);
  }
  TRY(const fleet::v1::AppList apps, api.apps());
  const std::uint32_t running = running_count(apps, options);
  const std::string title = options.app + " " + std::to_string(options.release);
  if (program.json) {
    program.terminal.line(ota::canonical_json(ota::Json::object(
        {{"app", options.app}, {"release", static_cast<std::int64_t>(options.release)},
         {"yanked", true}, {"signed", version != 0},
         {"running", static_cast<std::int64_t>(running)}})));
  } else {
    program.terminal.line(title + (version == 0 ? " was yanked before; nothing was signed."
                                                : " is yanked: no device takes it or goes back to "
                                                  "it any more."));
    if (running != 0 && !options.stop) {
      program.terminal.line("  runs on    " + count_text(running, "device") +
                            ", marked, until another release is good there");
      program.terminal.line("  next       fleetctl push " + options.app +
                            "     or  fleetctl yank " + title + " --stop");
    }
  }
  if (!options.stop) return ExitCode::ok;
  if (running == 0) {
    if (!program.json) program.terminal.line("No device runs it; nothing is to be stopped.");
    return ExitCode::ok;
  }
  OrderOptions order;
  order.app = options.app;
  order.selector = "all";
  order.kind = fleet::v1::ORDER_STOP;
  order.release = options.release;
  order.wait_ms = options.wait_ms;
  order.detach = options.detach;
  order.require_all = options.require_all;
  return give_order(program, order);
}

}  // namespace fleetctl
