// Keys that take the place of others: by rotation, where the old ones are still here, and by
// revocation, where they are not to be trusted any more.
#include <algorithm>

#include "deploy/fleetctl/keys_sign.h"
#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

using proto::Code;

constexpr std::size_t kMinIdDigits = 8;  // as `keys list` shows them

proto::Status check_role(const std::string& role) {
  if (role == "root" || role == "targets") return {};
  return proto::Error{Code::not_supported,
                      role + ": only root and targets are rotated so far", role};
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

proto::Result<NamedKey> find_named(const ota::Root& root, const std::string& id) {
  std::vector<NamedKey> found;
  for (const char* role : {ota::Root::kType, ota::Targets::kType}) {
    for (const std::string& keyid : root.roles.at(role).keyids) {
      if (id.size() >= kMinIdDigits && keyid.starts_with(id)) found.push_back({role, keyid});
    }
  }
  if (found.size() == 1) return found.front();
  return proto::Error{Code::not_found,
                      "\"" + id + "\" is the id of " + std::to_string(found.size()) +
                          " keys of root and targets; see the ids:  fleetctl keys list", id};
}

}  // namespace

CommandResult keys_rotate(Program& program, const KeysOptions& options) {
  TRY_VOID(check_role(options.role));
  TRY_VOID(check_second_copy("rotate " + options.role, options));
  TRY(const Connection connection, connect(program));
  const KeyStore store(connection.context.keys_folder());
  TRY(const auto trust, Trust::open(connection.context, *connection.api));
  TRY_VOID(trust->refresh());
  const std::vector<std::string> ids = keyids_of(*trust, options.role);
  TRY(const StoredKey first, store.find(options.role, ids));
  TRY(const ota::Secret passphrase,
      passphrase_for(passphrase_source(options.passphrase_file),
                     "Rotating key " + describe(first) + ". Passphrase:"));
  TRY(std::vector<ota::SigningKey> keys, open_keys(store, ids, passphrase));
  ota::Root next = ota::next_root(trust->trusted().root().value, now_s());
  const std::size_t old_count = keys.size();
  for (std::size_t i = 0; i < old_count; ++i) {
    ota::SigningKey key = ota::SigningKey::generate();
    TRY(const StoredKey stored, store.save(key, options.role, passphrase, options.second_copy));
    program.terminal.note("  made       " + describe(stored));
    TRY_VOID(ota::replace_key(next, options.role, keys[i].keyid(), &key.public_key()));
    keys.push_back(std::move(key));
  }
  if (options.role == ota::Targets::kType) {
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
  TRY(const NamedKey named, find_named(trust->trusted().root().value, options.key_id));
  ota::Root next = ota::next_root(trust->trusted().root().value, now_s());
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
