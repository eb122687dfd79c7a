#include "ota/updater.h"

#include <algorithm>
#include <set>
#include <vector>

#include "proto/limits.h"

namespace ota {
namespace {

constexpr const char* kRootFile = "root.json";
constexpr const char* kTimestampFile = "timestamp.json";
constexpr const char* kSnapshotFile = "snapshot.json";

// One role that may vouch for a path, and who says so.
struct Step {
  std::string role;
  std::string delegator;
};

// The roles that this one hands the path to, in order; `last` when one of them ends the search.
std::vector<Step> next_steps(const Targets& role, const std::string& name, std::string_view path,
                             bool& last) {
  std::vector<Step> steps;
  last = false;
  if (!role.delegations) return steps;
  for (const DelegatedRole& line : role.delegations->roles) {
    if (!delegates(line, path)) continue;
    steps.push_back({line.name, name});
    if (!line.terminating) continue;
    last = true;
    break;
  }
  return steps;
}

}  // namespace

Status Updater::bootstrap(std::string_view root_bytes) {
  const auto stored = store_.read(kRootFile, proto::kMaxRootBytes);
  if (stored && TrustedSet::start(*stored, kNoDates)) return {};
  if (!stored && stored.error().code == Code::io) return stored.error();
  if (root_bytes.size() > proto::kMaxRootBytes) {
    return Error{Code::too_large, "the first root is larger than a root may be", "root"};
  }
  auto root = TrustedSet::start(root_bytes, kNoDates);
  if (!root) return root.error();
  return store_.write(kRootFile, root_bytes);
}

Status Updater::refresh(std::int64_t now) {
  ready_ = false;
  offline_ = false;
  trusted_.reset();
  TRY_VOID(load_root(now));
  TRY_VOID(load_newer_roots());
  TRY_VOID(trusted_->check_root_date());
  return load_all();
}

Status Updater::refresh_root(std::int64_t now) {
  ready_ = false;
  offline_ = false;
  trusted_.reset();
  TRY_VOID(load_root(now));
  return load_newer_roots();
}

Status Updater::load_stored() {
  ready_ = false;
  offline_ = true;
  trusted_.reset();
  TRY_VOID(load_root(kNoDates));
  return load_all();
}

Status Updater::load_root(std::int64_t now) {
  auto bytes = store_.read(kRootFile, proto::kMaxRootBytes);
  if (!bytes) return bytes.error().with("the trusted root");
  TRY(trusted_, TrustedSet::start(*bytes, now));
  return {};
}

Status Updater::load_all() {
  TRY_VOID(load_timestamp());
  TRY_VOID(load_snapshot());
  TRY_VOID(load_targets(Targets::kType, Root::kType));
  ready_ = true;
  return {};
}

Result<std::string> Updater::fetch(std::string_view file_name,
                                   std::optional<std::int64_t> length_bytes,
                                   std::size_t max_bytes) {
  const auto too_large = [&] {
    return Error{Code::too_large,
                 std::string(file_name) + " is larger than the " + std::to_string(max_bytes) +
                     " bytes that such a file may have",
                 std::string(file_name)};
  };
  std::size_t limit = max_bytes;
  if (length_bytes) {
    if (static_cast<std::uint64_t>(*length_bytes) > max_bytes) return too_large();
    limit = static_cast<std::size_t>(*length_bytes);
  }
  auto bytes = source_.fetch(file_name, limit);
  if (!bytes) return bytes.error().with("fetching " + std::string(file_name));
  if (bytes->size() > limit) return too_large();
  return bytes;
}

// A stored file that is broken or no longer signed by the right keys is of no use: the next refresh
// would only fail on it again. Expired and outdated ones stay, for the comparison of versions.
Status Updater::drop_if_bad(std::string_view file_name, const Error& error) {
  if (error.code != Code::bad_signature && error.code != Code::bad_metadata) return {};
  return store_.remove(file_name);
}

std::string Updater::remote_name(std::string_view role, std::int64_t version) const {
  if (!trusted_->root().value.consistent_snapshot) return metadata_file_name(role);
  return metadata_file_name(role, version);
}

Status Updater::load_newer_roots() {
  for (int i = 0; i < proto::kMaxRootRotations; ++i) {
    const std::int64_t next = trusted_->root().value.header.version + 1;
    auto bytes = fetch(metadata_file_name(Root::kType, next), {}, proto::kMaxRootBytes);
    if (!bytes && bytes.error().code == Code::not_found) return {};
    if (!bytes) return bytes.error();
    TRY_VOID(trusted_->update_root(*bytes));
    TRY_VOID(store_.write(kRootFile, *bytes));
  }
  return {};
}

Status Updater::load_timestamp() {
  const auto stored = store_.read(kTimestampFile, proto::kMaxTimestampBytes);
  if (stored) {
    const auto taken = trusted_->update_timestamp(*stored);
    if (offline_ && !taken) return taken.error();
    if (!taken) TRY_VOID(drop_if_bad(kTimestampFile, taken.error()));
  }
  if (offline_) return stored ? Status() : Status(stored.error());
  TRY(const std::string bytes, fetch(kTimestampFile, {}, proto::kMaxTimestampBytes));
  TRY(const bool newer, trusted_->update_timestamp(bytes));
  return newer ? store_.write(kTimestampFile, bytes) : Status();
}

Status Updater::load_snapshot() {
  const auto stored = store_.read(kSnapshotFile, proto::kMaxSnapshotBytes);
  if (stored) {
    const Status taken = trusted_->update_snapshot(*stored, true);
    if (taken || offline_) return taken;
    TRY_VOID(drop_if_bad(kSnapshotFile, taken.error()));
  }
  if (offline_) return stored.error();
  const MetaFile wanted = trusted_->timestamp()->value.snapshot;
  TRY(const std::string bytes, fetch(remote_name(Snapshot::kType, wanted.version),
                                     wanted.length_bytes, proto::kMaxSnapshotBytes));
  TRY_VOID(trusted_->update_snapshot(bytes, false));
  return store_.write(kSnapshotFile, bytes);
}

Status Updater::load_targets(std::string_view role, std::string_view delegator) {
  if (trusted_->has_delegated(role, delegator)) return {};
  const auto take = [&](std::string_view bytes) {
    return role == Targets::kType ? trusted_->update_targets(bytes)
                                  : trusted_->update_delegated(bytes, role, delegator);
  };
  const std::string file_name = metadata_file_name(role);
  const auto stored = store_.read(file_name, proto::kMaxTargetsBytes);
  if (stored) {
    const Status taken = take(*stored);
    if (taken || offline_) return taken;
    TRY_VOID(drop_if_bad(file_name, taken.error()));
  }
  if (offline_) return stored.error();
  const Signed<Snapshot>* snapshot = trusted_->snapshot();
  FLEET_ASSERT(snapshot != nullptr);
  const auto meta = snapshot->value.meta.find(std::string(role) + ".json");
  if (meta == snapshot->value.meta.end()) {
    return Error{Code::not_signed, "nothing is published for the role " + std::string(role),
                 std::string(role)};
  }
  TRY(const std::string bytes, fetch(remote_name(role, meta->second.version),
                                     meta->second.length_bytes, proto::kMaxTargetsBytes));
  TRY_VOID(take(bytes));
  return store_.write(file_name, bytes);
}

Result<FoundTarget> Updater::find_target(std::string_view path) {
  FLEET_ASSERT(ready());
  const Status sound = check_target_path(path);
  if (!sound) return Error{Code::bad_argument, sound.error().what, ""};
  // Depth first, in the order of the delegations (TUF 1.0 section 5.6.7). Each role is asked once,
  // which ends cycles too.
  std::vector<Step> stack = {{Targets::kType, Root::kType}};
  std::set<std::string> visited;
  while (!stack.empty() && visited.size() <= proto::kMaxDelegations) {
    const Step step = stack.back();
    stack.pop_back();
    if (!visited.insert(step.role).second) continue;
    TRY_VOID(load_targets(step.role, step.delegator));
    const Targets& role = trusted_->targets(step.role)->value;
    const auto found = role.targets.find(std::string(path));
    if (found != role.targets.end()) {
      return FoundTarget{found->second, step.role, role.header.version};
    }
    bool last = false;
    const std::vector<Step> steps = next_steps(role, step.role, path, last);
    if (last) stack.clear();
    stack.insert(stack.end(), steps.rbegin(), steps.rend());
  }
  return Error{Code::not_signed,
               "no role lists " + std::string(path) + "; it was never signed, or was dropped",
               std::string(path)};
}

Result<const Signed<Targets>*> Updater::load_role(std::string_view role) {
  FLEET_ASSERT(ready());
  const auto& delegations = trusted_->targets()->value.delegations;
  const bool named =
      delegations && std::any_of(delegations->roles.begin(), delegations->roles.end(),
                                 [&](const DelegatedRole& line) { return line.name == role; });
  if (!named) {
    return Error{Code::not_signed, "targets does not delegate to a role " + std::string(role),
                 std::string(role)};
  }
  TRY_VOID(load_targets(role, Targets::kType));
  return trusted_->targets(role);
}

const TrustedSet& Updater::trusted() const {
  FLEET_ASSERT(ready());
  return *trusted_;
}

const Signed<Root>& Updater::root() const {
  FLEET_ASSERT(trusted_.has_value());
  return trusted_->root();
}

std::string Updater::timestamp_keys() const {
  if (!trusted_) return "";
  std::vector<std::string> keyids = trusted_->root().value.roles.at(Timestamp::kType).keyids;
  std::sort(keyids.begin(), keyids.end());
  Hasher hasher;
  for (const std::string& keyid : keyids) hasher.update(keyid + "\n");
  return hasher.finish().hex();
}

std::int64_t Updater::issued_floor() const {
  const TrustedSet& set = trusted();
  const std::int64_t issued = std::max(set.timestamp()->value.issued.value_or(0),
                                       set.snapshot()->value.issued.value_or(0));
  return std::min(issued, set.targets()->value.header.expires);
}

}  // namespace ota
