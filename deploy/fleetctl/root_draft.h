// A root on its way: what it changes, whose signatures it has and whose it still needs. Several
// people sign it one after the other, on machines that need no network. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ota/metadata.h"
#include "proto/result.h"

namespace fleetctl {

/// Signatures of one root's keys.
struct SignatureCount {
  std::int64_t have = 0;
  std::int64_t want = 0;
};

struct RootDraft {
  ota::Root trusted;  // the one that it follows
  ota::Signed<ota::Root> next;

  SignatureCount by_old_keys() const;
  SignatureCount by_new_keys() const;
  bool complete() const;
  /// Ids of keys of either root that have not signed it, sorted.
  std::vector<std::string> unsigned_keyids() const;
  /// What it changes, a line each: "+ root key 7f3a91c2".
  std::vector<std::string> changes() const;
  /// "1 of 2 signatures by the keys of root 1, 2 of 2 by those of root 2"
  std::string progress() const;
};

/// Reads a draft as the follower of a root that is trusted.
/// errors bad_metadata | rollback (not the version after the trusted one: it was drawn up on top of
///        something older or newer)
proto::Result<RootDraft> read_root_draft(std::string_view bytes, const ota::Root& trusted);

}  // namespace fleetctl
