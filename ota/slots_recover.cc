// Slots after a start: what breaks a rule, or lost its bytes, is reverted; the rest is left alone.
#include <algorithm>

#include "ota/slots_store.h"

namespace ota {

using proto::Code;

namespace {

using HasBlob = std::function<bool(const BlobRef&)>;

bool has_all(const std::vector<BlobRef>& blobs, const HasBlob& has_blob) {
  return std::all_of(blobs.begin(), blobs.end(), has_blob);
}

void fall(SlotRecord& slot, const std::string& app, Code why, const char* why_text,
          std::vector<Recovered>& changes) {
  FLEET_ASSERT(slot.state == SlotState::trial || slot.state == SlotState::good);
  changes.push_back({app, slot.release.attempt, slot.release.release, why, why_text});
  slot.state = SlotState::bad;
  slot.why = why;
  slot.why_text = why_text;
  slot.tries_left = 0;
  slot.release.blobs.clear();
}

// Only what the bytes or the rules say; the digest of a release that lost its bytes is not refused,
// because it may be fetched again.
void mend(AppSlots& slots, const HasBlob& has_blob, std::vector<Recovered>& changes) {
  static constexpr const char* kLost = "its bytes are gone from the disk";
  for (SlotRecord* slot : {&slots.a, &slots.b}) {
    const bool needs_bytes = slot->state == SlotState::trial || slot->state == SlotState::good;
    if (needs_bytes && !has_all(slot->release.blobs, has_blob)) {
      fall(*slot, slots.app, Code::bad_digest, kLost, changes);
    }
  }
  if (slots.a.state == SlotState::trial && slots.b.state == SlotState::trial) {
    fall(slots.a.release.release < slots.b.release.release ? slots.a : slots.b, slots.app,
         Code::internal, "two trials at once", changes);
  }
  if (slots.candidate && !has_all(slots.candidate->blobs, has_blob)) {
    changes.push_back({slots.app, slots.candidate->attempt, slots.candidate->release,
                       Code::bad_digest, kLost});
    slots.candidate.reset();
  }
  const bool live_is_good = slots.live && slots.live_slot()->state == SlotState::good;
  if (!live_is_good) {
    const bool had_live = slots.live.has_value();
    slots.live.reset();
    slots.under_watch = false;
    slots.marked.reset();
    slots.since_confirm_ms = 0;
    if (had_live && slots.a.state == SlotState::good) slots.live = SlotName::a;
    if (had_live && slots.b.state == SlotState::good) slots.live = SlotName::b;
  }
  if (const SlotRecord* live = slots.live_slot()) {
    slots.highest_confirmed = std::max(slots.highest_confirmed, live->release.release);
  }
}

}  // namespace

Result<std::vector<Recovered>> Slots::recover(Transaction& transaction, const BootTime& now,
                                              const HasBlob& has_blob) {
  FLEET_ASSERT(!now.boot_id.empty());
  FLEET_ASSERT(has_blob != nullptr);
  TRY_VOID(transaction.begun());
  std::vector<Recovered> changes;
  TRY(const std::vector<std::string> apps, all_apps(transaction.database()));
  for (const std::string& app : apps) {
    TRY(AppSlots slots, read(transaction.database(), app));
    mend(slots, has_blob, changes);
    TRY_VOID(write_slots(transaction, slots));
  }
  TRY_VOID(mark_time(transaction, now));
  return changes;
}

}  // namespace ota
