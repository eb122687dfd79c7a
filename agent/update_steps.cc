#include "agent/update_steps.h"

#include <algorithm>
#include <span>
#include <utility>

#include "agent/app_snapshots.h"
#include "agent/guest_config.h"
#include "agent/supervise.h"
#include "agent/uplink.h"
#include "proto/log.h"
#include "proto/units.h"

namespace agent {

using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Result;
using proto::Status;

namespace {

constexpr std::int64_t kFirstRetryMs = 500;
constexpr std::int64_t kLongestRetryMs = 60'000;

// A release that is only staged is this attempt's all the same.
fleet::v1::DesiredApp target_of(const fleet::v1::DesiredApp& wish) {
  fleet::v1::DesiredApp out = wish;
  if (wish.stage_release() != 0) out.set_release(wish.stage_release());
  return out;
}

// The values of this device fit what was signed. What is only staged runs with none of them yet.
Status check_values(Update& update) {
  if (update.stage_only()) return {};
  const Device& device = update.app.device;
  const Secrets* secrets = device.secrets ? &*device.secrets : nullptr;
  auto values = variable_values(update.manifest, values_of(update.wish), secrets);
  Status good = values ? Status() : Status(values.error());
  if (good) {
    const auto run = configured(update.manifest, *values);
    if (!run) good = run.error();
  }
  update.held_by_values = !good;
  return good;
}

proto::awaitable<Status> verify(Update& update) {
  App& app = update.app;
  while (true) {
    CO_TRY_VOID(update.still_wanted());
    const std::int64_t now_s = app.device.now_s();
    ota::Fetch& session = update.session();
    MetadataFacts facts;
    auto work = [&app, &session, &update, &facts, now_s] {
      return app.device.trust.find_release(session, app.name, update.wish.release(), now_s, facts);
    };
    auto found = co_await proto::run_blocking(app.device.ports.fetch_pool, std::move(work));
    CO_TRY(const bool floor_fell, app.device.learn(facts));
    if (found) {
      update.verified = std::move(*found);
      update.manifest = update.verified.manifest;
      update.fetched_bytes += update.verified.fetched_bytes;
      co_return Status();
    }
    if (floor_fell && found.error().code == Code::expired) continue;
    CO_TRY_VOID(co_await update.wait_to_retry(found.error()));
  }
}

Status check_refused(Update& update) {
  App& app = update.app;
  ota::Database& database = app.device.state.database();
  const ota::Sha256& digest = update.verified.manifest_ref.digest;
  TRY(bool refused, ota::Slots::is_refused(database, app.name, digest));
  if (refused && update.wish.retry_refused()) {
    ota::Transaction transaction(database);
    TRY_VOID(ota::Slots::forget_refusal(transaction, app.name, digest));
    TRY_VOID(transaction.commit());
    refused = false;
  }
  const bool yanked = app.device.is_yanked(app.name, update.wish.release());
  return check_number(app.slots, update.wish.release(), yanked, refused);
}

}  // namespace

Result<DeviceFacts> device_facts(App& app) {
  DeviceFacts facts;
  Device& device = app.device;
  facts.arch = device.ports.machine.arch();
  TRY(facts.memory_free_bytes, device.ports.machine.memory_free_bytes());
  facts.live_runs = app.live && !app.live->ended();
  if (facts.live_runs && app.manifest) facts.memory_of_old_bytes = app.manifest->memory_bytes();
  if (app.spare.guest && app.manifest) facts.memory_of_spare_bytes = app.manifest->memory_bytes();
  facts.memory_max_mib = device.launcher.memory_max_mib;
  facts.monitors = &device.monitors;
  facts.holders.apps = device.network->mappings_without(app.name);
  facts.holders.denied = device.launcher.denied_ports;
  facts.bypasses = device.launcher.bypasses;
  facts.serial_lines = device.launcher.serial_lines;
  TRY(facts.holders.sockets, device.ports.machine.host_sockets());
  return facts;
}

Update::Update(App& of)
    : app(of),
      wish(target_of(of.wish)),
      key(wish_key(of.wish)),
      began_ms_(of.device.ports.clock.now_ms()),
      keeper_(of.device.ports.loop) {}

Update::~Update() { app.fetch = nullptr; }

void Update::begin(std::string_view step) {
  end_step();
  step_ = std::string(step);
  step_began_ms_ = app.device.ports.clock.now_ms();
}

void Update::end_step() {
  if (step_.empty()) return;
  fleet::v1::StepTime time;
  time.set_step(step_);
  time.set_took_us(
      static_cast<std::uint64_t>(app.device.ports.clock.now_ms() - step_began_ms_) * 1000);
  steps.push_back(std::move(time));
  step_.clear();
}

ReportDraft Update::draft(fleet::v1::DeviceState state) {
  ReportDraft out;
  out.state = state;
  out.release = wish.release();
  out.wish = wish;
  out.steps = steps;
  out.fetched_bytes = fetched_bytes;
  if (state == fleet::v1::FETCHING || state == fleet::v1::STAGED || state == fleet::v1::TRIAL) {
    app.busy = state;
  }
  return out;
}

Status Update::still_wanted() const {
  if (app.device.stopping) return Error{Code::cancelled, "the agent stops", app.name};
  if (app.superseded(key)) return Error{Code::superseded, "a newer wish came", app.name};
  if (app.held()) return Error{Code::cancelled, "a window of the release is closed", app.name};
  return {};
}

proto::awaitable<Status> Update::wait_to_retry(Error error) {
  CO_TRY_VOID(still_wanted());  // a cancelled download says so through its cause
  if (!is_transient(error.code)) co_return error;
  proto::Clock& clock = app.device.ports.clock;
  const auto limit_ms = static_cast<std::int64_t>(wish.deadline_ms());
  if (limit_ms > 0 && clock.now_ms() - began_ms_ >= limit_ms) co_return error;
  retry_wait_ms_ = std::clamp(retry_wait_ms_ * 2, kFirstRetryMs, kLongestRetryMs);
  proto::log_warning("fetch.waits", {{"app", app.name}, {"why", error.what},
                                     {"wait_ms", retry_wait_ms_}});
  const Deadline until = Deadline::after(clock, retry_wait_ms_);
  while (!until.passed(clock) && still_wanted()) co_await app.changed.wait(until);
  app.fetch = nullptr;
  session_.reset();
  co_return still_wanted();
}

void Update::keep_live_meanwhile() { keeper_.spawn("keep live", keep_live(app, keeping_ended_)); }

proto::awaitable<void> Update::end_keeping() {
  keeping_ended_ = true;
  app.changed.notify();
  co_await keeper_.join();
}

ota::Fetch& Update::session() {
  if (session_ == nullptr) session_ = app.device.ports.fetches.open();
  app.fetch = session_.get();
  return *session_;
}

proto::awaitable<Status> admit(Update& update) {
  App& app = update.app;
  CO_TRY_VOID(app.report(update.draft(fleet::v1::OFFERED)));
  const bool yanked = app.device.is_yanked(app.name, update.wish.release());
  CO_TRY_VOID(check_number(app.slots, update.wish.release(), yanked, false));
  CO_TRY_VOID(co_await verify(update));
  CO_TRY_VOID(check_text(update.manifest));
  CO_TRY_VOID(check_refused(update));
  CO_TRY_VOID(check_values(update));
  CO_TRY_VOID(app.device.ports.machine.check_fit(update.manifest));
  CO_TRY(const DeviceFacts facts, device_facts(app));
  CO_TRY(update.plan, plan_release(update.manifest, facts));
  std::vector<ota::BlobRef> held = update.plan.blobs;
  held.push_back(update.verified.manifest_ref);
  update.missing = co_await find_missing(update, update.plan.blobs);

  // Whether it all fits is known before the first byte.
  DiskNeed need;
  std::uint64_t rest_bytes = 0;
  for (const MissingBlob& missing : update.missing) {
    need.blob_bytes += missing.blob.size_bytes;
    update.spent_bytes += missing.begun_bytes;
    rest_bytes += missing.rest_bytes;
    if (missing.delta) held.push_back(missing.delta->file);
  }
  app.device.hold(app.name, std::move(held));
  CO_TRY_VOID(check_budget(update.manifest, update.spent_bytes + rest_bytes));
  CO_TRY(need.volume_bytes, app.device.volumes.missing_bytes(
                                update.manifest, app.manifest ? &*app.manifest : nullptr));
  need.volume_bytes += Snapshots::bytes_for(update.manifest);
  CO_TRY(std::uint64_t free_bytes, app.device.ports.disk.free_bytes());
  if (!check_room(update.manifest, need, free_bytes)) {
    CO_TRY_VOID(co_await app.device.make_room());
    CO_TRY(free_bytes, app.device.ports.disk.free_bytes());
  }
  co_return check_room(update.manifest, need, free_bytes);
}

proto::awaitable<Status> stage(Update& update) {
  App& app = update.app;
  CO_TRY_VOID(update.still_wanted());
  auto put = [&app, &update] {
    const std::string& text = update.verified.manifest_bytes;
    return app.device.blobs.put(update.verified.manifest_ref,
                                std::as_bytes(std::span(text.data(), text.size())));
  };
  CO_TRY_VOID(co_await proto::run_blocking(app.device.ports.disk_pool, std::move(put)));
  ota::ReleaseRecord record;
  record.attempt = update.wish.attempt();
  record.release = update.wish.release();
  record.manifest = update.verified.manifest_ref.digest;
  record.overrides = write_overrides(values_of(update.wish));
  record.blobs = update.plan.blobs;
  record.blobs.push_back(update.verified.manifest_ref);
  const App::Verb verb = [&app, &record](ota::Transaction& tx) {
    return ota::Slots::stage(tx, app.name, record);
  };
  update.end_step();
  ReportDraft draft = update.draft(fleet::v1::STAGED);
  draft.detail = update.delta_note;
  draft.ends_wish = update.stage_only();
  co_return app.move(verb, draft);
}

proto::awaitable<Status> arm(Update& update) {
  App& app = update.app;
  CO_TRY_VOID(update.still_wanted());
  // The candidate takes the place of the record that says which copies go back.
  const ota::SlotRecord* live = app.slots.live_slot();
  std::string runs = live == nullptr ? std::string() : live->release.attempt;
  CO_TRY_VOID(co_await settle_snapshots(app, std::move(runs)));
  auto make = [&app, &update] { return app.device.volumes.make(update.manifest); };
  CO_TRY(const auto made,
         co_await proto::run_blocking(app.device.ports.disk_pool, std::move(make)));
  app.log_made(made);
  CO_TRY_VOID(update.still_wanted());
  // It may have been yanked while its bytes came.
  const bool yanked = app.device.is_yanked(app.name, update.wish.release());
  CO_TRY_VOID(check_number(app.slots, update.wish.release(), yanked, false));
  ota::Slots::ArmOptions options;
  options.tries =
      static_cast<int>(std::clamp<std::uint32_t>(update.manifest.update().tries(), 1, 10));
  options.end_watch = true;  // a newer wish of the operator ends the watch over the older one
  const App::Verb verb = [&app, &update, &options](ota::Transaction& tx) {
    return ota::Slots::arm(tx, app.name, update.wish.attempt(), options);
  };
  update.end_step();
  ReportDraft draft = update.draft(fleet::v1::TRIAL);
  draft.detail = update.plan.handover_why;
  draft.uplink = uplink_owed(app, update.manifest, update.wish.attempt());
  co_return app.move(verb, draft);
}

}  // namespace agent
