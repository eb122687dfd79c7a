// Slots: which release of an app a device holds, tries, trusts and may go back to (DESIGN 4, 5).
// Every verb works inside the caller's transaction, so that a move and its report are committed
// together. It never touches bytes, clocks or processes, and never lets a release number go down.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ota/blobs.h"
#include "ota/database.h"
#include "ota/hash.h"
#include "proto/result.h"

namespace ota {

enum class SlotName { a, b };
enum class SlotState { empty, trial, good, bad };

const char* name_of(SlotName slot);    // "A", "B"
const char* name_of(SlotState state);  // "empty", "trial", "good", "bad"

/// Time that needs no right clock: which boot, and the milliseconds since it.
struct BootTime {
  std::string boot_id;
  std::uint64_t uptime_ms = 0;
};

/// A release as it was verified and staged. Its blobs (images, files and the manifest itself) are
/// pinned in the store as long as a record names them.
struct ReleaseRecord {
  std::string attempt;        // the id of this try at an update; the verbs name it
  std::uint64_t release = 0;  // 1..2^53
  Sha256 manifest;            // digest of the signed AppManifest
  std::string overrides;      // this device's values for `vars`, opaque here; may be empty
  std::vector<BlobRef> blobs;
};

/// One of the two slots of an app.
struct SlotRecord {
  SlotState state = SlotState::empty;
  ReleaseRecord release;                     // meaningful unless empty; a bad slot pins no blob
  int tries_left = 0;                        // on trial
  int starts = 0;                            // on trial: how often begin_try() let it start
  proto::Code why = proto::Code::unset;      // bad: the cause
  std::string why_text;                      // bad: one line for people
};

/// All that is known of one app.
struct AppSlots {
  std::string app;
  SlotRecord a;
  SlotRecord b;
  std::optional<ReleaseRecord> candidate;
  std::optional<SlotName> live;           // the good slot that ports follow; none: nothing may run
  std::uint64_t highest_confirmed = 0;    // kept for ever, also after remove()
  bool under_watch = false;               // the live slot was confirmed and may still be reverted
  std::uint64_t since_confirm_ms = 0;     // uptime from the confirm of the live slot to `marked`
  std::optional<BootTime> marked;         // none: the live slot was fallen back to, or none is

  /// Uptime since the confirm of the live slot, in ms. What ran after the last mark of an earlier
  /// boot is not counted.
  std::uint64_t age_ms(const BootTime& now) const;

  const SlotRecord& slot(SlotName name) const { return name == SlotName::a ? a : b; }
  const SlotRecord* live_slot() const { return live ? &slot(*live) : nullptr; }
  /// The slot on trial, if one is.
  std::optional<SlotName> trial() const;
  /// The bad slot that this attempt brought; null if there is none.
  const SlotRecord* fallen(std::string_view attempt) const;
  /// The slot that a candidate would take: the one that is not live.
  SlotName spare() const;
};

/// What fall_back() needs to know.
struct FallBackOrder {
  std::string app;
  std::uint64_t from_release = 0;  // the release that the order leaves; repeating it is safe
  std::uint64_t window_ms = 0;     // update.fallback_window of that release; 0 = never
  /// Is this release known as yanked here?
  std::function<bool(std::uint64_t release)> is_yanked;
};

/// What recover() had to change.
struct Recovered {
  std::string app;
  std::string attempt;
  std::uint64_t release = 0;
  proto::Code why = proto::Code::unset;
  std::string why_text;
};

/// What begin_try() decided.
enum class TryOutcome { start, reverted };

/// The tables of this part, for Database::open.
extern const Schema kSlotsSchema;

/// The verbs. The attempt id says which try is meant. All of them are idempotent: repeating one
/// after a crash changes nothing and succeeds (but for begin_try). All may give no_space | io from
/// the database, on which the caller drops the transaction.
/// The writing ones give the app as it is afterwards, for the report.
class Slots {
 public:
  /// Keeps a verified release as the candidate, in place of an older candidate. No slot is touched.
  /// errors rollback (number not above the highest confirmed one; but the live release may be
  ///        staged again with other overrides) | refused_digest (failed here before) |
  ///        bad_argument (empty app or attempt, release 0)
  static Result<AppSlots> stage(Transaction& transaction, std::string_view app,
                                const ReleaseRecord& release);

  /// Drops the candidate of this attempt, if it is still there.
  static Status drop_candidate(Transaction& transaction, std::string_view app,
                               std::string_view attempt);

  struct ArmOptions {
    int tries = 2;           // starts before the trial reverts, 1..10
    bool end_watch = false;  // end a running watch instead of refusing
  };
  /// The candidate takes the spare slot on trial.
  /// errors conflict (the live slot is under watch; or another trial is on: revert it first) |
  ///        not_found (no such candidate) | rollback
  static Result<AppSlots> arm(Transaction& transaction, std::string_view app,
                              std::string_view attempt, const ArmOptions& options);

  /// Takes one try away; to be committed BEFORE the instance is started. With no try left the
  /// trial is reverted instead: tries_used_up. Not idempotent by design: every call is a start.
  /// errors not_found (no such trial)
  static Result<TryOutcome> begin_try(Transaction& transaction, std::string_view app,
                                      std::string_view attempt);

  /// The trial is good and live from now on, and under watch. The old slot stays good.
  /// errors not_found (no such trial) | rollback
  static Result<AppSlots> confirm(Transaction& transaction, std::string_view app,
                                  std::string_view attempt, const BootTime& now);

  /// Ends the watch: the live slot can no longer be reverted by itself.
  static Result<AppSlots> end_watch(Transaction& transaction, std::string_view app);

  /// Takes a trial or a live slot under watch back: it becomes bad{why}, its digest is refused here
  /// unless the cause is not its own (ordered, superseded, cancelled) or the other slot is good
  /// with the same manifest, whose values for `vars` are others, and the other slot is live
  /// if it is good. A first install leaves nothing live. (A candidate is dropped, not reverted.)
  /// errors not_found (no such attempt) | conflict (live and no longer under watch)
  static Result<AppSlots> revert(Transaction& transaction, std::string_view app,
                                 std::string_view attempt, proto::Code why,
                                 std::string_view why_text);

  /// Obeys the order to go back one step: the other, good slot is live, the left one bad{ordered}.
  /// errors no_fallback (no good release there; window 0 or over; names which) | yanked |
  ///        conflict (a trial is on, or another release than from_release is live)
  static Result<AppSlots> fall_back(Transaction& transaction, const FallBackOrder& order,
                                    const BootTime& now);

  /// Forgets the app but for its highest confirmed number and its refused digests.
  static Status remove(Transaction& transaction, std::string_view app);

  /// A manifest digest that must not be tried again until forget_refusal().
  static Status refuse_digest(Transaction& transaction, std::string_view app,
                              const Sha256& manifest, proto::Code why, std::string_view why_text);
  static Status forget_refusal(Transaction& transaction, std::string_view app,
                               const Sha256& manifest);
  static Result<bool> is_refused(Database& database, std::string_view app, const Sha256& manifest);

  /// Adds the uptime since the last mark to every app's age since its confirm; to be called now and
  /// then, because what ran after the last mark of an earlier boot is not counted.
  static Status mark_time(Transaction& transaction, const BootTime& now);

  /// After a start of the agent: whatever breaks a rule is reverted. A slot or candidate whose
  /// blobs `has_blob` does not find is lost (bad_digest), a record of unknown state is bad
  /// (internal), a live mark on a slot that is not good moves to a good one or goes. A trial stays:
  /// begin_try() counts. A watch goes on with what is left of it.
  static Result<std::vector<Recovered>> recover(
      Transaction& transaction, const BootTime& now,
      const std::function<bool(const BlobRef&)>& has_blob);

  /// One app as it is; an unknown one is all empty.
  static Result<AppSlots> read(Database& database, std::string_view app);
  /// Every app that has a slot or a candidate, by name.
  static Result<std::vector<AppSlots>> read_all(Database& database);
  /// Every blob that a record needs.
  static Result<std::vector<BlobRef>> pinned_blobs(Database& database);
};

}  // namespace ota
