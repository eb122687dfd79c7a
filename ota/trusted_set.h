// The metadata that a client trusts at one moment, and the only door into it: each update_*() takes
// bytes, applies every rule of TUF 1.0 section 5.3 to 5.6 that concerns them, and either takes them
// or says why not. No I/O and no clock: time is given once, at the start of a refresh.
// Nothing that failed a rule can be read from it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "ota/metadata.h"

namespace ota {

inline constexpr std::int64_t kNoDates = std::numeric_limits<std::int64_t>::min();

/// A value: copy it to try something. The order root, timestamp, snapshot, targets, delegated roles
/// is held by it: a call out of order is `bad_metadata`, never an assertion.
/// errors, the same for all: bad_metadata (form, type, order) | bad_signature (threshold)
///   rollback (an older version than one trusted) | expired | bad_digest (length, hash or version
///   is not what the parent file says) | not_signed (the parent does not name it)
class TrustedSet {
 public:
  /// Starts from a root that came with the device, or that an earlier refresh stored. It must
  /// be signed by its own keys; its date is not asked yet.
  /// in     now: Unix seconds, used for every date until the set goes; kNoDates asks no date
  static Result<TrustedSet> start(std::string_view root_bytes, std::int64_t now);

  /// Takes version + 1, signed by the keys of the current root and by its own.
  /// Only before a timestamp is loaded.
  Status update_root(std::string_view bytes);
  /// The date of the final root: asked once there is no newer one. errors expired
  Status check_root_date() const;
  /// out    true: taken. false: the same version as the one we have, which stays.
  /// Asks the root's date too. An expired timestamp returns `expired` but stays for
  /// the comparison of versions: nothing can be loaded on top of it.
  Result<bool> update_timestamp(std::string_view bytes);
  /// in     stored: the file is our own older one; its digest may differ from the timestamp's
  /// An own older file stays for the comparison of versions even if it is not the one wanted.
  Status update_snapshot(std::string_view bytes, bool stored);
  Status update_targets(std::string_view bytes);
  /// in     role, delegator: names; the delegator ("targets" or another role) must be loaded
  /// A role that is loaded is checked again when another delegator vouches for it.
  Status update_delegated(std::string_view bytes, std::string_view role,
                          std::string_view delegator);

  std::int64_t now() const { return now_; }
  const Signed<Root>& root() const { return root_; }
  const Signed<Timestamp>* timestamp() const { return timestamp_ ? &*timestamp_ : nullptr; }
  /// Null until the snapshot that the timestamp names is loaded and fresh.
  const Signed<Snapshot>* snapshot() const;
  /// "targets" or a delegated role; null if it is not loaded.
  const Signed<Targets>* targets(std::string_view role = "targets") const;
  /// True if `role` is loaded and was checked with the keys of that delegator.
  bool has_delegated(std::string_view role, std::string_view delegator) const;

 private:
  TrustedSet(Signed<Root> root, std::int64_t now) : root_(std::move(root)), now_(now) {}
  Status check_timestamp_final() const;
  Status check_snapshot_final() const;
  Result<Signed<Targets>> check_targets(std::string_view bytes, std::string_view role,
                                        const std::map<std::string, PublicKey>& keys,
                                        const RoleKeys& role_keys) const;

  Signed<Root> root_;
  std::int64_t now_ = 0;
  std::optional<Signed<Timestamp>> timestamp_;
  std::optional<Signed<Snapshot>> snapshot_;
  std::map<std::string, Signed<Targets>, std::less<>> targets_;
  std::set<std::pair<std::string, std::string>> checked_;  // role, delegator
};

}  // namespace ota
