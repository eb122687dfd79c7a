// TUF metadata as checked values: root, targets, snapshot, timestamp. Bytes in, values out.
// Nothing here decides trust over time: signatures against one role, and the form, no more; the
// order of versions and who vouches for whom is trusted_set's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ota/hash.h"
#include "ota/json.h"
#include "ota/keys.h"

namespace ota {

/// Reads `YYYY-MM-DDTHH:MM:SSZ`, exactly. out Unix seconds UTC. errors bad_metadata
Result<std::int64_t> parse_time(std::string_view text);
/// Unix seconds of the years 0000 to 9999 to `YYYY-MM-DDTHH:MM:SSZ`.
std::string format_time(std::int64_t unix_seconds);

/// Which keys speak for a role, and how many of them must.
struct RoleKeys {
  std::vector<std::string> keyids;
  std::int64_t threshold = 1;
  Json unknown;  // members that we do not know; signed, so kept
};

/// What every signed part has.
struct Header {
  std::int64_t version = 1;  // >= 1
  std::int64_t expires = 0;  // Unix seconds; expired when now >= expires
  Json unknown;              // an object, or null if there is none
};

struct Root {
  static constexpr const char* kType = "root";
  Header header;
  bool consistent_snapshot = true;
  std::map<std::string, PublicKey> keys;  // by keyid; each keyid was checked
  std::map<std::string, RoleKeys> roles;  // root, timestamp, snapshot, targets always there
};

/// Digests of a file; those of algorithms that we do not know are kept in `unknown`.
struct Hashes {
  std::optional<Sha256> sha256;
  std::optional<Sha512> sha512;
  Json unknown;
};

/// What a snapshot or a timestamp says of another metadata file.
struct MetaFile {
  std::int64_t version = 1;
  std::optional<std::int64_t> length_bytes;
  std::optional<Hashes> hashes;
  Json unknown;
};

struct Timestamp {
  static constexpr const char* kType = "timestamp";
  Header header;
  MetaFile snapshot;
  std::optional<std::int64_t> issued;  // `x-issued`, Unix seconds: a floor for the device's clock
};

struct Snapshot {
  static constexpr const char* kType = "snapshot";
  Header header;
  std::map<std::string, MetaFile> meta;  // by "<role>.json", not percent-encoded
  std::optional<std::int64_t> issued;
};

/// One file that a role vouches for.
struct TargetFile {
  std::int64_t length_bytes = 0;
  Hashes hashes;  // at least one that we know
  Json custom;    // an object, or null
  Json unknown;
};

/// One line of a role that hands a part of its names to another role.
struct DelegatedRole {
  std::string name;
  RoleKeys keys;
  std::vector<std::string> paths;               // patterns; or
  std::vector<std::string> path_hash_prefixes;  // hex; exactly one of the two lists is used
  bool terminating = false;
};

struct Delegations {
  std::map<std::string, PublicKey> keys;
  std::vector<DelegatedRole> roles;  // asked in this order
  Json unknown;
};

struct Targets {
  static constexpr const char* kType = "targets";
  Header header;
  std::map<std::string, TargetFile> targets;  // by path; each passed check_target_path
  std::optional<Delegations> delegations;
};

/// A parsed file. `value` is only as trustworthy as the check that was made of it.
template <typename T>
struct Signed {
  T value;
  std::vector<Signature> signatures;
  std::string canonical;  // what the signatures are over
  std::string raw;        // the file as it came: what is hashed and stored
};

// Reading: form, types, bounds, key ids. No signature is checked.
// errors bad_metadata (names the member) | not_supported (spec_version other than 1.x)
Result<Signed<Root>> parse_root(std::string_view bytes);
Result<Signed<Timestamp>> parse_timestamp(std::string_view bytes);
Result<Signed<Snapshot>> parse_snapshot(std::string_view bytes);
Result<Signed<Targets>> parse_targets(std::string_view bytes);

// Writing: the `signed` object. Unknown members are written too.
Json to_json(const Root& value);
Json to_json(const Timestamp& value);
Json to_json(const Snapshot& value);
Json to_json(const Targets& value);
Json to_json(const TargetFile& value);

/// The whole file {"signatures", "signed"} of a `signed` object, signed by each of the keys.
std::string sign_metadata(const Json& signed_part, std::span<const SigningKey* const> keys);
/// The same file with one more signature (an older one of that key is replaced), for roles whose
/// keys are with several people. errors bad_metadata
Result<std::string> add_signature(std::string_view bytes, const SigningKey& key);

/// How many different keys of the role signed. Unknown ids, keys and wrong signatures do not count.
std::int64_t count_signatures(std::string_view canonical, const std::vector<Signature>& signatures,
                              const std::map<std::string, PublicKey>& keys, const RoleKeys& role);
/// errors bad_signature, naming role, count and threshold
Status verify_threshold(std::string_view canonical, const std::vector<Signature>& signatures,
                        const std::map<std::string, PublicKey>& keys, const RoleKeys& role,
                        std::string_view role_name);

/// True if the bytes have that length and each digest that we know; at least one must be known.
bool matches(std::string_view bytes, std::optional<std::int64_t> length_bytes,
             const Hashes& hashes);

/// A path that may be a target: segments of printable UTF-8 without `.`, `..`, empty ones and
/// backslashes, at most 1024 bytes. errors bad_metadata
Status check_target_path(std::string_view path);
/// Matches `*` (any run) and `?` (one character) within one segment; both sides have the same
/// number of segments. source TUF 1.0 section 4.5, PATHPATTERN
bool path_matches(std::string_view pattern, std::string_view path);
/// Whether the line hands this path over, by pattern or by digest prefix.
bool delegates(const DelegatedRole& role, std::string_view path);

/// For a URL or a file name: letters, digits and `_.-~` stay, every other byte becomes %XX.
/// in     kept: bytes that stay too
std::string percent_encode(std::string_view text, std::string_view kept = "");
/// A target's path for a URL: what RFC 3986 lets stand in a path stays, as other clients send it.
std::string url_path(std::string_view path);
/// "root.json", "3.snapshot.json": the role percent-encoded, with its version if one is given.
std::string metadata_file_name(std::string_view role, std::optional<std::int64_t> version = {});
/// Where a target lies on a mirror: "dir/HASH.name" with consistent snapshots, else the path.
std::string target_file_path(std::string_view path, const TargetFile& file, bool consistent);

}  // namespace ota
