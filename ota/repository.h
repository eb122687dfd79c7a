// The other side of TUF: what fleetctl signs and what the controller checks and publishes.
// Pure functions from values and keys to values and bytes; no file, no clock, no network.
// The controller can call those for snapshot and timestamp only: it has no other keys.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ota/blobs.h"
#include "ota/metadata.h"

namespace ota {

// How long each role lasts (DESIGN 4), in seconds; renewed when half of it is over.
inline constexpr std::int64_t kDay_s = 24 * 3600;
inline constexpr std::int64_t kRootLifetime_s = 2 * 365 * kDay_s;
inline constexpr std::int64_t kTargetsLifetime_s = 365 * kDay_s;
inline constexpr std::int64_t kSnapshotLifetime_s = 7 * kDay_s;
inline constexpr std::int64_t kTimestampLifetime_s = kDay_s;

/// True when half of the lifetime is over.
bool renew_due(std::int64_t expires, std::int64_t lifetime_s, std::int64_t now);
/// "snapshot" and "timestamp": the controller renews them by itself.
bool is_online_role(std::string_view role);
/// How long a signature of that role lasts: "root", "targets", "apps.dns", ...
std::int64_t lifetime_s(std::string_view role);
/// Whether somebody should act: half of the time of a role that people sign is over, or three
/// quarters of one that should have renewed itself.
bool needs_care(std::string_view role, std::int64_t expires, std::int64_t now);

/// The keys of a first root.
struct RootPlan {
  std::vector<PublicKey> root_keys;
  std::int64_t root_threshold = 1;
  std::vector<PublicKey> targets_keys;
  std::int64_t targets_threshold = 1;
  std::vector<PublicKey> snapshot_keys;
  std::vector<PublicKey> timestamp_keys;
};

/// Root version 1. errors bad_argument (no key, or a threshold beyond the keys)
Result<Root> make_root(const RootPlan& plan, std::int64_t now);
/// The next version of a root with the same keys and a new date; change it before signing. It must
/// be signed by the keys of both.
Root next_root(const Root& current, std::int64_t now);
/// Puts a key in the place of one of a role's, or takes that one away (`by` null).
/// errors not_found (no such key of that role) | bad_argument (fewer keys than its threshold)
Status replace_key(Root& root, std::string_view role, const std::string& keyid,
                   const PublicKey* by);
/// Targets version 1, with no target and no delegation.
Targets make_targets(std::int64_t now);
/// The next version with the same content and a new date.
Targets next_targets(const Targets& current, std::int64_t now);

/// The role of an app: "apps.dns". Without a slash, which some mirrors do not take in a URL.
std::string app_role_name(std::string_view app);
/// "apps/dns/7/manifest"
std::string manifest_path(std::string_view app, std::int64_t number);
/// "apps/dns/blobs/<64 hex>"
std::string blob_path(std::string_view app, const Sha256& digest);

/// Hands `apps/<app>/*/*` to a role of its own: that key, threshold 1, terminating. If the app is
/// delegated already, its keys are replaced.
/// errors bad_argument (no app name: a DNS label of at most kMaxNameLength characters)
Status delegate_app(Targets& targets, std::string_view app, const PublicKey& key);

/// A release as the app's role lists it. The blobs are in `custom.blobs` of the manifest's target.
struct ListedRelease {
  std::int64_t number = 0;  // >= 1, never used again
  BlobRef manifest;
  std::vector<BlobRef> blobs;
  bool yanked = false;
};

/// What an app's role lists, by rising number.
/// errors bad_metadata (a path that is none of an app's, a blob that is not listed)
Result<std::vector<ListedRelease>> releases_of(const Targets& role, std::string_view app);

/// The next version of an app's role: the new release, the newest kMaxReleasesListed in all, and
/// those of `keep` (still deployed). Blobs that no listed release names go.
/// in     previous: null for the first version
/// errors bad_argument (the number is not the highest + 1) | bad_metadata (previous)
Result<Targets> next_app_role(const Targets* previous, std::string_view app,
                              const ListedRelease& added, std::span<const std::int64_t> keep,
                              std::int64_t now);
/// The next version without a new release: a new date, yanked or dropped releases.
/// errors bad_argument (a number that is not listed there)
Result<Targets> edit_app_role(const Targets& previous, std::string_view app,
                              std::span<const std::int64_t> yank, std::int64_t now);
/// The highest number that the role lists; 0 for null. errors bad_metadata
Result<std::int64_t> highest_release(const Targets* role, std::string_view app);

/// max(last + 1, minutes since 1970), so that a restored controller is never behind.
std::int64_t next_online_version(std::int64_t last, std::int64_t now);

/// Length, digest and version of a file, for a snapshot or a timestamp.
MetaFile describe(std::string_view bytes, std::int64_t version);
/// in     files: all roles by "<role>.json": targets and each published app role
Snapshot make_snapshot(std::int64_t last_version, std::map<std::string, MetaFile> files,
                       std::int64_t now);
Timestamp make_timestamp(std::int64_t last_version, const MetaFile& snapshot, std::int64_t now);

/// Signs any of the four values.
template <typename T>
std::string sign(const T& value, std::span<const SigningKey* const> keys) {
  return sign_metadata(to_json(value), keys);
}

/// How the version of what comes must stand to ours.
enum class Follows {
  next,   // ours + 1: whoever signed it knew ours
  later,  // any above ours, which is an old backup's
};

// The controller's checks of what an operator sends, before any of it is stored.
// errors of all: bad_metadata | bad_signature | expired | conflict (it does not follow ours:
//   refresh, sign again)
Result<Signed<Root>> accept_root(const Root* current, std::string_view bytes, std::int64_t now);
Result<Signed<Targets>> accept_targets(const Root& root, const Targets* current,
                                       std::string_view bytes, std::int64_t now,
                                       Follows follows = Follows::next);
/// errors also not_signed (no such delegation) | rollback (a number that was used before, or one
///   that was yanked and is so no more)
Result<Signed<Targets>> accept_app_role(const Targets& targets, std::string_view app,
                                        const Targets* current, std::string_view bytes,
                                        std::int64_t now, Follows follows = Follows::next);

}  // namespace ota
