// Slots: the verbs. How records are read and written is in slots_store.cc.
#include "ota/slots.h"

#include <algorithm>

#include "ota/slots_store.h"

namespace ota {

using proto::Code;
using proto::Error;

namespace {

constexpr std::uint64_t kMaxRelease = std::uint64_t{1} << 53;  // what JSON can carry
constexpr std::size_t kMaxWhyBytes = 500;

std::string title(std::string_view app, std::uint64_t release) {
  return std::string(app) + " " + std::to_string(release);
}

Error no_attempt(std::string_view app, std::string_view attempt, std::string_view what) {
  return Error{Code::not_found,
               std::string(app) + ": attempt " + std::string(attempt) + " is no " +
                   std::string(what) + " here",
               std::string(app)};
}

// Causes that say nothing against the release itself, so that it may be tried again.
bool is_own_fault(Code why) {
  return why != Code::ordered && why != Code::superseded && why != Code::cancelled;
}

bool same_content(const ReleaseRecord& x, const ReleaseRecord& y) {
  return x.release == y.release && x.manifest == y.manifest && x.overrides == y.overrides;
}

SlotRecord& slot_of(AppSlots& slots, SlotName name) {
  return name == SlotName::a ? slots.a : slots.b;
}

SlotName other(SlotName name) { return name == SlotName::a ? SlotName::b : SlotName::a; }

// The slot that this attempt brought, whatever became of it.
std::optional<SlotName> find_attempt(const AppSlots& slots, std::string_view attempt) {
  for (const SlotName name : {SlotName::a, SlotName::b}) {
    const SlotRecord& slot = slots.slot(name);
    if (slot.state != SlotState::empty && slot.release.attempt == attempt) return name;
  }
  return std::nullopt;
}

void make_bad(SlotRecord& slot, Code why, std::string_view why_text) {
  FLEET_ASSERT(slot.state == SlotState::trial || slot.state == SlotState::good);
  FLEET_ASSERT(why != Code::unset);
  slot.state = SlotState::bad;
  slot.why = why;
  slot.why_text = std::string(why_text.substr(0, kMaxWhyBytes));
  slot.tries_left = 0;
  slot.release.blobs.clear();  // a bad release pins nothing
}

// The live slot fell: the other one is live if it is good. Nobody confirmed it now, so it is
// neither under watch nor may it be fallen back from.
void leave_live(AppSlots& slots) {
  FLEET_ASSERT(slots.live);
  const SlotName next = other(*slots.live);
  const bool next_is_good = slots.slot(next).state == SlotState::good;
  slots.live = next_is_good ? std::optional(next) : std::nullopt;
  slots.under_watch = false;
}

// What holds before and after every verb.
void check(const AppSlots& slots) {
  FLEET_ASSERT(!slots.app.empty());
  FLEET_ASSERT(!slots.live || slots.live_slot()->state == SlotState::good);
  FLEET_ASSERT(!slots.under_watch || slots.live);
  FLEET_ASSERT(slots.a.state != SlotState::trial || slots.b.state != SlotState::trial);
  FLEET_ASSERT(!slots.live || slots.live_slot()->release.release <= slots.highest_confirmed);
}

Result<AppSlots> keep(Transaction& transaction, AppSlots slots) {
  check(slots);
  TRY_VOID(write_slots(transaction, slots));
  return slots;
}

// The one rule of DESIGN 4: numbers only go up. New values for `vars` of what runs are no release.
Status check_number(const AppSlots& slots, const ReleaseRecord& release) {
  if (release.release > slots.highest_confirmed) return {};
  const SlotRecord* live = slots.live_slot();
  const bool reconfigures = live != nullptr && live->release.release == release.release &&
                            live->release.manifest == release.manifest &&
                            live->release.overrides != release.overrides;
  if (reconfigures) return {};
  return Error{Code::rollback,
               title(slots.app, release.release) + ": release " +
                   std::to_string(slots.highest_confirmed) +
                   " was confirmed here, only a higher number is taken; sign the content again "
                   "under a new number",
               slots.app};
}

Result<AppSlots> read_checked(Transaction& transaction, std::string_view app) {
  TRY_VOID(transaction.begun());
  TRY(AppSlots slots, Slots::read(transaction.database(), app));
  check(slots);
  return slots;
}

}  // namespace

const char* name_of(SlotName slot) { return slot == SlotName::a ? "A" : "B"; }

const char* name_of(SlotState state) {
  switch (state) {
    case SlotState::empty: return "empty";
    case SlotState::trial: return "trial";
    case SlotState::good: return "good";
    case SlotState::bad: return "bad";
  }
  return "unknown";
}

std::optional<SlotName> AppSlots::trial() const {
  if (a.state == SlotState::trial) return SlotName::a;
  if (b.state == SlotState::trial) return SlotName::b;
  return std::nullopt;
}

const SlotRecord* AppSlots::fallen(std::string_view attempt) const {
  const auto name = find_attempt(*this, attempt);
  return name && slot(*name).state == SlotState::bad ? &slot(*name) : nullptr;
}

SlotName AppSlots::spare() const { return live ? other(*live) : SlotName::a; }

Result<AppSlots> Slots::stage(Transaction& transaction, std::string_view app,
                              const ReleaseRecord& release) {
  if (app.empty() || release.attempt.empty() || release.release == 0 ||
      release.release > kMaxRelease) {
    return Error{Code::bad_argument,
                 "staging: an app, an attempt and a release number from 1 on are needed",
                 std::string(app)};
  }
  TRY(AppSlots slots, read_checked(transaction, app));
  const bool staged = slots.candidate && slots.candidate->attempt == release.attempt &&
                      same_content(*slots.candidate, release);
  if (staged || find_attempt(slots, release.attempt)) return slots;
  TRY_VOID(check_number(slots, release));
  TRY(const bool refused, is_refused(transaction.database(), app, release.manifest));
  if (refused) {
    return Error{Code::refused_digest,
                 title(app, release.release) +
                     ": it failed on this device before and is not tried again until asked for",
                 std::string(app)};
  }
  slots.candidate = release;
  return keep(transaction, std::move(slots));
}

Status Slots::drop_candidate(Transaction& transaction, std::string_view app,
                             std::string_view attempt) {
  TRY(AppSlots slots, read_checked(transaction, app));
  if (!slots.candidate || slots.candidate->attempt != attempt) return {};
  slots.candidate.reset();
  TRY(const AppSlots kept, keep(transaction, std::move(slots)));
  FLEET_ASSERT(!kept.candidate);
  return {};
}

Result<AppSlots> Slots::arm(Transaction& transaction, std::string_view app,
                            std::string_view attempt, const ArmOptions& options) {
  FLEET_ASSERT(options.tries >= 1 && options.tries <= 10);
  TRY(AppSlots slots, read_checked(transaction, app));
  if (find_attempt(slots, attempt)) return slots;
  if (!slots.candidate || slots.candidate->attempt != attempt) {
    return no_attempt(app, attempt, "candidate");
  }
  if (const auto trial = slots.trial()) {
    return Error{Code::conflict,
                 title(app, slots.slot(*trial).release.release) +
                     " is on trial: confirm or revert it before another is armed",
                 std::string(app)};
  }
  if (slots.under_watch && !options.end_watch) {
    return Error{Code::conflict,
                 title(app, slots.live_slot()->release.release) +
                     " is under watch and may still need the other slot: wait, or end the watch",
                 std::string(app)};
  }
  TRY_VOID(check_number(slots, *slots.candidate));
  slots.under_watch = false;
  SlotRecord& spare = slot_of(slots, slots.spare());
  spare = SlotRecord{};
  spare.state = SlotState::trial;
  spare.release = std::move(*slots.candidate);
  spare.tries_left = options.tries;
  slots.candidate.reset();
  return keep(transaction, std::move(slots));
}

Result<TryOutcome> Slots::begin_try(Transaction& transaction, std::string_view app,
                                    std::string_view attempt) {
  TRY(AppSlots slots, read_checked(transaction, app));
  const auto name = find_attempt(slots, attempt);
  if (!name || slots.slot(*name).state != SlotState::trial) {
    return no_attempt(app, attempt, "trial");
  }
  SlotRecord& slot = slot_of(slots, *name);
  FLEET_ASSERT(slot.tries_left >= 0);
  FLEET_ASSERT(slots.live != name);
  if (slot.tries_left == 0) {
    TRY(const AppSlots reverted,
        revert(transaction, app, attempt, Code::tries_used_up,
               "started " + std::to_string(slot.starts) + " times, never became healthy"));
    FLEET_ASSERT(!reverted.trial());
    return TryOutcome::reverted;
  }
  slot.tries_left -= 1;
  slot.starts += 1;
  TRY(const AppSlots kept, keep(transaction, std::move(slots)));
  FLEET_ASSERT(kept.slot(*name).starts > 0);
  return TryOutcome::start;
}

Result<AppSlots> Slots::confirm(Transaction& transaction, std::string_view app,
                                std::string_view attempt, const BootTime& now) {
  FLEET_ASSERT(!now.boot_id.empty());
  TRY(AppSlots slots, read_checked(transaction, app));
  const auto name = find_attempt(slots, attempt);
  if (!name) return no_attempt(app, attempt, "trial");
  SlotRecord& slot = slot_of(slots, *name);
  if (slot.state == SlotState::good) return slots;
  if (slot.state != SlotState::trial) return no_attempt(app, attempt, "trial");
  FLEET_ASSERT(slots.live != name);
  TRY_VOID(check_number(slots, slot.release));
  slot.state = SlotState::good;
  slot.tries_left = 0;
  slots.live = name;
  slots.under_watch = true;
  slots.highest_confirmed = std::max(slots.highest_confirmed, slot.release.release);
  slots.since_confirm_ms = 0;
  slots.marked = now;
  return keep(transaction, std::move(slots));
}

Result<AppSlots> Slots::end_watch(Transaction& transaction, std::string_view app) {
  TRY(AppSlots slots, read_checked(transaction, app));
  if (!slots.under_watch) return slots;
  slots.under_watch = false;
  FLEET_ASSERT(slots.live);
  return keep(transaction, std::move(slots));
}

Result<AppSlots> Slots::revert(Transaction& transaction, std::string_view app,
                               std::string_view attempt, Code why, std::string_view why_text) {
  FLEET_ASSERT(why != Code::unset);
  TRY(AppSlots slots, read_checked(transaction, app));
  const auto name = find_attempt(slots, attempt);
  if (!name) return no_attempt(app, attempt, "trial or live release");
  SlotRecord& slot = slot_of(slots, *name);
  if (slot.state == SlotState::bad) return slots;
  const bool is_live = slots.live == name;
  if (slot.state == SlotState::good && !(is_live && slots.under_watch)) {
    return Error{Code::conflict,
                 title(app, slot.release.release) +
                     (is_live ? " is no longer under watch" : " is not what runs") +
                     ": only an order may leave it",
                 std::string(app)};
  }
  FLEET_ASSERT(slot.state == SlotState::trial || is_live);
  make_bad(slot, why, why_text);
  if (is_live) leave_live(slots);
  // What runs with other values is the same content: then the values were at fault.
  const SlotRecord& beside = slots.slot(other(*name));
  const bool of_values = beside.state == SlotState::good &&
                         beside.release.manifest == slot.release.manifest;
  if (is_own_fault(why) && !of_values) {
    TRY_VOID(refuse_digest(transaction, app, slot.release.manifest, why, why_text));
  }
  return keep(transaction, std::move(slots));
}

Result<AppSlots> Slots::fall_back(Transaction& transaction, const FallBackOrder& order,
                                  const BootTime& now) {
  FLEET_ASSERT(!now.boot_id.empty());
  TRY(AppSlots slots, read_checked(transaction, order.app));
  const std::string from = title(order.app, order.from_release);
  if (slots.trial()) {
    return Error{Code::conflict, from + ": a trial is on; revert it first", order.app};
  }
  const SlotRecord* live = slots.live_slot();
  const SlotRecord& spare = slots.slot(slots.spare());
  const bool left_already = spare.state == SlotState::bad && spare.why == Code::ordered &&
                            spare.release.release == order.from_release;
  if (live != nullptr && left_already) return slots;
  if (live == nullptr || live->release.release != order.from_release) {
    return Error{Code::conflict, from + " is not what runs here", order.app};
  }
  if (spare.state != SlotState::good) {
    return Error{Code::no_fallback, from + ": the other slot holds no good release", order.app};
  }
  // A live slot that was fallen back to was not confirmed now: one step back, not two.
  const std::uint64_t age_ms = slots.age_ms(now);
  if (!slots.marked || age_ms > order.window_ms || order.window_ms == 0) {
    return Error{Code::no_fallback,
                 from + ": confirmed " + std::to_string(age_ms / 1000) +
                     " s of uptime ago, its fallback window is " +
                     std::to_string(order.window_ms / 1000) + " s; a rollback must be signed",
                 order.app};
  }
  if (order.is_yanked && order.is_yanked(spare.release.release)) {
    return Error{Code::yanked, title(order.app, spare.release.release) + " is yanked", order.app};
  }
  make_bad(slot_of(slots, *slots.live), Code::ordered, "the operator ordered it back");
  leave_live(slots);
  FLEET_ASSERT(slots.live);
  slots.marked.reset();
  slots.since_confirm_ms = 0;
  return keep(transaction, std::move(slots));
}

Status Slots::remove(Transaction& transaction, std::string_view app) {
  TRY(const AppSlots slots, read_checked(transaction, app));
  AppSlots bare;
  bare.app = slots.app;
  bare.highest_confirmed = slots.highest_confirmed;
  TRY(const AppSlots kept, keep(transaction, std::move(bare)));
  FLEET_ASSERT(kept.highest_confirmed == slots.highest_confirmed);
  return {};
}

}  // namespace ota
