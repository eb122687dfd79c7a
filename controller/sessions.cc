#include "controller/sessions.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "controller/report_bounds.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;
using proto::Deadline;
using v1::Envelope;

constexpr std::int64_t kHelloMs = 10000;
constexpr std::int64_t kConsoleAskedForMs = 60000;
constexpr std::int64_t kConsoleSaveMs = 1000;
constexpr std::size_t kConsolesSavedAtOnce = 4;
constexpr std::size_t kAnswersWaiting = 512;
constexpr std::size_t kMaxVersion = 64;
constexpr std::uint64_t kMaxAuditSequence = std::uint64_t{1} << 53;

}  // namespace

struct Sessions::Session {
  Session(proto::Clock& clock, proto::Channel& link) : channel(link), changed(clock) {}

  proto::Channel& channel;
  proto::Notifier changed;
  std::string id;
  std::string name;
  bool desired_due = false;
  std::deque<Envelope> answers;  // acks, subscriptions, certificates

  void say(Envelope envelope) {
    if (answers.size() >= kAnswersWaiting) return;  // it says it again on its next link
    answers.push_back(std::move(envelope));
    changed.notify();
  }
};

Sessions::Sessions(boost::asio::io_context& loop, proto::Clock& clock, Store& store, Fleet& fleet,
                   Consoles& consoles, Flights& flights, Enrolment& enrolment)
    : loop_(loop),
      clock_(clock),
      store_(store),
      fleet_(fleet),
      consoles_(consoles),
      flights_(flights),
      enrolment_(enrolment),
      reported_(clock),
      flight_came_(clock) {
  fleet_.desired_changed = [this](const std::string& device_id) {
    Session* session = find(device_id);
    if (session == nullptr) return;
    session->desired_due = true;
    session->changed.notify();
  };
}

Sessions::~Sessions() { fleet_.desired_changed = nullptr; }

Sessions::Session* Sessions::find(const std::string& device_id) {
  const auto found = sessions_.find(device_id);
  return found == sessions_.end() ? nullptr : found->second;
}

Sessions::Session* Sessions::find_by_name(const std::string& name) {
  for (const auto& [id, session] : sessions_) {
    if (session->name == name) return session;
  }
  return nullptr;
}

Status Sessions::may_link(const proto::PeerFacts& peer) {
  if (!peer.has_certificate) {
    return Error{Code::unauthenticated, "a link needs a device certificate; enrol first", ""};
  }
  TRY(const auto device, store_.device(peer.certificate.common_name));
  if (!device) {
    return Error{Code::unauthenticated, "this device is not known here; enrol it again", ""};
  }
  if (device->revoked) {
    return Error{Code::forbidden, device->name + " was removed from the fleet", device->name};
  }
  return {};
}

// What the device was told of the audit log before must be part of the log that is here.
Status Sessions::compare_audit(const Session& session, const v1::AuditHead& head) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  const std::string& hash = head.hash();
  const bool sound = hash.size() == 64 && std::all_of(hash.begin(), hash.end(), is_hex) &&
                     head.sequence() > 0 && head.sequence() < kMaxAuditSequence;
  if (!sound) return {};  // it has none, or makes it up: what it said before stands
  TRY_VOID(store_.set_device_audit(session.id, head));
  TRY(const bool strange, store_.is_audit_stranger(session.id));
  if (strange) {
    proto::log_error("audit.strange_head", {{"device", session.name},
                                            {"sequence", head.sequence()},
                                            {"hash", hash}});
  }
  return {};
}

Status Sessions::greet(Session& session, const v1::Hello& hello) {
  v1::Telemetry facts;
  *facts.mutable_inventory() = hello.inventory();
  *facts.mutable_apps() = hello.apps();
  if (!is_bounded(facts) || hello.agent_version().size() > kMaxVersion) {
    return Error{Code::too_large, "this Hello is too large", session.name};
  }
  TRY_VOID(store_.set_facts(session.id, facts, clock_.wall_ms()));
  const std::string address =
      hello.inventory().addresses_size() > 0 ? hello.inventory().addresses(0).substr(0, 64) : "";
  TRY_VOID(store_.set_hello(session.id, hello.agent_version(), address,
                            static_cast<std::int64_t>(hello.generation_applied())));
  TRY_VOID(fleet_.catch_up(session.id, hello.generation_applied()));
  TRY_VOID(compare_audit(session, hello.audit_head()));
  session.desired_due = true;
  return fleet_.came_online(session.id, session.name);
}

awaitable<void> Sessions::serve(std::unique_ptr<proto::Channel> channel) {
  Session session(clock_, *channel);
  if (channel->peer().expired) {
    co_await serve_expired(*channel);
    co_return;
  }
  const Status may = may_link(channel->peer());
  if (!may) co_return;
  auto first = co_await channel->receive(Deadline::after(clock_, kHelloMs));
  if (!first || !first->has_hello()) co_return;
  const auto device = store_.device(channel->peer().certificate.common_name);
  if (!device || !*device) co_return;
  session.id = (*device)->id;
  session.name = (*device)->name;
  if (Session* older = find(session.id)) older->channel.abort();
  sessions_[session.id] = &session;
  const Status greeted = greet(session, first->hello());
  if (!greeted) {
    proto::log_error("device.not_greeted", {{"device", session.name},
                                            {"why", greeted.error().what}});
    sessions_.erase(session.id);
    channel->abort();
    co_return;
  }
  if (metrics != nullptr) metrics->count_link();
  proto::log_info("device.online", {{"device", session.name}, {"from", channel->remote_address()}});
  proto::TaskGroup tasks(loop_);
  tasks.spawn("session.send", send_loop(session));
  co_await hear(session);
  channel->abort();
  tasks.close();
  tasks.cancel();
  co_await tasks.join();
  if (find(session.id) != &session) co_return;  // a newer link took over
  sessions_.erase(session.id);
  proto::log_info("device.offline", {{"device", session.name}});
  const Status gone = fleet_.went_offline(session.id, session.name);
  if (!gone) proto::log_error("device.not_noted", {{"why", gone.error().what}});
}

// A known device whose certificate is over gets a new one, and nothing else (DESIGN 4).
awaitable<void> Sessions::serve_expired(proto::Channel& channel) {
  const Deadline deadline = Deadline::after(clock_, kHelloMs);
  while (channel.is_open()) {
    auto envelope = co_await channel.receive(deadline);
    if (!envelope) co_return;
    if (!envelope->has_renew()) continue;
    const std::string id = channel.peer().certificate.common_name;
    Envelope answer = renewed(id, envelope->renew());
    proto::log_info("certificate.late", {{"id", id}});
    const Status sent = co_await channel.send(std::move(answer));
    if (sent) co_await channel.close();
    co_return;
  }
}

awaitable<void> Sessions::send_loop(Session& session) {
  while (session.channel.is_open()) {
    while (!session.answers.empty()) {
      Envelope answer = std::move(session.answers.front());
      session.answers.pop_front();
      const Status sent = co_await session.channel.send(std::move(answer));
      if (!sent) co_return;
    }
    if (session.desired_due) {
      session.desired_due = false;
      auto desired = fleet_.desired_of(session.id);
      if (!desired) {
        proto::log_error("desired.not_read",
                         {{"device", session.name}, {"why", desired.error().what}});
        session.channel.abort();
        co_return;
      }
      if (deltas != nullptr) co_await deltas->offer(session.id, *desired);
      Envelope envelope;
      *envelope.mutable_desired() = std::move(*desired);
      const Status sent = co_await session.channel.send(std::move(envelope));
      if (!sent) co_return;
      const Status noted = fleet_.desired_sent(session.id);
      if (!noted) proto::log_error("desired.not_noted", {{"why", noted.error().what}});
      continue;
    }
    if (session.answers.empty()) co_await session.changed.wait(Deadline::never());
  }
}

awaitable<void> Sessions::hear(Session& session) {
  while (true) {
    auto envelope = co_await session.channel.receive(Deadline::never());
    if (!envelope) co_return;
    switch (envelope->body_case()) {
      case Envelope::kReport:
        bound_report(*envelope->mutable_report());
        reports_.push_back({session.id, std::move(*envelope->mutable_report())});
        reported_.notify();
        break;
      case Envelope::kTelemetry: {
        if (!is_bounded(envelope->telemetry())) break;
        if (history != nullptr) history->add(session.id, envelope->telemetry());
        const Status kept = store_.set_facts(session.id, envelope->telemetry(), clock_.wall_ms());
        if (!kept) proto::log_error("facts.not_stored", {{"why", kept.error().what}});
        break;
      }
      case Envelope::kLogChunk:
        if (is_name(envelope->log_chunk().app())) {
          consoles_.add(session.name, envelope->log_chunk());
        }
        break;
      case Envelope::kFlightRecord:
        take_flight(session, std::move(*envelope->mutable_flight_record()));
        break;
      case Envelope::kRenew: session.say(renewed(session.id, envelope->renew())); break;
      case Envelope::kGoodbye: co_return;
      default: break;  // ignored, as link.proto says
    }
  }
}

Envelope Sessions::renewed(const std::string& device_id, const v1::Renew& renew) {
  Envelope answer;
  auto certificate = enrolment_.renew(device_id, renew.csr_der());
  if (certificate) {
    answer.mutable_renewed()->set_certificate_pem(std::move(*certificate));
    proto::log_info("certificate.renewed", {{"id", device_id}});
  } else {
    v1::Reason* why = answer.mutable_renewed()->mutable_refused();
    why->set_code(static_cast<v1::Code>(certificate.error().code));
    why->set_text(certificate.error().what);
  }
  return answer;
}

awaitable<void> Sessions::store_reports() {
  while (true) {
    if (reports_.empty()) {
      const bool woken = co_await reported_.wait(Deadline::never());
      if (!woken) co_return;
    }
    if (reports_.size() < kReportsInBatch) co_await proto::sleep_ms(clock_, kReportsWait_ms);
    const std::vector<DeviceReport> batch = std::exchange(reports_, {});
    const std::int64_t began_ms = clock_.now_ms();
    const Status taken = fleet_.take_reports(batch);
    if (!taken) {
      // Not acknowledged: the devices say it again on their next link.
      proto::log_error("reports.not_stored", {{"why", taken.error().what}});
      for (const DeviceReport& entry : batch) drop(entry.device_id);
      continue;
    }
    if (metrics != nullptr) {
      metrics->count_batch(batch.size(),
                           static_cast<double>(clock_.now_ms() - began_ms) / 1000.0);
      for (const DeviceReport& entry : batch) {
        metrics->count_report(rollout::word(entry.report.state()));
      }
    }
    for (const DeviceReport& entry : batch) {
      Session* session = find(entry.device_id);
      if (session == nullptr) continue;
      Envelope ack;
      ack.mutable_ack()->set_sequence(entry.report.sequence());
      session->say(std::move(ack));
    }
  }
}

// errors bad_argument | too_large | not_found: it is refused; io: it may come again
Status Sessions::check_known(const v1::FlightRecord& record) {
  TRY_VOID(check_flight(record));
  TRY(const auto release,
      store_.release(record.app(), static_cast<std::int64_t>(record.release())));
  if (release) return {};
  return Error{Code::not_found,
               "there is no release " + record.app() + " " + std::to_string(record.release()), ""};
}

void Sessions::take_flight(Session& session, v1::FlightRecord record) {
  ReceivedFlight flight{session.id, std::move(record)};
  const Status known = check_known(flight.record);
  if (!known) {
    proto::log_warning("flight.refused", {{"device", session.name}, {"why", known.error().what}});
    const Code code = known.error().code;
    const bool for_good =
        code == Code::bad_argument || code == Code::too_large || code == Code::not_found;
    if (for_good) acknowledge(flight, known);
  } else if (flights_.holds(flight)) {
    acknowledge(flight, {});
  } else if (waiting_flights_.size() < kFlightsWaiting) {
    waiting_flights_.try_emplace(session.id, std::move(flight.record));
    flight_came_.notify();
  }
}

void Sessions::acknowledge(const ReceivedFlight& flight, const Status& taken) {
  Session* session = find(flight.device_id);
  if (session == nullptr) return;
  Envelope envelope;
  v1::FlightAck& ack = *envelope.mutable_flight_ack();
  ack.set_id(flight.record.id());
  ack.set_count(flight.record.count());
  if (!taken) {
    ack.mutable_refused()->set_code(static_cast<v1::Code>(taken.error().code));
    ack.mutable_refused()->set_text(taken.error().what);
  }
  session->say(std::move(envelope));
}

void Sessions::tell_flights(const std::vector<ReceivedFlight>& kept) {
  std::vector<v1::Event> events;
  for (const ReceivedFlight& flight : kept) {
    const Session* session = find(flight.device_id);
    if (session == nullptr) continue;
    const v1::FlightRecord& record = flight.record;
    v1::Event event;
    event.set_kind("flight.recorded");
    event.set_text(session->name + ": " + record.app() + " " + std::to_string(record.release()) +
                   ": " + record.why().text() + " (fault " + record.why().fingerprint() + ")");
    event.set_app(record.app());
    event.set_device(session->name);
    events.push_back(std::move(event));
  }
  const Status told = fleet_.tell(events);
  if (!told) proto::log_error("flights.not_told", {{"why", told.error().what}});
}

awaitable<void> Sessions::store_flights() {
  while (true) {
    if (waiting_flights_.empty()) {
      const bool woken = co_await flight_came_.wait(Deadline::never());
      if (!woken) co_return;
    }
    std::vector<ReceivedFlight> batch;
    while (!waiting_flights_.empty() && batch.size() < kFlightsInBatch) {
      auto first = waiting_flights_.extract(waiting_flights_.begin());
      batch.push_back({first.key(), std::move(first.mapped())});
    }
    const Status kept = co_await flights_.keep(batch);
    if (!kept) {
      // Not acknowledged: the devices say it again after a while.
      proto::log_error("flights.not_stored", {{"why", kept.error().what}});
      continue;
    }
    for (const ReceivedFlight& flight : batch) acknowledge(flight, {});
    tell_flights(batch);
  }
}

void Sessions::ask_console(const std::string& device_name, const std::string& app,
                           std::int64_t ms) {
  Session* session = find_by_name(device_name);
  if (session == nullptr) return;
  Envelope envelope;
  v1::LogSubscribe* wish = envelope.mutable_log_subscribe();
  wish->set_app(app);
  wish->set_follow(true);
  wish->set_until_ms(static_cast<std::uint64_t>(clock_.wall_ms() + ms));
  session->say(std::move(envelope));
}

awaitable<void> Sessions::tend_consoles() {
  Deadline ask = Deadline::after(clock_, 0);
  while (true) {
    if (ask.passed(clock_)) {
      for (const auto& [app, device] : consoles_.followed()) {
        ask_console(device, app, kConsoleAskedForMs);
      }
      ask = Deadline::after(clock_, kConsoleAskedForMs / 3);
    }
    // A few at a time: each is an fsync on the loop's thread.
    consoles_.save_some(kConsolesSavedAtOnce);
    co_await proto::sleep_ms(clock_, kConsoleSaveMs);
  }
}

void Sessions::drop_all() {
  for (const auto& [id, session] : sessions_) session->channel.abort();
}

void Sessions::drop(const std::string& device_id) {
  if (Session* session = find(device_id)) session->channel.abort();
}

}  // namespace controller
