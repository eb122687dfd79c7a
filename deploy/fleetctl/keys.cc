#include "deploy/fleetctl/keys.h"

#include <algorithm>
#include <utility>

#include "deploy/fleetctl/expiry.h"
#include "deploy/fleetctl/keys_app.h"
#include "deploy/fleetctl/keys_sign.h"
#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/trust.h"
#include "ota/json.h"
#include "proto/limits.h"

namespace fleetctl {
namespace {

using proto::Code;

proto::Result<ota::SigningKey> make_key(Program& program, const KeyStore& keys,
                                        const std::string& role, const ota::Secret& passphrase,
                                        const std::string& second_copy) {
  ota::SigningKey key = ota::SigningKey::generate();
  TRY(const StoredKey stored, keys.save(key, role, passphrase, second_copy));
  if (!program.json) program.terminal.line("  made       " + describe(stored));
  return key;
}

// The only key of a role on this machine, from an init that was cut short; else a new one.
proto::Result<ota::SigningKey> take_or_make(Program& program, const KeyStore& keys,
                                            const std::string& role,
                                            const ota::Secret& passphrase,
                                            const std::string& second_copy) {
  TRY(const std::vector<StoredKey> all, keys.list());
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&role](const StoredKey& key) { return key.role == role; });
  if (found != all.end()) {
    program.terminal.note("going on with the key " + describe(*found) + " that is here already");
    return open_key(*found, passphrase);
  }
  return make_key(program, keys, role, passphrase, second_copy);
}

std::vector<RoleExpiry> expiries(Trust& trust) {
  std::vector<RoleExpiry> all;
  const ota::TrustedSet& trusted = trust.trusted();
  all.push_back({"root", trusted.root().value.header.expires});
  if (const auto* targets = trusted.targets()) {
    all.push_back({"targets", targets->value.header.expires});
    if (targets->value.delegations) {
      for (const ota::DelegatedRole& line : targets->value.delegations->roles) {
        if (!line.name.starts_with("apps.")) continue;
        const auto role = trust.app_role(line.name.substr(5));
        const bool published = role && *role != nullptr;
        all.push_back({line.name, published ? (*role)->value.header.expires : 0});
      }
    }
  }
  if (const auto* snapshot = trusted.snapshot()) {
    all.push_back({"snapshot", snapshot->value.header.expires});
  }
  if (const auto* timestamp = trusted.timestamp()) {
    all.push_back({"timestamp", timestamp->value.header.expires});
  }
  return all;
}

// The root keys of a first root: those of an init that was cut short, then new ones.
proto::Result<std::vector<ota::SigningKey>> take_or_make_roots(Program& program,
                                                               const KeyStore& store,
                                                               const ota::Secret& passphrase,
                                                               const KeysOptions& options) {
  TRY(const std::vector<StoredKey> all, store.list());
  std::vector<ota::SigningKey> keys;
  for (const StoredKey& stored : all) {
    if (stored.role != "root" || std::cmp_equal(keys.size(), options.root_keys)) continue;
    program.terminal.note("going on with the key " + describe(stored) + " that is here already");
    TRY(ota::SigningKey key, open_key(stored, passphrase));
    keys.push_back(std::move(key));
  }
  while (std::cmp_less(keys.size(), options.root_keys)) {
    TRY(ota::SigningKey key, make_key(program, store, "root", passphrase, options.second_copy));
    keys.push_back(std::move(key));
  }
  return keys;
}

proto::Result<ota::Root> first_root(const std::vector<ota::SigningKey>& root_keys,
                                    const ota::SigningKey& targets_key,
                                    const fleet::v1::OnlineKeys& online,
                                    const KeysOptions& options) {
  TRY(const ota::PublicKey snapshot, read_online_key(online.snapshot(), "snapshot"));
  TRY(const ota::PublicKey timestamp, read_online_key(online.timestamp(), "timestamp"));
  ota::RootPlan plan;
  for (const ota::SigningKey& key : root_keys) plan.root_keys.push_back(key.public_key());
  plan.root_threshold = options.root_threshold;
  plan.targets_keys = {targets_key.public_key()};
  plan.snapshot_keys = {snapshot};
  plan.timestamp_keys = {timestamp};
  return ota::make_root(plan, now_s());
}

std::string sign_by(const ota::Root& root, const std::vector<ota::SigningKey>& keys) {
  std::vector<const ota::SigningKey*> signers;
  for (const ota::SigningKey& key : keys) signers.push_back(&key);
  return ota::sign(root, signers);
}

// Nothing is made where somebody else's root or targets are.
proto::Status check_free(Api& api, const std::string& host) {
  const auto targets = api.metadata("1.targets.json", proto::kMaxTargetsBytes);
  if (!targets && targets.error().code == Code::not_found) return {};
  return proto::Error{Code::already_exists,
                      host + " has a trust root and signing keys already; nothing was made\n"
                      "see them:  fleetctl keys list", {}};
}

proto::Status check_ours(const std::string& root_bytes, const ota::SigningKey& root_key,
                         const std::string& host) {
  TRY(const auto root, ota::parse_root(root_bytes));
  if (root.value.keys.contains(root_key.keyid())) return {};
  return proto::Error{Code::already_exists,
                      host + " has a trust root that was not made here; its init was cut short on "
                      "another machine, go on there", {}};
}

}  // namespace

CommandResult keys_init(Program& program, const KeysOptions& options) {
  TRY_VOID(check_second_copy("init", options));
  if (options.root_threshold > options.root_keys) {
    return proto::Error{Code::bad_argument,
                        "a root by " + std::to_string(options.root_threshold) + " of " +
                            std::to_string(options.root_keys) + " keys can never be signed; make "
                            "more with --root-keys, or lower --root-threshold", {}};
  }
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  const KeyStore keys(connection.context.keys_folder());
  TRY_VOID(make_folders(keys.folder()));
  const auto there = api.metadata("1.root.json", proto::kMaxRootBytes);
  if (!there && there.error().code != Code::not_found) return there.error();
  TRY(const fleet::v1::OnlineKeys online, api.online_keys());
  if (there) TRY_VOID(check_free(api, connection.host()));
  TRY(const ota::Secret passphrase,
      new_passphrase(passphrase_source(options.passphrase_file)));
  TRY(const auto root_keys, take_or_make_roots(program, keys, passphrase, options));
  TRY(const ota::SigningKey targets_key,
      take_or_make(program, keys, "targets", passphrase, options.second_copy));

  std::string root_bytes;
  if (there) {
    TRY_VOID(check_ours(*there, root_keys.front(), connection.host()));
    root_bytes = *there;
  } else {
    TRY(const ota::Root root, first_root(root_keys, targets_key, online, options));
    root_bytes = sign_by(root, root_keys);
    TRY_VOID(send_metadata(api, "root", root_bytes));
  }
  const ota::SigningKey* const signers[] = {&targets_key};
  TRY_VOID(send_metadata(api, "targets", ota::sign(ota::make_targets(now_s()), signers)));
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY_VOID(trust->bootstrap(root_bytes));
  TRY_VOID(trust->refresh());
  if (program.json) return keys_list(program);
  program.terminal.line("  second     " + options.second_copy + " (opened and compared)");
  program.terminal.line("Trust root 1 of " + connection.host() +
                        " is made. Keep the second copy and the passphrase apart.");
  if (options.root_keys > 1) {
    program.terminal.line("Give each root key to another person; " +
                          std::to_string(options.root_threshold) + " of " +
                          std::to_string(options.root_keys) + " sign the next root.");
  }
  program.terminal.line("  next       fleetctl keys delegate APP");
  return ExitCode::ok;
}

CommandResult keys_delegate(Program& program, const KeysOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  const KeyStore keys(connection.context.keys_folder());
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY_VOID(trust->refresh());
  if (const ota::DelegatedRole* line = trust->delegation(options.app)) {
    std::vector<std::string> ids;
    for (const std::string& id : line->keys.keyids) ids.push_back(short_digest(id));
    return proto::Error{Code::already_exists,
                        "apps/" + options.app + " is delegated already, to key " +
                            join(ids, ", ") + "; nothing was changed\nsee:  fleetctl keys list",
                        options.app};
  }
  ota::Targets next = ota::next_targets(trust->trusted().targets()->value, now_s());
  const std::string role = ota::app_role_name(options.app);
  // Asked before a key is made: a name that cannot be an app's leaves nothing behind.
  {
    ota::Targets trial = next;
    TRY_VOID(ota::delegate_app(trial, options.app, ota::SigningKey::generate().public_key()));
  }
  TRY(const StoredKey targets_key, keys.find("targets", keyids_of(*trust, "targets")));
  TRY(const ota::Secret passphrase,
      passphrase_for(passphrase_source(options.passphrase_file),
                     "Signing targets " + std::to_string(next.header.version) + " with key " +
                         describe(targets_key) + ". Passphrase:"));
  TRY(const ota::SigningKey signer, open_key(targets_key, passphrase));
  TRY(const ota::SigningKey app_key,
      take_or_make(program, keys, role, passphrase, options.second_copy));
  TRY_VOID(ota::delegate_app(next, options.app, app_key.public_key()));
  const ota::SigningKey* const signers[] = {&signer};
  TRY_VOID(send_metadata(api, "targets", ota::sign(next, signers)));
  TRY_VOID(trust->refresh());
  if (program.json) return keys_list(program);
  program.terminal.line("apps/" + options.app + " is signed by this machine from now on (targets " +
                        std::to_string(next.header.version) + ").");
  program.terminal.line("  next       fleetctl push " + options.app + " --to SELECTOR");
  return ExitCode::ok;
}

CommandResult keys_list(Program& program) {
  TRY(const Connection connection, connect(program));
  const KeyStore keys(connection.context.keys_folder());
  TRY(const std::vector<StoredKey> here, keys.list());
  TRY(const auto trust, Trust::open(connection.context, *connection.api));
  TRY_VOID(trust->refresh());
  Table table({"ROLE", "KEY", "EXPIRES", "HERE"});
  ota::Json rows = ota::Json::array();
  const std::vector<RoleExpiry> roles = expiries(*trust);
  for (const RoleExpiry& expiry : roles) {
    const bool online = ota::is_online_role(expiry.role);
    for (const std::string& id : keyids_of(*trust, expiry.role)) {
      const auto stored = std::find_if(
          here.begin(), here.end(), [&id](const StoredKey& key) { return key.key.keyid() == id; });
      const std::string place = stored != here.end() ? stored->label : "";
      table.add({shown_role(expiry.role), short_digest(id),
                 expiry.expires == 0 ? "not used yet" : time_left(expiry.expires, now_s()),
                 online ? "at the controller, renews itself" : place.empty() ? "no" : place});
      rows.push_back(ota::Json::object({{"role", expiry.role}, {"keyid", id},
                                        {"expires", expiry.expires},
                                        {"needs_care", needs_care(expiry, now_s())},
                                        {"here", !place.empty()}, {"label", place}}));
    }
  }
  if (program.json) {
    program.terminal.line(ota::pretty_json(ota::Json::object({{"keys", rows}})));
  } else {
    program.terminal.lines(table.lines());
    for (const std::string& note : expiry_notes(roles, now_s())) program.terminal.note(note);
  }
  return ExitCode::ok;
}

CommandResult keys_refresh(Program& program, const KeysOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  const KeyStore keys(connection.context.keys_folder());
  TRY(const auto trust, Trust::open(connection.context, api));
  trust->take_expired();
  TRY_VOID(trust->refresh());
  std::vector<std::string> due;
  for (const RoleExpiry& role : expiries(*trust)) {
    if (!ota::is_online_role(role.role) && needs_care(role, now_s())) due.push_back(role.role);
  }
  if (due.empty()) {
    if (program.json) return keys_list(program);
    program.terminal.line("Nothing to renew:");
    return keys_list(program);
  }
  TRY(const ota::Secret passphrase,
      passphrase_for(passphrase_source(options.passphrase_file), "Passphrase of the keys:"));
  const auto is_due = [&due](const char* role) {
    return std::find(due.begin(), due.end(), role) != due.end();
  };
  if (is_due(ota::Targets::kType)) {
    TRY(const StoredKey stored, keys.find("targets", keyids_of(*trust, "targets")));
    TRY(const ota::SigningKey key, open_key(stored, passphrase));
    const ota::SigningKey* const signers[] = {&key};
    const ota::Targets next = ota::next_targets(trust->trusted().targets()->value, now_s());
    TRY_VOID(send_metadata(api, "targets", ota::sign(next, signers)));
    TRY_VOID(trust->refresh());
  }
  for (const std::string& role : due) {
    if (role.starts_with("apps.")) {
      TRY_VOID(renew_app_role(program, connection, *trust, role.substr(5), passphrase));
    }
  }
  if (is_due(ota::Root::kType)) {
    return deliver_root(program, connection, *trust,
                        ota::next_root(trust->root().value, now_s()), passphrase, options.out);
  }
  return keys_list(program);
}

}  // namespace fleetctl
