// The TUF client workflow (TUF 1.0 section 5.3 to 5.7) over a source and a store: the agent,
// fleetctl and tests differ only in these two. It makes exactly the requests that the workflow
// needs, in its order, and stores a file only after it was verified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ota/disk.h"
#include "ota/trusted_set.h"

namespace ota {

/// Where metadata comes from.
class MetadataSource {
 public:
  virtual ~MetadataSource() = default;
  /// The bytes of "3.root.json", "timestamp.json", ...; the name is ready for a URL.
  /// errors not_found (the answer was 404 or 403) | too_large (more than max_bytes; stop reading)
  ///        | unreachable, timeout, ... as they come
  virtual Result<std::string> fetch(std::string_view file_name, std::size_t max_bytes) = 0;
};

/// Where verified metadata stays. Names are "root.json", "timestamp.json", "<role>.json", the role
/// percent-encoded.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;
  /// errors not_found | too_large | io
  virtual Result<std::string> read(std::string_view file_name, std::size_t max_bytes) = 0;
  /// Whole or not at all, and durable when it returns. errors no_space | io
  virtual Status write(std::string_view file_name, std::string_view bytes) = 0;
  /// No error if it is not there. errors io
  virtual Status remove(std::string_view file_name) = 0;
};

/// A directory of its own on a disk; every file is replaced whole.
class DirectoryMetadataStore final : public MetadataStore {
 public:
  /// in     disk: borrowed, outlives the store. directory: relative to its root, exists ("" is the
  ///        root itself); nobody else writes there
  DirectoryMetadataStore(Disk& disk, std::string directory)
      : disk_(disk), directory_(std::move(directory)) {}
  Result<std::string> read(std::string_view file_name, std::size_t max_bytes) override;
  Status write(std::string_view file_name, std::string_view bytes) override;
  Status remove(std::string_view file_name) override;

 private:
  std::string path_of(std::string_view file_name) const;

  Disk& disk_;
  std::string directory_;
};

/// In memory: tests, simulation, fleetctl's look at a foreign repository.
class MemoryMetadataStore final : public MetadataStore {
 public:
  Result<std::string> read(std::string_view file_name, std::size_t max_bytes) override;
  Status write(std::string_view file_name, std::string_view bytes) override;
  Status remove(std::string_view file_name) override;

 private:
  std::map<std::string, std::string, std::less<>> files_;
};

/// A target, and which role vouches for it.
struct FoundTarget {
  TargetFile file;
  std::string role;
  std::int64_t role_version = 0;
};

/// One client of one repository. A resource: it borrows source and store, which outlive it.
class Updater {
 public:
  Updater(MetadataSource& source, MetadataStore& store) : source_(source), store_(store) {}
  Updater(const Updater&) = delete;
  Updater& operator=(const Updater&) = delete;

  /// Puts the first root, which came by a trusted way, into an empty store. Checks that it is
  /// signed by its own keys. If a root is stored already and sound, that one stays and this does
  /// nothing; a broken one is replaced, so that a bad disk block does not end a device's updates.
  /// errors bad_metadata | bad_signature | no_space | io
  Status bootstrap(std::string_view root_bytes);

  /// Root, timestamp, snapshot and targets, as TUF says. Blocks for as long as source and store do.
  /// in     now: Unix seconds; fixed for this refresh and the lookups after it
  /// errors TrustedSet's | the source's | the store's; not_found if no root is stored
  /// after  on error nothing older or unverified is trusted, and the store can always be used again
  Status refresh(std::int64_t now);

  /// Root and its newer versions alone: enough to sign the next root while timestamp or snapshot
  /// cannot be believed, because their keys were stolen. A root that expired is taken too.
  /// errors as refresh(). after: root(), and nothing else
  Status refresh_root(std::int64_t now);

  /// Trusts what is stored, without one request and however old it is: for arming, restarting and
  /// showing verified things offline. Signatures, digests and versions are checked, dates are not.
  /// errors as refresh(); not_found if something is not stored
  Status load_stored();

  /// Looks the path up through the delegations, in their order, loading roles as needed.
  /// Only after refresh() or load_stored().
  /// errors not_signed (no role lists it) | bad_argument (no such path can be) | as refresh()
  Result<FoundTarget> find_target(std::string_view path);

  /// Loads one role that `targets` delegates to, to see all that it lists ("apps.dns").
  /// out    borrowed until the next refresh
  /// errors not_signed (no such delegation, or nothing published for it) | as refresh()
  Result<const Signed<Targets>*> load_role(std::string_view role);

  /// What is trusted. Only after a refresh() or load_stored() that succeeded.
  const TrustedSet& trusted() const;
  /// The newest root that was verified, also where what follows it could not be.
  const Signed<Root>& root() const;
  bool ready() const { return trusted_.has_value() && ready_; }
  /// Names the timestamp keys of the newest root verified so far, also when the refresh failed
  /// after it; "" before that. Store it with the clock floor: where it differs, the floor starts
  /// anew, or a stolen timestamp key could stop a device for ever.
  std::string timestamp_keys() const;
  /// The later of the signed `x-issued` times of timestamp and snapshot; 0 if there is none. At
  /// most the expiry of targets, so that an online key cannot push the floor further than people
  /// signed.
  std::int64_t issued_floor() const;

 private:
  Status load_root(std::int64_t now);
  Status load_newer_roots();
  Status load_timestamp();
  Status load_snapshot();
  Status load_targets(std::string_view role, std::string_view delegator);
  Status load_all();
  Result<std::string> fetch(std::string_view file_name, std::optional<std::int64_t> length_bytes,
                            std::size_t max_bytes);
  Status drop_if_bad(std::string_view file_name, const Error& error);
  std::string remote_name(std::string_view role, std::int64_t version) const;

  MetadataSource& source_;
  MetadataStore& store_;
  std::optional<TrustedSet> trusted_;
  bool ready_ = false;
  bool offline_ = false;
};

}  // namespace ota
