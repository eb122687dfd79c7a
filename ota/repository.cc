// Making roles: root, targets, snapshot, timestamp. App roles are repository_app.cc, the
// controller's checks repository_accept.cc.
#include "ota/repository.h"

#include <algorithm>

#include "proto/limits.h"

namespace ota {
namespace {

// One role of a root: its keys go into the root's list.
Status put_role(Root& root, const char* name, const std::vector<PublicKey>& keys,
                std::int64_t threshold) {
  RoleKeys role;
  role.threshold = threshold;
  for (const PublicKey& key : keys) {
    if (!key.usable()) {
      return Error{Code::bad_argument, std::string("a key of ") + name + " cannot be used", name};
    }
    if (std::find(role.keyids.begin(), role.keyids.end(), key.keyid()) != role.keyids.end()) {
      return Error{Code::bad_argument, std::string("a key of ") + name + " is given twice", name};
    }
    role.keyids.push_back(key.keyid());
    root.keys.insert_or_assign(key.keyid(), key);
  }
  if (threshold < 1 || static_cast<std::uint64_t>(threshold) > role.keyids.size()) {
    return Error{Code::bad_argument,
                 std::string(name) + " wants " + std::to_string(threshold) + " of " +
                     std::to_string(role.keyids.size()) + " keys; give as many as it wants",
                 name};
  }
  root.roles.insert_or_assign(name, std::move(role));
  return {};
}

bool is_app_name(std::string_view name) {
  if (name.empty() || name.size() > proto::kMaxNameLength) return false;
  if (name.front() == '-' || name.back() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// Keys that no line names any more go.
void drop_unused_keys(Delegations& delegations) {
  std::erase_if(delegations.keys, [&](const auto& entry) {
    return std::none_of(delegations.roles.begin(), delegations.roles.end(),
                        [&](const DelegatedRole& role) {
                          const auto& ids = role.keys.keyids;
                          return std::find(ids.begin(), ids.end(), entry.first) != ids.end();
                        });
  });
}

}  // namespace

bool renew_due(std::int64_t expires, std::int64_t lifetime_s, std::int64_t now) {
  return now >= expires - lifetime_s / 2;
}

bool is_online_role(std::string_view role) {
  return role == Snapshot::kType || role == Timestamp::kType;
}

std::int64_t lifetime_s(std::string_view role) {
  if (role == Root::kType) return kRootLifetime_s;
  if (role == Snapshot::kType) return kSnapshotLifetime_s;
  if (role == Timestamp::kType) return kTimestampLifetime_s;
  return kTargetsLifetime_s;
}

bool needs_care(std::string_view role, std::int64_t expires, std::int64_t now) {
  const std::int64_t all = lifetime_s(role);
  return renew_due(expires, is_online_role(role) ? all / 2 : all, now);
}

Result<Root> make_root(const RootPlan& plan, std::int64_t now) {
  Root root;
  root.header.expires = now + kRootLifetime_s;
  TRY_VOID(put_role(root, Root::kType, plan.root_keys, plan.root_threshold));
  TRY_VOID(put_role(root, Targets::kType, plan.targets_keys, plan.targets_threshold));
  TRY_VOID(put_role(root, Snapshot::kType, plan.snapshot_keys, 1));
  TRY_VOID(put_role(root, Timestamp::kType, plan.timestamp_keys, 1));
  return root;
}

Root next_root(const Root& current, std::int64_t now) {
  Root next = current;
  ++next.header.version;
  next.header.expires = now + kRootLifetime_s;
  return next;
}

Status replace_key(Root& root, std::string_view role, const std::string& keyid,
                   const PublicKey* by) {
  const auto found = root.roles.find(std::string(role));
  if (found == root.roles.end() || std::erase(found->second.keyids, keyid) == 0) {
    return Error{Code::not_found, keyid + " is no key of " + std::string(role),
                 std::string(role)};
  }
  RoleKeys& keys = found->second;
  if (by != nullptr) {
    keys.keyids.push_back(by->keyid());
    root.keys.insert_or_assign(by->keyid(), *by);
  }
  if (static_cast<std::int64_t>(keys.keyids.size()) < keys.threshold) {
    return Error{Code::bad_argument,
                 std::string(role) + " would have " + std::to_string(keys.keyids.size()) +
                     " of the " + std::to_string(keys.threshold) +
                     " keys that must sign it; put another in its place: fleetctl keys rotate " +
                     std::string(role),
                 std::string(role)};
  }
  const bool in_use = std::any_of(root.roles.begin(), root.roles.end(), [&](const auto& entry) {
    const auto& ids = entry.second.keyids;
    return std::find(ids.begin(), ids.end(), keyid) != ids.end();
  });
  if (!in_use) root.keys.erase(keyid);
  return {};
}

Targets make_targets(std::int64_t now) {
  Targets targets;
  targets.header.expires = now + kTargetsLifetime_s;
  return targets;
}

Targets next_targets(const Targets& current, std::int64_t now) {
  Targets next = current;
  ++next.header.version;
  next.header.expires = now + kTargetsLifetime_s;
  return next;
}

Status delegate_app(Targets& targets, std::string_view app, const PublicKey& key) {
  if (!is_app_name(app)) {
    return Error{Code::bad_argument,
                 "\"" + std::string(app) +
                     "\" is no app name: small letters, digits and -, at most " +
                     std::to_string(proto::kMaxNameLength) + " characters",
                 std::string(app)};
  }
  if (!key.usable()) return Error{Code::bad_argument, "the app's key cannot be used", ""};
  if (!targets.delegations) targets.delegations.emplace();
  Delegations& delegations = *targets.delegations;
  DelegatedRole role;
  role.name = app_role_name(app);
  role.keys.keyids = {key.keyid()};
  role.paths = {"apps/" + std::string(app) + "/*/*"};
  role.terminating = true;
  delegations.keys.insert_or_assign(key.keyid(), key);
  const auto same = std::find_if(delegations.roles.begin(), delegations.roles.end(),
                                 [&](const DelegatedRole& each) { return each.name == role.name; });
  if (same != delegations.roles.end()) {
    *same = std::move(role);
  } else {
    delegations.roles.push_back(std::move(role));
  }
  drop_unused_keys(delegations);
  return {};
}

std::int64_t next_online_version(std::int64_t last, std::int64_t now) {
  return std::max(last + 1, now / 60);
}

MetaFile describe(std::string_view bytes, std::int64_t version) {
  MetaFile file;
  file.version = version;
  file.length_bytes = static_cast<std::int64_t>(bytes.size());
  file.hashes = Hashes{sha256(bytes), {}, {}};
  return file;
}

Snapshot make_snapshot(std::int64_t last_version, std::map<std::string, MetaFile> files,
                       std::int64_t now) {
  FLEET_ASSERT(files.count("targets.json") == 1);
  Snapshot snapshot;
  snapshot.header.version = next_online_version(last_version, now);
  snapshot.header.expires = now + kSnapshotLifetime_s;
  snapshot.meta = std::move(files);
  snapshot.issued = now;
  return snapshot;
}

Timestamp make_timestamp(std::int64_t last_version, const MetaFile& snapshot, std::int64_t now) {
  Timestamp timestamp;
  timestamp.header.version = next_online_version(last_version, now);
  timestamp.header.expires = now + kTimestampLifetime_s;
  timestamp.snapshot = snapshot;
  timestamp.issued = now;
  return timestamp;
}

}  // namespace ota
