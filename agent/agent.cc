#include "agent/agent.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "agent/supervise.h"
#include "proto/limits.h"
#include "proto/log.h"

namespace agent {
namespace {

using proto::Code;
using proto::Deadline;
using proto::Result;
using proto::Status;

constexpr std::int64_t kRetryMs = 1000;
constexpr std::int64_t kMarkTimeMs = 60'000;
constexpr std::int64_t kTidyMs = 10'000;
constexpr std::array kFeatures = {"beside", "swap", "stop-start"};

}  // namespace

Agent::Agent(Ports& ports, State& state, std::int64_t build_time_s)
    : device_(ports, state, build_time_s),
      link_(*this, device_),
      news_(device_),
      stopped_(ports.clock),
      app_tasks_(ports.loop),
      link_tasks_(ports.loop),
      tasks_(ports.loop) {}

Agent::~Agent() = default;

App& Agent::app(const std::string& name) {
  auto& slot = apps_[name];
  if (slot == nullptr) {
    slot = std::make_unique<App>(device_, name);
    ++device_.unadopted;
    if (begun_) app_tasks_.spawn("app " + name, run_app(*slot));
  }
  return *slot;
}

App* Agent::find(const std::string& name) {
  const auto found = apps_.find(name);
  return found == apps_.end() ? nullptr : found->second.get();
}

std::vector<std::string> Agent::app_names() const {
  std::vector<std::string> out;
  for (const auto& [name, one] : apps_) out.push_back(name);
  return out;
}

std::vector<fleet::v1::AppStatus> Agent::apps() const {
  std::vector<fleet::v1::AppStatus> out;
  for (const auto& [name, one] : apps_) out.push_back(one->status());
  return out;
}

void Agent::guests_changed() {
  for (const auto& [name, one] : apps_) one->changed.notify();
}

void Agent::guest_changed(const std::string& id) {
  // Only whom it concerns: every app that wakes asks the launcher for the whole list.
  for (const auto& [name, one] : apps_) {
    if (one->holds(id)) return one->changed.notify();
  }
}

Status Agent::take(const fleet::v1::Desired& desired) {
  if (desired.apps_size() > static_cast<int>(proto::kMaxAppsPerDevice)) {
    return proto::Error{Code::too_large, "a Desired with more than 64 apps", ""};
  }
  TRY(const bool newer, device_.state.store_desired(desired));
  news_.tell(newer ? desired.metadata_news() : news_.told());
  if (!newer) return {};
  generation_ = desired.generation();
  proto::log_info("desired.stored", {{"generation", generation_}, {"apps", desired.apps_size()}});
  std::set<std::string> named;
  for (const fleet::v1::DesiredApp& wish : desired.apps()) {
    if (wish.app().empty() || wish.app().size() > proto::kMaxNameLength) continue;
    app(wish.app()).set_wish(wish, generation_);
    named.insert(wish.app());
  }
  for (const auto& [name, one] : apps_) {
    if (named.count(name) == 0) one->set_wish({}, generation_);
  }
  return {};
}

fleet::v1::Hello Agent::hello() {
  fleet::v1::Hello out;
  out.set_boot_id(device_.ports.machine.boot_time().boot_id);
  out.set_agent_version(FLEET_VERSION);
  out.set_protocol(proto::kProtocolVersion);
  for (const char* feature : kFeatures) out.add_features(feature);
  *out.mutable_inventory() = device_.inventory();
  for (fleet::v1::AppStatus& status : apps()) *out.add_apps() = std::move(status);
  out.set_generation_applied(generation_);
  const auto audit = device_.state.audit_head();
  if (audit && audit->sequence() > 0) *out.mutable_audit_head() = *audit;
  out.set_root_version(device_.metadata.root_version);
  out.set_timestamp_version(device_.metadata.timestamp_version);
  if (device_.secrets) out.set_sealing_key(device_.secrets->public_key());
  return out;
}

// After a start: what a power cut left is brought back to the rules.
Status Agent::recover() {
  TRY(const auto pinned, ota::Slots::pinned_blobs(device_.state.database()));
  ota::Transaction transaction(device_.state.database());
  TRY(const auto recovered,
      ota::Slots::recover(transaction, device_.ports.machine.boot_time(),
                          [this](const ota::BlobRef& blob) { return device_.blobs.has(blob); }));
  TRY_VOID(transaction.commit());
  for (const ota::Recovered& one : recovered) {
    proto::log_warning("slot.recovered", {{"app", one.app},
                                          {"release", one.release},
                                          {"code", proto::name_of(one.why)},
                                          {"why", one.why_text}});
  }
  return {};
}

proto::awaitable<void> Agent::prepare() {
  while (!device_.stopping) {
    auto info = device_.ports.launcher.info();
    if (info) {
      device_.launcher = std::move(*info);
      break;
    }
    proto::log_error("launcher.away", {{"why", info.error().what}});
    co_await stopped_.wait(Deadline::after(device_.ports.clock, kRetryMs));
  }
  while (!device_.stopping) {
    auto probe = [this] { return device_.ports.machine.probe_monitors(); };
    auto monitors = co_await proto::run_blocking(device_.ports.disk_pool, std::move(probe));
    if (monitors) {
      device_.monitors = std::move(*monitors);
      break;
    }
    proto::log_error("monitors.not_probed", {{"why", monitors.error().what}});
    co_await stopped_.wait(Deadline::after(device_.ports.clock, kRetryMs));
  }
  for (const MonitorChoice& choice : device_.monitors) {
    proto::log_info("monitor.probed", {{"monitor", choice.label},
                                       {"usable", choice.monitor != nullptr ? "yes" : "no"},
                                       {"evidence", choice.evidence}});
  }
}

void Agent::begin_apps() {
  device_.network = std::make_unique<Network>(device_.launcher);
  std::set<std::string> names;
  auto listed = device_.ports.launcher.list();
  if (listed) {
    device_.network->adopt(*listed);
    for (const Instance& one : *listed) {
      const auto tag = read_tag(one.tag);
      if (tag) names.insert(tag->app);
    }
  }
  auto stored = ota::Slots::read_all(device_.state.database());
  if (stored) {
    for (const ota::AppSlots& one : *stored) names.insert(one.app);
  }
  for (const std::string& name : names) app(name);
  device_.ready = true;
  begun_ = true;
  for (const auto& [name, one] : apps_) app_tasks_.spawn("app " + name, run_app(*one));
}

// The launcher pushes what ends and prints; a new launcher means: nothing is published there.
proto::awaitable<void> Agent::watch_launcher() {
  proto::Clock& clock = device_.ports.clock;
  while (!device_.stopping) {
    auto events = device_.ports.launcher.open_events();
    auto info = device_.ports.launcher.info();
    if (events && info) {
      if (info->boot_ms != device_.launcher.boot_ms) {
        device_.launcher = std::move(*info);
        device_.forget_published();
        proto::log_warning("launcher.restarted", {});
        guests_changed();
      }
      proto::FdWatch watch(device_.ports.loop, events->get());
      while (!device_.stopping) {
        const Status readable = co_await watch.wait_readable(clock, Deadline::never());
        if (!readable) break;
        bool open = true;
        for (int reads = 0; reads < 1000; ++reads) {
          const auto event = read_event(*events);
          open = event.has_value();
          if (!event || !event->has_value()) break;
          guest_changed((*event)->id);
        }
        if (!open) break;
      }
      guests_changed();
    }
    if (device_.stopping) break;
    co_await stopped_.wait(Deadline::after(clock, kRetryMs));
  }
}

proto::awaitable<void> Agent::mark_time() {
  while (!device_.stopping) {
    co_await stopped_.wait(Deadline::after(device_.ports.clock, kMarkTimeMs));
    ota::Transaction transaction(device_.state.database());
    const Status marked = ota::Slots::mark_time(transaction, device_.ports.machine.boot_time());
    if (marked) {
      const Status committed = transaction.commit();
      if (!committed) proto::log_error("time.not_marked", {{"why", committed.error().what}});
    }
  }
}

// Whoever runs the guest, one that writes by itself too. After its end once more, so that nothing
// of it waits for the kernel.
proto::awaitable<void> Agent::sync_volumes() {
  std::set<std::string> before;
  while (!device_.stopping) {
    co_await stopped_.wait(Deadline::after(device_.ports.clock, kSyncEveryMs));
    std::set<std::string> now;
    for (const auto& [name, one] : apps_) one->add_periodic(now);
    for (const std::string& name : app_names()) co_await apps_.at(name)->measure_volumes();
    std::set<std::string> due = now;
    due.insert(before.begin(), before.end());
    before = std::move(now);
    if (due.empty()) continue;
    auto work = [this, &due] { return device_.volumes.sync(due); };
    const Status synced =
        co_await proto::run_blocking(device_.ports.disk_pool, std::move(work));
    if (!synced) proto::log_error("volume.not_synced", {{"why", synced.error().what}});
  }
}

// An update collects what it leaves; a revert, an order to go back and a power cut do not. While a
// wish is pursued, no record may name yet what its download goes on with.
proto::awaitable<void> Agent::tidy_store() {
  while (!device_.stopping) {
    co_await stopped_.wait(Deadline::after(device_.ports.clock, kTidyMs));
    const bool quiet = std::all_of(apps_.begin(), apps_.end(), [](const auto& one) {
      const App& app = *one.second;
      return !app.busy && (app.wish.app().empty() || app.wish_done());
    });
    if (device_.stopping || !quiet || !device_.store_untidy) continue;
    const Status collected = co_await device_.collect_blobs();
    if (!collected) proto::log_warning("blobs.not_collected", {{"why", collected.error().what}});
  }
}

proto::awaitable<void> Agent::run(std::function<void()> on_ready) {
  const Status prepared = device_.blobs.prepare();
  if (!prepared) proto::log_error("store.not_ready", {{"why", prepared.error().what}});
  const Status recovered = recover();
  if (!recovered) proto::log_error("slots.not_recovered", {{"why", recovered.error().what}});
  const Status remembered = device_.remember();
  if (!remembered) proto::log_error("state.unreadable", {{"why", remembered.error().what}});
  auto desired = device_.state.desired();
  if (!desired) proto::log_error("state.unreadable", {{"why", desired.error().what}});
  if (desired) {
    generation_ = desired->generation();
    news_.tell(desired->metadata_news());
    for (const fleet::v1::DesiredApp& wish : desired->apps()) {
      app(wish.app()).set_wish(wish, generation_);
    }
  }
  co_await prepare();
  if (!device_.stopping) {
    begin_apps();
    tasks_.spawn("launcher events", watch_launcher());
    link_tasks_.spawn("link", link_.run());
    tasks_.spawn("time", mark_time());
    tasks_.spawn("news", news_.run([this] { return app_names(); }));
    tasks_.spawn("volumes", sync_volumes());
    tasks_.spawn("store", tidy_store());
    on_ready();
  }
  while (!device_.stopping) co_await stopped_.wait(Deadline::never());
  tasks_.close();
  app_tasks_.close();
  link_tasks_.close();
  guests_changed();
  if (!link_.hang_up()) link_tasks_.cancel();
  tasks_.cancel();
  co_await app_tasks_.join();
  co_await link_tasks_.join();
  co_await tasks_.join();
}

void Agent::stop() {
  device_.stopping = true;
  news_.stop();
  for (const auto& [name, one] : apps_) {
    if (one->fetch != nullptr) one->fetch->cancel();
  }
  stopped_.notify();
}

}  // namespace agent
