#include "ota/trusted_set.h"

#include <algorithm>

namespace ota {
namespace {

std::string named(std::string_view role, std::int64_t version) {
  return std::string(role) + " version " + std::to_string(version);
}

Error out_of_order(std::string_view what) {
  return Error{Code::bad_metadata, std::string(what), ""};
}

Status check_date(std::string_view role, const Header& header, std::int64_t now) {
  if (now < header.expires) return {};
  return Error{Code::expired,
               named(role, header.version) + " expired at " + format_time(header.expires) +
                   " and now is " + format_time(std::clamp<std::int64_t>(now, 0, 253402300799)) +
                   "; whoever holds its keys must renew it, or the clock here is wrong",
               std::string(role)};
}

Error older(std::string_view role, std::int64_t offered, std::int64_t trusted) {
  return Error{Code::rollback,
               named(role, offered) + " was offered, but " + std::to_string(trusted) +
                   " is already trusted; the repository or mirror is behind or was put back",
               std::string(role)};
}

// Length and digests, as far as the parent file gives any.
Status check_bytes(std::string_view bytes, const MetaFile& meta, std::string_view role) {
  const bool length_fits =
      !meta.length_bytes || static_cast<std::uint64_t>(*meta.length_bytes) == bytes.size();
  const bool digest_fits = !meta.hashes || matches(bytes, meta.length_bytes, *meta.hashes);
  if (length_fits && digest_fits) return {};
  return Error{Code::bad_digest,
               named(role, meta.version) + ": the " + std::to_string(bytes.size()) +
                   " bytes that came are not those that its parent signed; fetch it again",
               std::string(role)};
}

Error other_version(std::string_view role, std::int64_t offered, std::int64_t wanted) {
  return Error{Code::bad_digest,
               named(role, offered) + " was offered where " + std::to_string(wanted) +
                   " is signed; files of two releases of the repository are mixed",
               std::string(role)};
}

// TUF 1.0 section 5.5.5: no role may go back or go away.
Status check_no_role_goes_back(const Snapshot& trusted, const Snapshot& offered) {
  for (const auto& [name, file] : trusted.meta) {
    const auto found = offered.meta.find(name);
    if (found == offered.meta.end()) {
      return Error{Code::rollback,
                   named("snapshot", offered.header.version) + " no longer lists " + name +
                       ", which is already trusted",
                   "snapshot"};
    }
    if (found->second.version < file.version) {
      return older(name + " in snapshot", found->second.version, file.version);
    }
  }
  return {};
}

}  // namespace

Result<TrustedSet> TrustedSet::start(std::string_view root_bytes, std::int64_t now) {
  TRY(Signed<Root> root, parse_root(root_bytes));
  TRY_VOID(verify_threshold(root.canonical, root.signatures, root.value.keys,
                            root.value.roles.at(Root::kType), Root::kType));
  return TrustedSet(std::move(root), now);
}

Status TrustedSet::update_root(std::string_view bytes) {
  if (timestamp_) return out_of_order("a root cannot be taken after a timestamp");
  TRY(Signed<Root> next, parse_root(bytes));
  const std::int64_t trusted = root_.value.header.version;
  const std::int64_t offered = next.value.header.version;
  const std::string name = named(Root::kType, offered);
  TRY_VOID(verify_threshold(next.canonical, next.signatures, root_.value.keys,
                            root_.value.roles.at(Root::kType),
                            name + " (by the keys of version " + std::to_string(trusted) + ")"));
  if (offered <= trusted) return older(Root::kType, offered, trusted);
  if (offered != trusted + 1) {
    return Error{Code::bad_metadata,
                 name + " was offered after " + std::to_string(trusted) +
                     "; every version between is needed",
                 Root::kType};
  }
  TRY_VOID(verify_threshold(next.canonical, next.signatures, next.value.keys,
                            next.value.roles.at(Root::kType), name + " (by its own keys)"));
  root_ = std::move(next);
  return {};
}

Status TrustedSet::check_root_date() const {
  return check_date(Root::kType, root_.value.header, now_);
}

Result<bool> TrustedSet::update_timestamp(std::string_view bytes) {
  if (snapshot_) return out_of_order("a timestamp cannot be taken after a snapshot");
  TRY_VOID(check_root_date());
  TRY(Signed<Timestamp> next, parse_timestamp(bytes));
  const std::int64_t offered = next.value.header.version;
  TRY_VOID(verify_threshold(next.canonical, next.signatures, root_.value.keys,
                            root_.value.roles.at(Timestamp::kType),
                            named(Timestamp::kType, offered)));
  if (timestamp_) {
    const std::int64_t trusted = timestamp_->value.header.version;
    if (offered < trusted) return older(Timestamp::kType, offered, trusted);
    if (offered == trusted) return false;
    const std::int64_t snapshot_trusted = timestamp_->value.snapshot.version;
    const std::int64_t snapshot_offered = next.value.snapshot.version;
    if (snapshot_offered < snapshot_trusted) {
      return older(named(Timestamp::kType, offered) + "'s snapshot", snapshot_offered,
                   snapshot_trusted);
    }
  }
  timestamp_ = std::move(next);
  TRY_VOID(check_timestamp_final());
  return true;
}

Status TrustedSet::check_timestamp_final() const {
  FLEET_ASSERT(timestamp_.has_value());
  return check_date(Timestamp::kType, timestamp_->value.header, now_);
}

Status TrustedSet::update_snapshot(std::string_view bytes, bool stored) {
  if (!timestamp_) return out_of_order("a snapshot cannot be taken before a timestamp");
  if (!targets_.empty()) return out_of_order("a snapshot cannot be taken after targets");
  TRY_VOID(check_timestamp_final());
  if (!stored) TRY_VOID(check_bytes(bytes, timestamp_->value.snapshot, Snapshot::kType));
  TRY(Signed<Snapshot> next, parse_snapshot(bytes));
  TRY_VOID(verify_threshold(next.canonical, next.signatures, root_.value.keys,
                            root_.value.roles.at(Snapshot::kType),
                            named(Snapshot::kType, next.value.header.version)));
  if (snapshot_) TRY_VOID(check_no_role_goes_back(snapshot_->value, next.value));
  // A fetched file must be the wanted one to be taken at all; an own older one stays, because the
  // next one is compared with it.
  const std::int64_t wanted = timestamp_->value.snapshot.version;
  if (!stored && next.value.header.version != wanted) {
    return other_version(Snapshot::kType, next.value.header.version, wanted);
  }
  snapshot_ = std::move(next);
  return check_snapshot_final();
}

Status TrustedSet::check_snapshot_final() const {
  FLEET_ASSERT(snapshot_.has_value() && timestamp_.has_value());
  TRY_VOID(check_date(Snapshot::kType, snapshot_->value.header, now_));
  const std::int64_t have = snapshot_->value.header.version;
  const std::int64_t wanted = timestamp_->value.snapshot.version;
  if (have != wanted) return other_version(Snapshot::kType, have, wanted);
  return {};
}

const Signed<Snapshot>* TrustedSet::snapshot() const {
  if (!snapshot_ || !check_timestamp_final() || !check_snapshot_final()) return nullptr;
  return &*snapshot_;
}

Result<Signed<Targets>> TrustedSet::check_targets(std::string_view bytes, std::string_view role,
                                                  const std::map<std::string, PublicKey>& keys,
                                                  const RoleKeys& role_keys) const {
  if (!snapshot_) return out_of_order("targets cannot be taken before a snapshot");
  TRY_VOID(check_timestamp_final());
  TRY_VOID(check_snapshot_final());
  const auto meta = snapshot_->value.meta.find(std::string(role) + ".json");
  if (meta == snapshot_->value.meta.end()) {
    return Error{Code::not_signed,
                 named(Snapshot::kType, snapshot_->value.header.version) +
                     " does not list the role " + std::string(role) + "; nothing was published",
                 std::string(role)};
  }
  TRY_VOID(check_bytes(bytes, meta->second, role));
  TRY(Signed<Targets> next, parse_targets(bytes));
  const std::int64_t offered = next.value.header.version;
  TRY_VOID(verify_threshold(next.canonical, next.signatures, keys, role_keys,
                            named(role, offered)));
  if (offered != meta->second.version) return other_version(role, offered, meta->second.version);
  TRY_VOID(check_date(role, next.value.header, now_));
  return next;
}

Status TrustedSet::update_targets(std::string_view bytes) {
  TRY(Signed<Targets> next, check_targets(bytes, Targets::kType, root_.value.keys,
                                          root_.value.roles.at(Targets::kType)));
  if (targets_.count(Targets::kType) != 0) return out_of_order("targets are taken already");
  targets_.emplace(Targets::kType, std::move(next));
  checked_.emplace(Targets::kType, Root::kType);
  return {};
}

Status TrustedSet::update_delegated(std::string_view bytes, std::string_view role,
                                    std::string_view delegator) {
  const Signed<Targets>* parent = targets(delegator);
  if (parent == nullptr) return out_of_order("the delegating role is not taken yet");
  const DelegatedRole* line = nullptr;
  if (parent->value.delegations) {
    const auto& roles = parent->value.delegations->roles;
    const auto found = std::find_if(roles.begin(), roles.end(),
                                    [&](const DelegatedRole& each) { return each.name == role; });
    if (found != roles.end()) line = &*found;
  }
  if (line == nullptr) {
    return Error{Code::not_signed,
                 std::string(delegator) + " does not delegate to a role " + std::string(role),
                 std::string(role)};
  }
  TRY(Signed<Targets> next,
      check_targets(bytes, role, parent->value.delegations->keys, line->keys));
  const auto have = targets_.find(role);
  if (have == targets_.end()) {
    targets_.emplace(std::string(role), std::move(next));
  } else if (have->second.raw != next.raw) {
    // What another delegator vouched for may not be exchanged under it.
    return other_version(role, next.value.header.version, have->second.value.header.version);
  }
  checked_.emplace(std::string(role), std::string(delegator));
  return {};
}

const Signed<Targets>* TrustedSet::targets(std::string_view role) const {
  const auto found = targets_.find(role);
  return found == targets_.end() ? nullptr : &found->second;
}

bool TrustedSet::has_delegated(std::string_view role, std::string_view delegator) const {
  return checked_.count({std::string(role), std::string(delegator)}) != 0;
}

}  // namespace ota
