// Slots: the tables, and the records in them.
#include "ota/slots_store.h"

#include <algorithm>
#include <array>

namespace ota {

using proto::Code;

namespace {

// Step 1. Digests are hex, states are words, so that a person can read the file with sqlite3.
constexpr std::string_view kTables = R"sql(
CREATE TABLE slot_apps(
  app TEXT PRIMARY KEY,
  live TEXT CHECK(live IN ('A', 'B')),
  under_watch INTEGER NOT NULL,
  highest_confirmed INTEGER NOT NULL,
  since_confirm_ms INTEGER NOT NULL,
  marked_boot TEXT,
  marked_uptime_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE slot_records(
  app TEXT NOT NULL REFERENCES slot_apps(app),
  place TEXT NOT NULL CHECK(place IN ('A', 'B', 'candidate')),
  state TEXT NOT NULL,
  attempt TEXT NOT NULL,
  release INTEGER NOT NULL,
  manifest TEXT NOT NULL,
  overrides TEXT NOT NULL,
  tries_left INTEGER NOT NULL,
  starts INTEGER NOT NULL,
  why INTEGER NOT NULL,
  why_text TEXT NOT NULL,
  PRIMARY KEY(app, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE slot_blobs(
  app TEXT NOT NULL,
  place TEXT NOT NULL,
  position INTEGER NOT NULL,
  digest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY(app, place, position),
  FOREIGN KEY(app, place) REFERENCES slot_records(app, place) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE slot_refusals(
  app TEXT NOT NULL,
  manifest TEXT NOT NULL,
  why INTEGER NOT NULL,
  why_text TEXT NOT NULL,
  PRIMARY KEY(app, manifest)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array<std::string_view, 1> kSteps = {kTables};
constexpr std::string_view kCandidate = "candidate";

SlotState state_of(std::string_view word) {
  for (const SlotState state : {SlotState::empty, SlotState::trial, SlotState::good}) {
    if (word == name_of(state)) return state;
  }
  return SlotState::bad;  // also a word that we do not know: never run it
}

int small_int(std::int64_t value) {
  return static_cast<int>(std::clamp<std::int64_t>(value, 0, 1'000'000));
}

Result<std::vector<BlobRef>> read_blobs(Database& database, std::string_view app,
                                        std::string_view place) {
  Statement rows(database,
                 "SELECT digest, size_bytes FROM slot_blobs WHERE app = ? AND place = ? "
                 "ORDER BY position",
                 app, place);
  std::vector<BlobRef> blobs;
  while (true) {
    TRY(const bool more, rows.step());
    if (!more) return blobs;
    TRY(const Sha256 digest, Sha256::from_hex(rows.text(0)));
    blobs.push_back({digest, rows.unsigned_integer(1)});
  }
}

Status write_record(Transaction& transaction, std::string_view app, std::string_view place,
                    const SlotRecord& slot, std::string_view state) {
  const ReleaseRecord& release = slot.release;
  Statement record(transaction,
                   "INSERT INTO slot_records(app, place, state, attempt, release, manifest, "
                   "overrides, tries_left, starts, why, why_text) "
                   "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   app, place, state, release.attempt, release.release, release.manifest.hex(),
                   release.overrides, slot.tries_left, slot.starts, static_cast<int>(slot.why),
                   slot.why_text);
  TRY_VOID(record.run());
  for (std::size_t i = 0; i < release.blobs.size(); ++i) {
    Statement blob(transaction,
                   "INSERT INTO slot_blobs(app, place, position, digest, size_bytes) "
                   "VALUES(?, ?, ?, ?, ?)",
                   app, place, i, release.blobs[i].digest.hex(), release.blobs[i].size_bytes);
    TRY_VOID(blob.run());
  }
  return {};
}

Status write_app(Transaction& transaction, const AppSlots& slots) {
  std::optional<std::string_view> live;
  if (slots.live) live = name_of(*slots.live);
  std::optional<std::string_view> boot;
  if (slots.marked) boot = slots.marked->boot_id;
  const std::uint64_t uptime_ms = slots.marked ? slots.marked->uptime_ms : 0;
  Statement row(transaction,
                "INSERT INTO slot_apps(app, live, under_watch, highest_confirmed, "
                "since_confirm_ms, marked_boot, marked_uptime_ms) VALUES(?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT(app) DO UPDATE SET live = excluded.live, "
                "under_watch = excluded.under_watch, "
                "highest_confirmed = max(highest_confirmed, excluded.highest_confirmed), "
                "since_confirm_ms = excluded.since_confirm_ms, "
                "marked_boot = excluded.marked_boot, "
                "marked_uptime_ms = excluded.marked_uptime_ms",
                slots.app, live, slots.under_watch, slots.highest_confirmed,
                slots.since_confirm_ms, boot, uptime_ms);
  return row.run();
}

Status read_record(Database& database, const Statement& row, AppSlots& slots) {
  const std::string place = row.text(0);
  SlotRecord slot;
  slot.state = state_of(row.text(1));
  slot.release.attempt = row.text(2);
  slot.release.release = row.unsigned_integer(3);
  TRY(slot.release.manifest, Sha256::from_hex(row.text(4)));
  slot.release.overrides = row.text(5);
  slot.tries_left = small_int(row.integer(6));
  slot.starts = small_int(row.integer(7));
  slot.why = static_cast<Code>(small_int(row.integer(8)));
  slot.why_text = row.text(9);
  if (slot.state == SlotState::bad && slot.why == Code::unset) slot.why = Code::internal;
  TRY(slot.release.blobs, read_blobs(database, slots.app, place));
  if (place == kCandidate) slots.candidate = std::move(slot.release);
  else (place == "A" ? slots.a : slots.b) = std::move(slot);
  return {};
}

}  // namespace

const Schema kSlotsSchema{"slots", kSteps};

std::uint64_t AppSlots::age_ms(const BootTime& now) const {
  if (!marked) return since_confirm_ms;
  if (marked->boot_id != now.boot_id) return since_confirm_ms + now.uptime_ms;
  const bool forward = now.uptime_ms > marked->uptime_ms;
  return since_confirm_ms + (forward ? now.uptime_ms - marked->uptime_ms : 0);
}

Status write_slots(Transaction& transaction, const AppSlots& slots) {
  FLEET_ASSERT(!slots.app.empty());
  FLEET_ASSERT(!slots.a.release.attempt.empty() || slots.a.state == SlotState::empty);
  TRY_VOID(write_app(transaction, slots));
  Statement old(transaction, "DELETE FROM slot_records WHERE app = ?", slots.app);
  TRY_VOID(old.run());
  for (const SlotName name : {SlotName::a, SlotName::b}) {
    const SlotRecord& slot = slots.slot(name);
    if (slot.state == SlotState::empty) continue;
    TRY_VOID(write_record(transaction, slots.app, name_of(name), slot, name_of(slot.state)));
  }
  if (!slots.candidate) return {};
  SlotRecord candidate;
  candidate.release = *slots.candidate;
  return write_record(transaction, slots.app, kCandidate, candidate, "staged");
}

Result<AppSlots> Slots::read(Database& database, std::string_view app) {
  AppSlots slots;
  slots.app = std::string(app);
  Statement row(database,
                "SELECT live, under_watch, highest_confirmed, since_confirm_ms, marked_boot, "
                "marked_uptime_ms FROM slot_apps WHERE app = ?",
                app);
  TRY(const bool known, row.step());
  if (!known) return slots;
  if (!row.is_null(0)) slots.live = row.text(0) == "A" ? SlotName::a : SlotName::b;
  slots.under_watch = row.integer(1) != 0;
  slots.highest_confirmed = row.unsigned_integer(2);
  slots.since_confirm_ms = row.unsigned_integer(3);
  if (!row.is_null(4)) slots.marked = BootTime{row.text(4), row.unsigned_integer(5)};
  Statement records(database,
                    "SELECT place, state, attempt, release, manifest, overrides, tries_left, "
                    "starts, why, why_text FROM slot_records WHERE app = ?",
                    app);
  while (true) {
    TRY(const bool more, records.step());
    if (!more) return slots;
    TRY_VOID(read_record(database, records, slots));
  }
}

Result<std::vector<std::string>> all_apps(Database& database) {
  Statement rows(database, "SELECT app FROM slot_apps ORDER BY app");
  std::vector<std::string> apps;
  while (true) {
    TRY(const bool more, rows.step());
    if (!more) return apps;
    apps.push_back(rows.text(0));
  }
}

Result<std::vector<AppSlots>> Slots::read_all(Database& database) {
  Statement rows(database, "SELECT DISTINCT app FROM slot_records ORDER BY app");
  std::vector<AppSlots> all;
  while (true) {
    TRY(const bool more, rows.step());
    if (!more) return all;
    TRY(AppSlots slots, read(database, rows.text(0)));
    all.push_back(std::move(slots));
  }
}

Result<std::vector<BlobRef>> Slots::pinned_blobs(Database& database) {
  Statement rows(database, "SELECT DISTINCT digest, size_bytes FROM slot_blobs ORDER BY digest");
  std::vector<BlobRef> blobs;
  while (true) {
    TRY(const bool more, rows.step());
    if (!more) return blobs;
    TRY(const Sha256 digest, Sha256::from_hex(rows.text(0)));
    blobs.push_back({digest, rows.unsigned_integer(1)});
  }
}

Status Slots::refuse_digest(Transaction& transaction, std::string_view app,
                            const Sha256& manifest, Code why, std::string_view why_text) {
  FLEET_ASSERT(!app.empty());
  FLEET_ASSERT(why != Code::unset);
  Statement row(transaction,
                "INSERT INTO slot_refusals(app, manifest, why, why_text) VALUES(?, ?, ?, ?) "
                "ON CONFLICT(app, manifest) DO NOTHING",
                app, manifest.hex(), static_cast<int>(why), why_text);
  return row.run();
}

Status Slots::forget_refusal(Transaction& transaction, std::string_view app,
                             const Sha256& manifest) {
  Statement row(transaction, "DELETE FROM slot_refusals WHERE app = ? AND manifest = ?", app,
                manifest.hex());
  return row.run();
}

Result<bool> Slots::is_refused(Database& database, std::string_view app, const Sha256& manifest) {
  Statement row(database, "SELECT 1 FROM slot_refusals WHERE app = ? AND manifest = ?", app,
                manifest.hex());
  return row.step();
}

Status Slots::mark_time(Transaction& transaction, const BootTime& now) {
  FLEET_ASSERT(!now.boot_id.empty());
  TRY_VOID(transaction.begun());
  TRY(const std::vector<std::string> apps, all_apps(transaction.database()));
  for (const std::string& app : apps) {
    TRY(AppSlots slots, read(transaction.database(), app));
    if (!slots.marked) continue;
    const std::uint64_t age_ms = slots.age_ms(now);
    FLEET_ASSERT(age_ms >= slots.since_confirm_ms);
    slots.since_confirm_ms = age_ms;
    slots.marked = now;
    TRY_VOID(write_app(transaction, slots));
  }
  return {};
}

}  // namespace ota
