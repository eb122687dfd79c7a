#include "deploy/fleetctl/push.h"

#include <algorithm>
#include <optional>

#include "deploy/fleetctl/app_signer.h"
#include "deploy/fleetctl/build_push.h"
#include "deploy/fleetctl/diff.h"
#include "deploy/fleetctl/draft.h"
#include "deploy/fleetctl/expiry.h"
#include "deploy/fleetctl/follow.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/plan.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/trust.h"
#include "deploy/fleetctl/upload.h"
#include "proto/limits.h"
#include "proto/manifest.h"

namespace fleetctl {
namespace {

using fleet::v1::AppManifest;
using fleet::v1::DeviceList;
using fleet::v1::Rollout;
using proto::Code;

/// The newest release that is at the controller, as the app's role lists it: signed, and its bytes
/// are what was signed.
struct Newest {
  std::uint64_t highest = 0;  // of all that were signed
  std::uint64_t number = 0;   // 0: no release yet
  AppManifest manifest;
};

// The selector of the app's last push, for a push without --to.
proto::Result<std::string> selector_of(Api& api, const PushOptions& options,
                                       const std::string& app) {
  if (!options.selector.empty()) return options.selector;
  TRY(const fleet::v1::RolloutList list, api.rollouts());
  for (const Rollout& rollout : list.rollouts()) {
    const bool push = rollout.kind() == fleet::v1::KIND_PUSH;
    if (push && rollout.app() == app && !rollout.selector().empty()) return rollout.selector();
  }
  return proto::Error{Code::bad_argument,
                      app + " was never pushed before: say to which devices with --to\n"
                      "fleetctl push " + app + " --to edge     (see them: fleetctl devices)", {}};
}

// Bytes of a signed manifest from the controller; its digest is the role's, not the controller's.
proto::Result<AppManifest> fetch_manifest(Api& api, const ota::ListedRelease& release) {
  const std::string digest = release.manifest.digest.hex();
  const auto found = api.get_blob(digest, proto::kMaxManifestBytes);
  if (!found && found.error().code == Code::not_found) {
    return proto::Error{Code::not_found,
                        "release " + std::to_string(release.number) + " is signed, and its bytes "
                        "are not at the controller; was it restored from an older backup?", {}};
  }
  if (!found) return found.error();
  AppManifest manifest;
  if (ota::sha256(*found) != release.manifest.digest || !manifest.ParseFromString(*found)) {
    return proto::Error{Code::bad_digest,
                        "the controller serves a manifest for release " +
                            std::to_string(release.number) + " that is not the signed one; "
                            "nothing was signed", {}};
  }
  return manifest;
}

proto::Result<Newest> newest_release(Api& api, const ota::Signed<ota::Targets>* role,
                                     const std::string& app) {
  if (role == nullptr) return Newest{};
  TRY(const std::vector<ota::ListedRelease> listed, ota::releases_of(role->value, app));
  Newest newest;
  if (!listed.empty()) newest.highest = static_cast<std::uint64_t>(listed.back().number);
  // An old backup lacks those that came after it; then what changes is told from one before.
  for (auto release = listed.rbegin(); release != listed.rend(); ++release) {
    auto manifest = fetch_manifest(api, *release);
    if (!manifest && manifest.error().code == Code::not_found) continue;
    TRY(newest.manifest, manifest);
    newest.number = static_cast<std::uint64_t>(release->number);
    break;
  }
  return newest;
}

// Releases that devices still run or want stay listed.
proto::Result<std::vector<std::int64_t>> releases_in_use(Api& api, const std::string& app) {
  TRY(const fleet::v1::AppList list, api.apps());
  std::vector<std::int64_t> keep;
  for (const fleet::v1::App& known : list.apps()) {
    if (known.name() != app) continue;
    keep.push_back(static_cast<std::int64_t>(known.wanted_release()));
    for (const auto& count : known.running()) {
      keep.push_back(static_cast<std::int64_t>(count.release()));
    }
  }
  return keep;
}

// The app role's next version, with this release in it.
proto::Result<std::string> sign_role(const ota::Signed<ota::Targets>* role,
                                     const AppManifest& manifest, const std::string& bytes,
                                     const std::vector<std::int64_t>& keep,
                                     const AppSigner& signer) {
  ota::ListedRelease release;
  release.number = static_cast<std::int64_t>(manifest.release());
  release.manifest = {ota::sha256(bytes), bytes.size()};
  for (const fleet::v1::Blob& blob : blobs_of(manifest)) {
    TRY(const ota::Sha256 digest, ota::Sha256::from_hex(blob.sha256()));
    release.blobs.push_back({digest, blob.size_bytes()});
  }
  TRY(const ota::Targets next,
      ota::next_app_role(role == nullptr ? nullptr : &role->value, manifest.name(), release, keep,
                         now_s()));
  return signer.sign(next);
}

void warn_of_expiry(Program& program, const Trust& trust) {
  const ota::TrustedSet& trusted = trust.trusted();
  const std::vector<RoleExpiry> roles = {
      {ota::Root::kType, trusted.root().value.header.expires},
      {ota::Targets::kType, trusted.targets()->value.header.expires}};
  for (const std::string& note : expiry_notes(roles, now_s())) program.terminal.note(note);
}

fleet::v1::Strategy strategy_of(const PushOptions& options) {
  return options.strategy == "all"     ? fleet::v1::ALL
         : options.strategy == "waves" ? fleet::v1::WAVES
                                       : fleet::v1::STRATEGY_UNSPECIFIED;
}

// Numbers the release, signs, uploads, hands it over. A conflict means that somebody was faster:
// then once more on top of theirs.
proto::Result<Rollout> hand_over(Program& program, const Connection& connection, Trust& trust,
                                 Draft& draft, const std::string& selector,
                                 const PushOptions& options) {
  Api& api = *connection.api;
  AppManifest& manifest = draft.manifest;
  const std::string key = ota::random_id();
  std::optional<AppSigner> signer;  // stays open for the second try
  for (int attempt = 1;; ++attempt) {
    TRY(const auto* role, trust.app_role(manifest.name()));
    TRY(const std::int64_t highest,
        ota::highest_release(role == nullptr ? nullptr : &role->value, manifest.name()));
    manifest.set_release(static_cast<std::uint64_t>(highest) + 1);
    TRY_VOID(proto::check_manifest(manifest, proto::ManifestStage::complete));
    const std::string bytes = manifest_bytes(manifest);
    if (!signer) {
      TRY(AppSigner opened,
          open_app_signer(program, connection, trust, manifest.name(),
                          manifest.name() + " " + std::to_string(manifest.release()),
                          options.passphrase_file));
      signer.emplace(std::move(opened));
    }
    TRY(const auto keep, releases_in_use(api, manifest.name()));
    TRY(const std::string metadata, sign_role(role, manifest, bytes, keep, *signer));
    TRY_VOID(upload_missing(program, api, draft.payloads, bytes));

    fleet::v1::PushRequest request;
    request.set_app(manifest.name());
    request.set_release(manifest.release());
    request.set_selector(selector);
    request.set_app_metadata(metadata);
    request.set_strategy(strategy_of(options));
    request.set_stage_only(options.stage_only);
    request.set_require_all(options.require_all);
    request.set_fleetctl_version(FLEET_VERSION);
    // The same key when the connection broke: the push counts once, however often it is sent.
    auto rollout = api.push(request, key + "-" + std::to_string(attempt));
    if (!rollout && exit_code_of(rollout.error()) == ExitCode::not_reached) {
      rollout = api.push(request, key + "-" + std::to_string(attempt));
    }
    if (rollout || rollout.error().code != Code::conflict || attempt == 2) return rollout;
    program.terminal.note("somebody signed for " + manifest.name() + " meanwhile; signing again");
    TRY_VOID(trust.refresh());
  }
}

CommandResult follow(Program& program, const Connection& connection, const Draft& draft,
                     const Rollout& rollout, const PushOptions& options) {
  if (!program.json) {
    program.terminal.line("Rollout " + visible(rollout.id()) + "  " + connection.context.url +
                          "/rollouts/" + visible(rollout.id()));
  }
  if (options.detach) {
    if (program.json) program.print_json(rollout);
    return ExitCode::ok;
  }
  FollowOptions how;
  how.wait_ms = options.wait_ms;
  how.require_all = options.require_all;
  how.manifest = &draft.manifest;
  how.health_place = draft.health_place;
  return follow_rollout(program, *connection.api, rollout, how);
}

// Who gets it. A selector that matches nothing is told before anything is built or signed.
struct Receivers {
  std::string selector;
  DeviceList devices;
};

proto::Result<Receivers> find_receivers(Api& api, const PushOptions& options,
                                        const std::string& app) {
  Receivers to;
  TRY(to.selector, selector_of(api, options, app));
  TRY(to.devices, api.devices(to.selector));
  if (to.devices.devices_size() != 0) return to;
  return no_match(to.selector, to.devices, "nothing was signed or uploaded");
}

// From the draft on, push and rollback are the same.
CommandResult push_draft(Program& program, const Connection& connection, Draft draft,
                         const Receivers& to, const PushOptions& options) {
  Api& api = *connection.api;
  const std::string app = draft.manifest.name();
  const std::string& selector = to.selector;
  const DeviceList& devices = to.devices;
  TRY(const fleet::v1::Whoami who, api.whoami());
  if (!program.json) {
    program.terminal.line(
        "Pushing app " + app + " to " + selector + " (" +
        count_text(static_cast<std::uint64_t>(devices.devices_size()), "device") + ") as " +
        visible(who.name()) + " on " + connection.host() + "...");
  }

  // Does it fit on any of them.
  const Fit fit = fit_of(draft.manifest, devices);
  TRY_VOID(check_any_fits(draft.manifest, fit));

  // What is trusted today, and what the newest release is.
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY_VOID(trust->refresh());
  warn_of_expiry(program, *trust);
  TRY(const auto* role, trust->app_role(app));
  TRY(const Newest newest, newest_release(api, role, app));

  // What it changes. --plan ends here.
  PlanInput plan{.draft = draft, .fit = fit};
  plan.previous = newest.number == 0 ? nullptr : &newest.manifest;
  plan.previous_number = newest.number;
  plan.number = newest.highest + 1;
  plan.in_full = options.plan_only;
  plan.devices = &devices;
  plan.strategy = strategy_of(options);
  plan.stage_only = options.stage_only;
  if (!program.json) program.terminal.lines(plan_lines(plan));
  if (options.plan_only) {
    program.terminal.line(program.json ? plan_json(plan, selector)
                                       : "Nothing was signed, uploaded or changed (--plan).");
    return ExitCode::ok;
  }

  // Sign, upload, hand over. Beyond this point the rollout belongs to the controller: it goes on
  // whatever happens here.
  TRY(const Rollout rollout, hand_over(program, connection, *trust, draft, selector, options));

  if (const proto::Status seen = trust->remember(app); !seen) {
    program.terminal.note("after the push: " + seen.error().what);
  }
  return follow(program, connection, draft, rollout, options);
}

}  // namespace

CommandResult push(Program& program, const PushOptions& options) {
  // The manifest and its files are read and checked whole before anybody is asked anything.
  TRY(const Recipe recipe, read_recipe(options));
  TRY(Draft draft, make_draft(recipe, options));
  TRY(const Connection connection, connect(program));
  TRY(const Receivers to, find_receivers(*connection.api, options, draft.manifest.name()));
  if (!recipe.folder.empty()) {
    TRY(const auto built, build_for(program, recipe, options, to.devices));
    TRY(draft, make_draft(recipe, options, built));
  }
  return push_draft(program, connection, std::move(draft), to, options);
}

CommandResult rollback(Program& program, const RollbackOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY_VOID(trust->refresh());
  TRY(const auto* role, trust->app_role(options.push.app));
  std::vector<ota::ListedRelease> listed;
  if (role != nullptr) {
    TRY(auto releases, ota::releases_of(role->value, options.push.app));
    listed = std::move(releases);
  }
  std::vector<std::string> numbers;
  for (const ota::ListedRelease& release : listed) {
    numbers.push_back(std::to_string(release.number));
    if (release.number != static_cast<std::int64_t>(options.release)) continue;
    if (release.yanked) {
      return proto::Error{Code::yanked,
                          options.push.app + " " + numbers.back() + " was yanked; nothing was "
                          "signed\nsee the others:  fleetctl releases " + options.push.app,
                          options.push.app};
    }
    // The old content under a new number; its bytes are at the controller already.
    Draft draft;
    TRY(draft.manifest, fetch_manifest(api, release));
    draft.manifest_file = "release " + std::to_string(options.release);
    TRY(const Receivers to, find_receivers(api, options.push, options.push.app));
    return push_draft(program, connection, std::move(draft), to, options.push);
  }
  return proto::Error{
      Code::not_found,
      options.push.app + " lists no release " + std::to_string(options.release) +
          (numbers.empty() ? "; there is none yet" : "; it lists " + join(numbers, ", ")),
      options.push.app};
}

}  // namespace fleetctl
