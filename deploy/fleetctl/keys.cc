#include "deploy/fleetctl/keys.h"

#include <algorithm>
#include <optional>

#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/trust.h"
#include "ota/json.h"
#include "proto/limits.h"

namespace fleetctl {
namespace {

using proto::Code;

proto::Result<ota::PublicKey> read_key(const std::string& json, const char* role) {
  auto parsed = ota::parse_json(json);
  if (!parsed) return parsed.error().with("the controller's " + std::string(role) + " key");
  return ota::PublicKey::from_json(*parsed);
}

proto::Status send(Api& api, const std::string& role, const std::string& json) {
  fleet::v1::MetadataUpload upload;
  upload.set_role(role);
  upload.set_json(json);
  return api.upload_metadata(upload);
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
  ota::SigningKey key = ota::SigningKey::generate();
  TRY(const StoredKey stored, keys.save(key, role, passphrase, second_copy));
  if (!program.json) program.terminal.line("  made       " + describe(stored));
  return key;
}

struct Expiry {
  std::string role;
  std::int64_t expires = 0;
};

std::string days_left(std::int64_t expires) {
  const std::int64_t left = expires - now_s();
  return left <= 0 ? "expired" : age_text(static_cast<std::uint64_t>(left) * 1000);
}

std::vector<Expiry> expiries(Trust& trust) {
  std::vector<Expiry> all;
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

// Which keys may sign a role today.
std::vector<std::string> keyids_of(Trust& trust, const std::string& role) {
  if (role.starts_with("apps.")) {
    const ota::DelegatedRole* line = trust.delegation(role.substr(5));
    return line == nullptr ? std::vector<std::string>() : line->keys.keyids;
  }
  const auto& roles = trust.trusted().root().value.roles;
  const auto found = roles.find(role);
  return found == roles.end() ? std::vector<std::string>() : found->second.keyids;
}

// Opens the key of a role on this machine and signs.
template <typename Value>
proto::Result<std::string> sign_as(Trust& trust, const KeyStore& keys, const std::string& role,
                                   const Value& value, const ota::Secret& passphrase) {
  TRY(const StoredKey stored, keys.find(role, keyids_of(trust, role)));
  TRY(const ota::SigningKey key, open_key(stored, passphrase));
  const ota::SigningKey* const signers[] = {&key};
  return ota::sign(value, signers);
}

}  // namespace

CommandResult keys_init(Program& program, const KeysOptions& options) {
  if (options.second_copy.empty()) {
    return proto::Error{Code::bad_argument,
                        "keys init needs --second-copy DIR: a lost root key cannot be made again, "
                        "and with it every device would have to be enrolled anew\n"
                        "name a folder on another disk, best one that is kept elsewhere", {}};
  }
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  const KeyStore keys(connection.context.keys_folder());
  TRY_VOID(make_folders(keys.folder()));
  const auto there = api.metadata("1.root.json", proto::kMaxRootBytes);
  if (!there && there.error().code != Code::not_found) return there.error();
  TRY(const fleet::v1::OnlineKeys online, api.online_keys());
  TRY(const ota::PublicKey snapshot, read_key(online.snapshot(), "snapshot"));
  TRY(const ota::PublicKey timestamp, read_key(online.timestamp(), "timestamp"));
  if (there) {
    const auto targets = api.metadata("1.targets.json", proto::kMaxTargetsBytes);
    if (targets || targets.error().code != Code::not_found) {
      return proto::Error{Code::already_exists,
                          connection.host() + " has a trust root and signing keys already; "
                          "nothing was made\nsee them:  fleetctl keys list", {}};
    }
  }
  TRY(const ota::Secret passphrase,
      new_passphrase(passphrase_source(options.passphrase_file)));
  TRY(const ota::SigningKey root_key,
      take_or_make(program, keys, "root", passphrase, options.second_copy));
  TRY(const ota::SigningKey targets_key,
      take_or_make(program, keys, "targets", passphrase, options.second_copy));

  std::string root_bytes;
  if (there) {
    TRY(const auto root, ota::parse_root(*there));
    if (!root.value.keys.contains(root_key.keyid())) {
      return proto::Error{Code::already_exists,
                          connection.host() + " has a trust root that was not made here; its init "
                          "was cut short on another machine, go on there", {}};
    }
    root_bytes = *there;
  } else {
    ota::RootPlan plan;
    plan.root_keys = {root_key.public_key()};
    plan.targets_keys = {targets_key.public_key()};
    plan.snapshot_keys = {snapshot};
    plan.timestamp_keys = {timestamp};
    TRY(const ota::Root root, ota::make_root(plan, now_s()));
    const ota::SigningKey* const root_signers[] = {&root_key};
    root_bytes = ota::sign(root, root_signers);
    TRY_VOID(send(api, "root", root_bytes));
  }
  const ota::SigningKey* const signers[] = {&targets_key};
  TRY_VOID(send(api, "targets", ota::sign(ota::make_targets(now_s()), signers)));
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY_VOID(trust->bootstrap(root_bytes));
  TRY_VOID(trust->refresh());
  if (program.json) return keys_list(program);
  program.terminal.line("  second     " + options.second_copy + " (opened and compared)");
  program.terminal.line("Trust root 1 of " + connection.host() +
                        " is made. Keep the second copy and the passphrase apart.");
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
  TRY_VOID(send(api, "targets", ota::sign(next, signers)));
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
  for (const Expiry& expiry : expiries(*trust)) {
    const bool online = expiry.role == "snapshot" || expiry.role == "timestamp";
    for (const std::string& id : keyids_of(*trust, expiry.role)) {
      const auto stored = std::find_if(
          here.begin(), here.end(), [&id](const StoredKey& key) { return key.key.keyid() == id; });
      const std::string place = stored != here.end() ? stored->label : "";
      table.add({shown_role(expiry.role), short_digest(id),
                 expiry.expires == 0 ? "not used yet" : days_left(expiry.expires),
                 online ? "at the controller, renews itself" : place.empty() ? "no" : place});
      rows.push_back(ota::Json::object({{"role", expiry.role}, {"keyid", id},
                                        {"expires", expiry.expires}, {"here", !place.empty()},
                                        {"label", place}}));
    }
  }
  if (program.json) {
    program.terminal.line(ota::pretty_json(ota::Json::object({{"keys", rows}})));
  } else {
    program.terminal.lines(table.lines());
  }
  return ExitCode::ok;
}

CommandResult keys_refresh(Program& program, const KeysOptions& options) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  const KeyStore keys(connection.context.keys_folder());
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY_VOID(trust->refresh());
  const ota::Root& root = trust->trusted().root().value;
  const ota::Targets& targets = trust->trusted().targets()->value;
  const bool root_due = ota::renew_due(root.header.expires, ota::kRootLifetime_s, now_s());
  const bool targets_due = ota::renew_due(targets.header.expires, ota::kTargetsLifetime_s, now_s());
  if (!root_due && !targets_due) {
    if (program.json) return keys_list(program);
    program.terminal.line("Nothing to renew: root " + days_left(root.header.expires) +
                          ", targets " + days_left(targets.header.expires) +
                          ". App roles are renewed by each push.");
    return ExitCode::ok;
  }
  TRY(const ota::Secret passphrase,
      passphrase_for(passphrase_source(options.passphrase_file), "Passphrase of the keys:"));
  if (root_due) {
    TRY(const std::string bytes,
        sign_as(*trust, keys, "root", ota::next_root(root, now_s()), passphrase));
    TRY_VOID(send(api, "root", bytes));
  }
  if (targets_due) {
    TRY(const std::string bytes,
        sign_as(*trust, keys, "targets", ota::next_targets(targets, now_s()), passphrase));
    TRY_VOID(send(api, "targets", bytes));
  }
  TRY_VOID(trust->refresh());
  return keys_list(program);
}

}  // namespace fleetctl
