// Audit: who changed what, to what, from where, as a hash-chained log that is only added to. Each
// entry is written in the transaction of the change that it tells, so that neither is there without
// the other. No secret and no guest's bytes ever get into it.
//
// Not told: an uploaded blob, which means nothing before a signed release names it, and what
// devices report, which is in the events.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "controller/store.h"
#include "proto/async.h"

namespace controller {

/// Who is named where nobody asked: deadlines, verdicts, renewals.
inline constexpr const char* kController = "controller";
/// Refused logins are told once in so long, with their number: a stranger must not fill the disk.
inline constexpr std::int64_t kRefusedEveryMs = 60'000;
inline constexpr std::size_t kMaxAuditDetail = 512;

struct Change {
  std::string who;      // a token's name, kController, "device:NAME"
  std::string action;   // noun.verb_past
  std::string object;
  std::string detail{};  // cut at kMaxAuditDetail; control characters become blanks
  std::string from{};    // an address, port or not; "": of the newest request of `who`
};

/// Adds an entry. Inside the caller's transaction. errors as Store
Status append_audit(Store& store, std::int64_t wall_ms, const Change& change);

class Audit {
 public:
  Audit(Store& store, proto::Clock& clock) : store_(store), clock_(clock) {}  // both outlive it

  /// A request of this token came from there. A handler makes its change before it waits for
  /// anything, so the newest address is the change's.
  void came_from(const std::string& who, const std::string& address) { from_[who] = address; }
  void forget(const std::string& who) { from_.erase(who); }

  /// Adds an entry. Inside the caller's transaction.
  Status record(Change change);
  /// A token was not known. Writes at most one entry in kRefusedEveryMs, by itself.
  void refused(const std::string& address);
  /// Writes what refused() gathered and is due. Called every second.
  Status tend();

 private:
  Store& store_;
  proto::Clock& clock_;
  std::map<std::string, std::string> from_;  // by token, of which there are few
  std::uint64_t refused_count_ = 0;
  std::string refused_from_;                 // the newest
  std::int64_t told_ms_ = -kRefusedEveryMs;  // monotonic
};

}  // namespace controller
