// Keys that take the place of others: by rotation, where the old ones are still here, and by
// revocation, where they are not to be trusted any more.
#include <algorithm>

#include "deploy/fleetctl/keys_app.h"
#include "deploy/fleetctl/keys_sign.h"
#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

using proto::Code;

constexpr std::size_t kMinIdDigits = 8;  // as `keys list` shows them

constexpr std::string_view kAppPath = "apps/";

proto::Status check_roles(const std::vector<std::string>& roles) {
  for (const std::string& role : roles) {
    const bool in_root = role == ota::Root::kType || role == ota::Targets::kType;
    if (in_root || ota::is_online_role(role)) continue;
    const bool of_app = role.starts_with(kAppPath);
    return proto::Error{Code::bad_argument,
                        role + (of_app ? ": an app's key is not in the root; rotate it by itself"
                                       : ": one of root, targets, snapshot, timestamp, apps/NAME"),
                        role};
  }
  return {};
}

// The next targets by keys of the trusted root and of the next one, so that they are good under
// both and no device finds a moment at which they are not.
proto::Status sign_targets(Api& api, Trust& trust, const std::vector<ota::SigningKey>& keys) {
  std::vector<const ota::SigningKey*> signers;
  for (const ota::SigningKey& key : keys) signers.push_back(&key);
  const ota::Targets next = ota::next_targets(trust.trusted().targets()->value, now_s());
  return send_metadata(api, "targets", ota::sign(next, signers));
}

// The role of the one key whose id begins so, and its whole id.
struct NamedKey {
  std::string role;
  std::string keyid;
};

proto::Result<NamedKey> find_named(const Trust& trust, const std::string& id) {
  std::vector<NamedKey> found;
  const auto look = [&](const std::string& role, const std::vector<std::string>& keyids) {
    for (const std::string& keyid : keyids) {
      if (id.size() >= kMinIdDigits && keyid.starts_with(id)) found.push_back({role, keyid});
    }
  };
  for (const auto& [role, keys] : trust.root().value.roles) look(role, keys.keyids);
  const auto& delegations = trust.trusted().targets()->value.delegations;
  if (delegations) {
    for (const ota::DelegatedRole& line : delegations->roles) look(line.name, line.keys.keyids);
  }
  if (found.size() != 1) {
    return proto::Error{Code::not_found,
                        "\"" + id + "\" is the id of " + std::to_string(found.size()) +
                            " keys of this fleet; see the ids:  fleetctl keys list", id};
  }
  if (!found.front().role.starts_with("apps.")) return found.front();
  return proto::Error{Code::bad_argument,
                      shown_role(found.front().role) + " has no other key; put a new one in its "
                      "place, and this one signs nothing more:\nfleetctl keys rotate " +
                          shown_role(found.front().role), id};
}

// New keys of root or targets in the place of those that are here; `keys` gets all of them.
proto::Status rotate_here(Program& program, const KeyStore& store, const Trust& trust,
                          const std::string& role, const ota::Secret& passphrase,
                          const std::string& second_copy, ota::Root& next,
                          std::vector<ota::SigningKey>& keys) {
  TRY(keys, open_keys(store, keyids_of(trust, role), passphrase));
  const std::size_t old_count = keys.size();
  for (std::size_t i = 0; i < old_count; ++i) {
    ota::SigningKey key = ota::SigningKey::generate();
    TRY(const StoredKey stored, store.save(key, role, passphrase, second_copy));
    program.terminal.note("  made       " + describe(stored));
    TRY_VOID(ota::replace_key(next, role, keys[i].keyid(), &key.public_key()));
    keys.push_back(std::move(key));
  }
  return {};
}

// The controller makes the key and goes on with the old one until the root is there.
proto::Status rotate_online(Program& program, Api& api, const Trust& trust,
                            const std::string& role, ota::Root& next) {
  TRY(const fleet::v1::OnlineKeys online, api.make_online_key(role));
  const bool snapshot = role == ota::Snapshot::kType;
  TRY(const ota::PublicKey key,
      read_online_key(snapshot ? online.next_snapshot() : online.next_timestamp(), role));
  program.terminal.note("  made       " + role + " (at the controller, " +
                        short_digest(key.keyid()) + ")");
  const std::vector<std::string> old = keyids_of(trust, role);
  if (std::find(old.begin(), old.end(), key.keyid()) != old.end()) {
    return proto::Error{Code::conflict,
                        "the controller offers the " + role + " key that is to be replaced; "
                        "nothing was signed", role};
  }
  for (std::size_t i = 0; i < old.size(); ++i) {
    TRY_VOID(ota::replace_key(next, role, old[i], i == 0 ? &key : nullptr));
  }
  return {};
}

}  // namespace

CommandResult keys_rotate(Program& program, const KeysOptions& options) {
  const std::vector<std::string>& roles = options.roles;
  if (roles.size() == 1 && roles.front().starts_with(kAppPath)) {
    return rotate_app_key(program, roles.front().substr(kAppPath.size()), options);
  }
  TRY_VOID(check_roles(roles));
  const bool only_online = std::all_of(roles.begin(), roles.end(), ota::is_online_role);
  if (!only_online) TRY_VOID(check_second_copy("rotate " + join(roles, " "), options));
  TRY(const Connection connection, connect(program));
  const KeyStore store(connection.context.keys_folder());
  TRY(const auto trust, Trust::open(connection.context, *connection.api));
  // What stolen online keys signed may be unbelievable for ever; the root never is.
  TRY_VOID(only_online ? trust->refresh_root() : trust->refresh());
  const auto here = std::find_if_not(roles.begin(), roles.end(), ota::is_online_role);
  const std::string signs = only_online ? std::string(ota::Root::kType) : *here;
  TRY(const StoredKey first, store.find(signs, keyids_of(*trust, signs)));
  TRY(const ota::Secret passphrase,
      passphrase_for(passphrase_source(options.passphrase_file),
                     (only_online ? "Signing a root with key " : "Rotating key ") +
                         describe(first) + ". Passphrase:"));
  ota::Root next = ota::next_root(trust->root().value, now_s());
  for (const std::string& role : roles) {
    if (ota::is_online_role(role)) {
      TRY_VOID(rotate_online(program, *connection.api, *trust, role, next));
      continue;
    }
    std::vector<ota::SigningKey> keys;
    TRY_VOID(rotate_here(program, store, *trust, role, passphrase, options.second_copy, next,
                         keys));
    if (role != ota::Targets::kType) continue;
    TRY_VOID(sign_targets(*connection.api, *trust, keys));
    TRY_VOID(trust->refresh());
  }
  return deliver_root(program, connection, *trust, next, passphrase, options.out);
}

CommandResult keys_revoke(Program& program, const KeysOptions& options) {
  TRY(const Connection connection, connect(program));
  const KeyStore store(connection.context.keys_folder());
  TRY(const auto trust, Trust::open(connection.context, *connection.api));
  TRY_VOID(trust->refresh());
  TRY(const NamedKey named, find_named(*trust, options.key_id));
  ota::Root next = ota::next_root(trust->root().value, now_s());
  TRY_VOID(ota::replace_key(next, named.role, named.keyid, nullptr));
  TRY(const ota::Secret passphrase,
      passphrase_for(passphrase_source(options.passphrase_file),
                     "Revoking the " + named.role + " key " + short_digest(named.keyid) +
                         ". Passphrase of the keys here:"));
  if (named.role == ota::Targets::kType) {
    // What the revoked key signed alone would be worth nothing under the next root.
    TRY(const auto keys, open_keys(store, next.roles.at(named.role).keyids, passphrase));
    TRY_VOID(sign_targets(*connection.api, *trust, keys));
    TRY_VOID(trust->refresh());
  }
  return deliver_root(program, connection, *trust, next, passphrase, options.out);
}

}  // namespace fleetctl
