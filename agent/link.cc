#include "agent/link.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/agent.h"
#include "agent/flight_log.h"
#include "ota/hash.h"
#include "proto/log.h"

namespace agent {
namespace {

using fleet::v1::Envelope;
using proto::Code;
using proto::Deadline;
using proto::Status;

constexpr std::int64_t kConnectMs = 30'000;
constexpr std::int64_t kFirstCapMs = 1000;
constexpr std::int64_t kLongestCapMs = 60'000;
constexpr std::int64_t kFollowMs = 200;      // how often a followed console is looked at
constexpr std::int64_t kTakeAgainMs = 1000;
constexpr std::int64_t kNudgeMs = 250;       // changes are gathered before a telemetry
constexpr std::int64_t kRenewLookMs = 3'600'000;
constexpr std::size_t kReportsAtOnce = 64;
constexpr std::size_t kLogChunkBytes = 64 * proto::kKiB;

}  // namespace

std::int64_t backoff_ms(int failures, std::int64_t floor_ms,
                        std::uint32_t (*random)(std::uint32_t)) {
  std::int64_t cap_ms = kFirstCapMs;
  for (int i = 1; i < failures && cap_ms < kLongestCapMs; ++i) cap_ms *= 2;
  cap_ms = std::min(cap_ms, kLongestCapMs);
  const std::int64_t jitter_ms = random(static_cast<std::uint32_t>(cap_ms));
  return std::max<std::int64_t>(floor_ms, 0) + jitter_ms;
}

Link::Link(Agent& agent, Device& device)
    : agent_(agent), device_(device), untaken_came_(device.ports.clock) {
  device_.send_log = [this](fleet::v1::LogChunk chunk) {
    logs_.push_back(std::move(chunk));
    if (logs_.size() > kMaxQueuedLogs) logs_.pop_front();
    device_.outbox_changed.notify();
  };
  device_.renew_link = [this] {
    renewing_ = channel_ != nullptr;
    if (renewing_) channel_->abort();
  };
}

proto::awaitable<void> Link::run() {
  int failures = 0;
  while (!device_.stopping) {
    const std::int64_t since_ms = device_.ports.clock.now_ms();
    auto channel =
        co_await device_.ports.link.connect(Deadline::after(device_.ports.clock, kConnectMs));
    if (device_.stopping) break;
    if (channel) {
      const std::int64_t began_ms = device_.ports.clock.now_ms();
      channel_ = channel->get();
      device_.link_since_ms = since_ms;
      co_await speak(**channel);
      channel_ = nullptr;
      if (device_.link_up) device_.link_lost_ms = device_.ports.clock.now_ms();
      device_.link_up = false;
      // A link that lasted is no failure; one that ends at once backs off like none.
      const bool lasted = device_.ports.clock.now_ms() - began_ms > kConnectMs;
      failures = lasted ? 0 : failures + 1;
    } else {
      ++failures;
      proto::log_warning("link.not_made", {{"why", channel.error().what},
                                           {"code", proto::name_of(channel.error().code)}});
    }
    if (device_.stopping) break;
    if (std::exchange(renewing_, false)) {
      failures = 0;
      co_await proto::sleep_ms(device_.ports.clock, 1);  // so that it counts as begun later
      continue;
    }
    const std::int64_t wait_ms = backoff_ms(std::max(failures, 1), retry_floor_ms_,
                                            ota::random_below);
    retry_floor_ms_ = 0;
    co_await proto::sleep_ms(device_.ports.clock, wait_ms);
  }
}

bool Link::hang_up() {
  if (channel_ == nullptr) return false;
  channel_->abort();
  return true;
}

proto::awaitable<void> Link::speak(proto::Channel& channel) {
  sent_sequence_ = 0;
  follows_.clear();
  untaken_.reset();
  unforgotten_.clear();
  Envelope first;
  *first.mutable_hello() = agent_.hello();
  const Status greeted = co_await channel.send(std::move(first));
  if (!greeted) co_return;
  device_.link_up = true;
  proto::log_info("link.made", {{"to", channel.remote_address()}});
  proto::TaskGroup tasks(device_.ports.loop);
  tasks.spawn("link reports", send_loop(channel));
  tasks.spawn("link logs", log_loop(channel));
  tasks.spawn("link telemetry", telemetry_loop(channel));
  tasks.spawn("link renewal", renew_loop(channel));
  tasks.spawn("link flights", flight_loop(channel));
  tasks.spawn("link wishes", take_loop(channel));
  while (!device_.stopping) {
    auto envelope = co_await channel.receive(Deadline::never());
    if (!envelope) {
      proto::log_info("link.lost", {{"why", envelope.error().what},
                                    {"code", proto::name_of(envelope.error().code)}});
      break;
    }
    hear(std::move(*envelope));
  }
  channel.abort();
  tasks.close();
  tasks.cancel();
  co_await tasks.join();
}

void Link::hear(Envelope envelope) {
  switch (envelope.body_case()) {
    case Envelope::kDesired: {
      const Status kept = device_.state.store_audit_head(envelope.desired().audit_head());
      if (!kept) proto::log_error("audit.not_kept", {{"why", kept.error().what}});
      take(std::move(*envelope.mutable_desired()));
      break;
    }
    case Envelope::kAck: forget(envelope.ack().sequence()); break;
    case Envelope::kFlightAck: {
      const Status noted =
          FlightLog::acknowledge(device_.state.database(), envelope.flight_ack());
      if (!noted) {  // a full disk, maybe: the record is sent again when its time is over
        proto::log_error("ack.not_stored", {{"why", noted.error().what}});
        break;
      }
      if (envelope.flight_ack().has_refused()) {
        proto::log_warning("flight.refused", {{"id", envelope.flight_ack().id()},
                                              {"why", envelope.flight_ack().refused().text()}});
      }
      flight_sent_ = false;
      device_.flights_changed.notify();
      break;
    }
    case Envelope::kLogSubscribe: follow(envelope.log_subscribe()); break;
    case Envelope::kRenewed: take_certificate(envelope.renewed()); break;
    case Envelope::kGoodbye:
      retry_floor_ms_ = static_cast<std::int64_t>(
          std::min<std::uint64_t>(envelope.goodbye().retry_after_ms(), 3'600'000));
      break;
    default: break;  // a body that is not known here is ignored (link.proto)
  }
}

void Link::take(fleet::v1::Desired desired) {
  untaken_.reset();  // an older one is no longer wanted
  const Status taken = agent_.take(desired);
  if (taken) return;
  proto::log_error("desired.not_stored", {{"why", taken.error().what}});
  if (taken.error().code == Code::too_large) return;  // it will not fit later either
  untaken_ = std::move(desired);
  untaken_came_.notify();
}

void Link::forget(std::uint64_t sequence) {
  const Status forgotten = device_.state.acknowledge(sequence);
  if (forgotten) return;
  proto::log_error("ack.not_stored", {{"why", forgotten.error().what}});
  if (unforgotten_.size() >= kMaxOutbox) return;  // the rest comes again with the next connection
  unforgotten_.insert(sequence);
  untaken_came_.notify();
}

// A disk that was full when the controller spoke: what it said is stored once that is possible.
proto::awaitable<void> Link::take_loop(proto::Channel& channel) {
  while (channel.is_open() && !device_.stopping) {
    if (!untaken_ && unforgotten_.empty()) {
      co_await untaken_came_.wait(Deadline::never());
      continue;
    }
    co_await proto::sleep_ms(device_.ports.clock, kTakeAgainMs);
    if (untaken_) take(*std::exchange(untaken_, std::nullopt));
    for (const std::uint64_t sequence : std::exchange(unforgotten_, {})) forget(sequence);
  }
}

void Link::take_certificate(const fleet::v1::Renewed& answer) {
  if (answer.certificate_pem().empty()) {
    proto::log_error("certificate.refused", {{"why", answer.refused().text()}});
    return;
  }
  const Status installed = device_.ports.credentials.install(answer.certificate_pem());
  if (!installed) {
    proto::log_error("certificate.not_installed", {{"why", installed.error().what}});
    return;
  }
  proto::log_info("certificate.renewed",
                  {{"until_ms", device_.ports.credentials.valid_until_ms()}});
}

// A new certificate when a third of the old one's time is left (DESIGN 4).
proto::awaitable<void> Link::renew_loop(proto::Channel& channel) {
  const Credentials& credentials = device_.ports.credentials;
  while (channel.is_open() && !device_.stopping) {
    const std::int64_t lifetime_ms = credentials.valid_until_ms() - credentials.valid_from_ms();
    const std::int64_t left_ms = credentials.valid_until_ms() - device_.now_s() * 1000;
    if (credentials.valid_until_ms() > 0 && left_ms * 3 < lifetime_ms) {
      auto request = device_.ports.credentials.make_request();
      if (!request) {
        proto::log_error("certificate.no_request", {{"why", request.error().what}});
      } else {
        Envelope envelope;
        envelope.mutable_renew()->set_csr_der(std::move(*request));
        const Status sent = co_await channel.send(std::move(envelope));
        if (!sent) co_return;
      }
    }
    co_await proto::sleep_ms(device_.ports.clock, kRenewLookMs);
  }
}

void Link::follow(const fleet::v1::LogSubscribe& wish) {
  if (!wish.follow()) {
    follows_.erase(wish.app());
    return;
  }
  if (follows_.size() >= proto::kMaxAppsPerDevice) return;
  follows_[wish.app()].until_wall_ms = static_cast<std::int64_t>(
      std::min<std::uint64_t>(wish.until_ms(), std::numeric_limits<std::int64_t>::max()));
}

proto::awaitable<Status> Link::send_reports(proto::Channel& channel) {
  while (true) {
    auto reports = device_.state.outbox(sent_sequence_, kReportsAtOnce);
    if (!reports) {
      proto::log_error("outbox.unreadable", {{"why", reports.error().what}});
      co_return Status();
    }
    if (reports->empty()) co_return Status();
    for (fleet::v1::Report& report : *reports) {
      const std::uint64_t sequence = report.sequence();
      Envelope envelope;
      *envelope.mutable_report() = std::move(report);
      CO_TRY_VOID(co_await channel.send(std::move(envelope)));
      sent_sequence_ = sequence;
    }
  }
}

proto::awaitable<void> Link::send_loop(proto::Channel& channel) {
  while (channel.is_open() && !device_.stopping) {
    Status sent = co_await send_reports(channel);
    while (sent && !logs_.empty()) {
      Envelope envelope;
      *envelope.mutable_log_chunk() = std::move(logs_.front());
      logs_.pop_front();
      sent = co_await channel.send(std::move(envelope));
    }
    if (!sent) {
      channel.abort();
      co_return;
    }
    auto more = device_.state.outbox(sent_sequence_, 1);
    if ((more && !more->empty()) || !logs_.empty()) continue;
    co_await device_.outbox_changed.wait(Deadline::after(device_.ports.clock, kTelemetryMs));
  }
}

// One at a time: a whole fleet that fails at once does not fill the controller's memory.
proto::awaitable<void> Link::flight_loop(proto::Channel& channel) {
  proto::Clock& clock = device_.ports.clock;
  while (channel.is_open() && !device_.stopping) {
    auto due = FlightLog::next_due(device_.state.database());
    if (!due) proto::log_error("flights.unreadable", {{"why", due.error().what}});
    if (!due || !*due) {
      co_await device_.flights_changed.wait(Deadline::never());
      continue;
    }
    Envelope envelope;
    *envelope.mutable_flight_record() = std::move(**due);
    flight_sent_ = true;
    const Status sent = co_await channel.send(std::move(envelope));
    if (!sent) co_return;
    const Deadline patience = Deadline::after(clock, kFlightAckMs);
    while (flight_sent_ && !patience.passed(clock) && channel.is_open()) {
      co_await device_.flights_changed.wait(patience);
    }
  }
}

proto::awaitable<void> Link::telemetry_loop(proto::Channel& channel) {
  proto::Clock& clock = device_.ports.clock;
  while (channel.is_open() && !device_.stopping) {
    const Deadline regular = Deadline::after(clock, kTelemetryMs);
    const bool changed = co_await device_.outbox_changed.wait(regular);
    if (changed) co_await proto::sleep_ms(clock, kNudgeMs);
    if (!channel.is_open() || device_.stopping) co_return;
    Envelope envelope;
    *envelope.mutable_telemetry()->mutable_inventory() = device_.inventory();
    for (fleet::v1::AppStatus& status : agent_.apps()) {
      *envelope.mutable_telemetry()->add_apps() = std::move(status);
    }
    const Status sent = co_await channel.send(std::move(envelope));
    if (!sent) co_return;
  }
}

proto::awaitable<void> Link::log_loop(proto::Channel& channel) {
  proto::Clock& clock = device_.ports.clock;
  while (channel.is_open() && !device_.stopping) {
    const std::int64_t now = clock.wall_ms();
    std::erase_if(follows_, [now](const auto& one) { return one.second.until_wall_ms < now; });
    std::vector<std::string> apps;
    for (const auto& [app, unused] : follows_) apps.push_back(app);
    for (const std::string& app : apps) {
      const Status sent = co_await send_console(channel, app);
      if (!sent) co_return;
    }
    co_await proto::sleep_ms(clock, follows_.empty() ? 2 * kFollowMs : kFollowMs);
  }
}

proto::awaitable<Status> Link::send_console(proto::Channel& channel, std::string name) {
  App* app = agent_.find(name);
  if (app == nullptr) co_return Status();
  std::vector<std::pair<std::string, std::uint64_t>> guests;
  for (const auto* guest : {app->live ? &*app->live : nullptr,
                            app->trial ? &*app->trial : nullptr}) {
    if (guest != nullptr && !guest->lost) guests.emplace_back(guest->id, guest->release);
  }
  for (const auto& [id, release] : guests) {
    CO_TRY_VOID(co_await send_guest_console(channel, name, id, release));
  }
  co_return Status();
}

proto::awaitable<Status> Link::send_guest_console(proto::Channel& channel, std::string name,
                                                  std::string instance, std::uint64_t release) {
  // Bounded: one ring's worth per look, so that a chatty guest starves nobody.
  for (std::size_t bytes = 0; bytes < proto::kConsoleRingBytes;) {
    const auto followed = follows_.find(name);
    if (followed == follows_.end()) co_return Status();
    const std::uint64_t offset = followed->second.offsets[instance];
    auto chunk = device_.ports.launcher.read_console(instance, offset);
    if (!chunk || chunk->bytes.empty()) co_return Status();
    FLEET_ASSERT(chunk->bytes.size() <= kLogChunkBytes);
    followed->second.offsets[instance] = chunk->next_offset;
    bytes += chunk->bytes.size();
    Envelope envelope;
    fleet::v1::LogChunk* log = envelope.mutable_log_chunk();
    log->set_app(name);
    log->set_release(release);
    log->set_instance(instance);
    log->set_offset(chunk->next_offset - chunk->bytes.size());
    log->set_data(std::move(chunk->bytes));
    log->set_time_ms(static_cast<std::uint64_t>(device_.ports.clock.wall_ms()));
    CO_TRY_VOID(co_await channel.send(std::move(envelope)));
  }
  co_return Status();
}

}  // namespace agent
