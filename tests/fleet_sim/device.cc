#include "tests/fleet_sim/device.h"

#include <algorithm>
#include <utility>

#include "agent/http.h"
#include "agent/link.h"
#include "ota/hash.h"
#include "proto/identity.h"
#include "proto/json.h"

namespace fleet_sim {

using fleet::v1::DesiredApp;
using fleet::v1::DeviceState;
using fleet::v1::Envelope;
using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Status;

namespace {

constexpr std::int64_t kPatienceMs = 60'000;
constexpr int kDownloadTries = 8;  // a controller that is busy turns some away

}  // namespace

Device::Device(boost::asio::io_context& loop, proto::Clock& clock, const Behaviour& behaviour,
               Counts& counts, std::string name)
    : loop_(loop), clock_(clock), behaviour_(behaviour), counts_(counts), name_(std::move(name)),
      changed_(clock), pursuits_(loop) {}

proto::awaitable<Status> Device::enrol(std::shared_ptr<proto::TlsContext> context) {
  CO_TRY(const proto::PrivateKey key, proto::PrivateKey::generate());
  fleet::v1::EnrollRequest ask;
  ask.set_token(behaviour_.bootstrap.token());
  CO_TRY(*ask.mutable_csr_der(), proto::make_csr(key, "device"));
  ask.set_name(name_);
  *ask.mutable_inventory() = inventory();
  agent::PostRequest request;
  request.address = behaviour_.bootstrap.address();
  request.host_name = behaviour_.bootstrap.host_name();
  request.path = "/device/v1/enroll";
  CO_TRY(request.json, proto::to_json(ask));
  CO_TRY(const auto answer, co_await agent::post_json(std::move(context), std::move(request),
                                                      Deadline::after(clock_, kPatienceMs)));
  if (answer.status < 200 || answer.status > 299) {
    co_return Error{Code::forbidden, name_ + ": " + answer.body, name_};
  }
  CO_TRY(const auto reply, proto::from_json<fleet::v1::EnrollReply>(answer.body));
  proto::TlsClientOptions options;
  options.ca_pem = behaviour_.bootstrap.ca_pem();
  options.certificate_pem = reply.certificate_pem();
  options.key_pem = key.to_pem();
  CO_TRY(context_, proto::TlsContext::make_client(options));
  ++counts_.enrolled;
  co_return Status();
}

// As agent/link does it, with the same waits.
proto::awaitable<void> Device::run() {
  int failures = 0;
  while (true) {
    auto channel = co_await proto::connect_channel(
        clock_, context_, behaviour_.bootstrap.address(), behaviour_.bootstrap.host_name(), {},
        Deadline::after(clock_, kPatienceMs));
    if (!channel && channel.error().code == Code::cancelled) co_return;
    if (channel) {
      failures = 0;
      ++counts_.links;
      co_await speak(**channel);
    }
    if (!channel) ++counts_.refused_links;
    ++failures;
    const std::int64_t wait_ms = agent::backoff_ms(failures, retry_floor_ms_, ota::random_below);
    retry_floor_ms_ = 0;
    co_await proto::sleep_ms(clock_, wait_ms);
  }
}

proto::awaitable<void> Device::speak(proto::Channel& channel) {
  sent_ = 0;
  Envelope first;
  fleet::v1::Hello& hello = *first.mutable_hello();
  hello.set_boot_id(name_);
  hello.set_agent_version(FLEET_VERSION);
  hello.set_protocol(1);
  *hello.mutable_inventory() = inventory();
  for (const auto& [app, unused] : apps_) *hello.add_apps() = status_of(app);
  hello.set_generation_applied(generation_);
  const Status greeted = co_await channel.send(std::move(first));
  if (!greeted) co_return;
  ++counts_.online;
  proto::TaskGroup tasks(loop_);
  tasks.spawn("send", send_loop(channel));
  while (true) {
    auto envelope = co_await channel.receive(Deadline::never());
    if (!envelope) break;
    if (envelope->has_desired()) take(envelope->desired());
    if (envelope->has_goodbye()) {
      retry_floor_ms_ = static_cast<std::int64_t>(envelope->goodbye().retry_after_ms());
    }
    if (!envelope->has_ack()) continue;
    const std::uint64_t known = envelope->ack().sequence();
    while (!outbox_.empty() && outbox_.front().sequence() <= known) {
      outbox_.pop_front();
      ++counts_.reports;
    }
  }
  --counts_.online;
  channel.abort();
  tasks.close();
  tasks.cancel();
  co_await tasks.join();
}

proto::awaitable<void> Device::send_loop(proto::Channel& channel) {
  Deadline telemetry = Deadline::after(clock_, agent::kTelemetryMs);
  while (channel.is_open()) {
    const auto next = std::find_if(outbox_.begin(), outbox_.end(), [this](const auto& one) {
      return one.sequence() > sent_;
    });
    Envelope envelope;
    if (next != outbox_.end()) {
      sent_ = next->sequence();
      *envelope.mutable_report() = *next;
    } else if (telemetry.passed(clock_)) {
      telemetry = Deadline::after(clock_, agent::kTelemetryMs);
      *envelope.mutable_telemetry()->mutable_inventory() = inventory();
      for (const auto& [app, unused] : apps_) {
        *envelope.mutable_telemetry()->add_apps() = status_of(app);
      }
    } else {
      co_await changed_.wait(telemetry);
      continue;
    }
    const Status sent = co_await channel.send(std::move(envelope));
    if (!sent) co_return;
  }
}

void Device::take(const fleet::v1::Desired& desired) {
  if (desired.generation() <= generation_) return;
  generation_ = desired.generation();
  for (const DesiredApp& wish : desired.apps()) {
    App& app = apps_[wish.app()];
    if (wish.hold_fetch() || wish.hold_arm() || wish.attempt() == app.attempt) continue;
    app.attempt = wish.attempt();
    pursuits_.spawn(wish.app(), pursue(wish));
  }
}

bool Device::newest(const DesiredApp& wish) const {
  return apps_.at(wish.app()).attempt == wish.attempt();
}

proto::awaitable<bool> Device::update(DesiredApp wish) {
  report(wish, fleet::v1::FETCHING);
  bool fetched = !behaviour_.downloads;
  for (int tries = 1; !fetched && tries <= kDownloadTries; ++tries) {
    const Endpoint controller{behaviour_.bootstrap.address(), behaviour_.bootstrap.host_name()};
    const auto downloaded = co_await download(context_, controller, wish, apps_[wish.app()].image,
                                              Deadline::after(clock_, kPatienceMs));
    if (!newest(wish)) co_return false;
    fetched = downloaded.has_value();
    if (fetched) {
      counts_.downloaded_bytes += downloaded->bytes;
      apps_[wish.app()].image = downloaded->image;
    } else {
      ++counts_.failed_downloads;
      co_await proto::sleep_ms(clock_, agent::backoff_ms(tries, 0, ota::random_below));
    }
  }
  if (!newest(wish) || !fetched) co_return false;
  report(wish, fleet::v1::STAGED);
  report(wish, fleet::v1::TRIAL);
  co_await proto::sleep_ms(clock_, behaviour_.trial_ms);
  co_return ota::random_below(1000) >= behaviour_.fails_permille;
}

proto::awaitable<void> Device::pursue(DesiredApp wish) {
  App& app = apps_[wish.app()];
  report(wish, fleet::v1::OFFERED);
  DeviceState end = fleet::v1::HEALTHY;
  std::uint64_t live = app.live;
  if (wish.run() == fleet::v1::STOP) {
    end = fleet::v1::STOPPED;
  } else if (wish.run() == fleet::v1::REMOVE) {
    end = fleet::v1::REMOVED;
    live = 0;
  } else if (wish.fall_back() != 0) {
    live = wish.fall_back();
  } else if (wish.release() != app.live) {
    const bool good = co_await update(wish);
    end = good ? fleet::v1::HEALTHY : fleet::v1::REVERTED;
    if (good) live = wish.release();
  }
  if (!newest(wish)) co_return;
  if (live != app.live) app.before = std::exchange(app.live, live);
  counts_.healthy += end == fleet::v1::HEALTHY ? 1 : 0;
  counts_.reverted += end == fleet::v1::REVERTED ? 1 : 0;
  report(wish, end);
}

void Device::report(const DesiredApp& wish, DeviceState state) {
  if (!newest(wish)) return;
  apps_[wish.app()].state = state;
  fleet::v1::Report& one = outbox_.emplace_back();
  one.set_sequence(++sequence_);
  one.set_generation(generation_);
  one.set_app(wish.app());
  one.set_release(wish.release());
  one.set_attempt(wish.attempt());
  one.set_state(state);
  if (state == fleet::v1::REVERTED) {
    one.mutable_why()->set_code(fleet::v1::CODE_NO_ANSWER);
    one.mutable_why()->set_text("no answer: simulated");
    one.mutable_why()->set_fingerprint("51f00000");
    one.mutable_why()->add_console_tail("sim: listening where nobody asks");
  }
  *one.mutable_status() = status_of(wish.app());
  one.set_time_ms(static_cast<std::uint64_t>(clock_.wall_ms()));
  changed_.notify();
}

fleet::v1::AppStatus Device::status_of(const std::string& name) const {
  const App& app = apps_.at(name);
  fleet::v1::AppStatus out;
  out.set_app(name);
  out.set_state(app.state);
  out.set_live_release(app.live);
  out.set_highest_confirmed(app.live);
  if (app.live != 0) {
    out.set_live_slot("A");
    out.mutable_a()->set_state(fleet::v1::GOOD);
    out.mutable_a()->set_release(app.live);
  }
  if (app.before != 0) {
    out.mutable_b()->set_state(fleet::v1::GOOD);
    out.mutable_b()->set_release(app.before);
  }
  return out;
}

fleet::v1::Inventory Device::inventory() const {
  fleet::v1::Inventory out;
  out.set_arch(fleet::v1::X86_64);
  out.set_board("simulated");
  out.set_memory_total_bytes(1024 * proto::kMiB);
  out.set_memory_free_bytes(512 * proto::kMiB);
  out.set_disk_free_bytes(4096 * proto::kMiB);
  out.set_clock_synchronised(true);
  fleet::v1::MonitorEvidence& monitor = *out.add_monitors();
  monitor.set_name("spt");
  monitor.set_usable(true);
  monitor.set_evidence("simulated");
  return out;
}

}  // namespace fleet_sim
