#include "controller/sessions.h"

#include <algorithm>
#include <span>
#include <utility>

#include "controller/report_bounds.h"
#include "controller/session.h"
#include "ota/hash.h"
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
constexpr std::size_t kMaxVersion = 64;
constexpr std::uint64_t kMaxAuditSequence = std::uint64_t{1} << 53;

v1::Telemetry facts_of(const v1::Hello& hello) {
  v1::Telemetry facts;
  *facts.mutable_inventory() = hello.inventory();
  *facts.mutable_apps() = hello.apps();
  return facts;
}

}  // namespace

Sessions::Sessions(boost::asio::io_context& loop, proto::Clock& clock, Store& store, Fleet& fleet,
                   Consoles& consoles, Flights& flights, Enrolment& enrolment)
    : loop_(loop),
      clock_(clock),
      store_(store),
      fleet_(fleet),
      consoles_(consoles),
      flights_(flights),
      enrolment_(enrolment),
      heard_came_(clock),
      flight_came_(clock) {
  fleet_.desired_changed = [this](const std::string& device_id) {
    Session* session = find(device_id);
    if (session == nullptr) return;
    session->desired_due = true;
    session->changed.notify();
  };
  fleet_.more_to_do = [this] {
    more_to_do_ = true;
    heard_came_.notify();
  };
}

Sessions::~Sessions() {
  fleet_.desired_changed = nullptr;
  fleet_.more_to_do = nullptr;
}

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
  TRY(const auto device, store_.member(peer.certificate.common_name));
  if (!device) {
    return Error{Code::unauthenticated, "this device is not known here; enrol it again", ""};
  }
  if (device->revoked) {
    return Error{Code::forbidden, device->name + " was removed from the fleet", device->name};
  }
  return {};
}

// What the device was told of the audit log before must be part of the log that is here.
Status Sessions::compare_audit(const Heard& from, const v1::AuditHead& head) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  const std::string& hash = head.hash();
  const bool sound = hash.size() == 64 && std::all_of(hash.begin(), hash.end(), is_hex) &&
                     head.sequence() > 0 && head.sequence() < kMaxAuditSequence;
  if (!sound) return {};  // it has none, or makes it up: what it said before stands
  TRY_VOID(store_.set_device_audit(from.id, head));
  TRY(const bool strange, store_.is_audit_stranger(from.id));
  if (strange) {
    proto::log_error("audit.strange_head", {{"device", from.name},
                                            {"sequence", head.sequence()},
                                            {"hash", hash}});
  }
  return {};
}

// Whoever seals secrets for the device pins its key, so another one is told, not hidden.
Status Sessions::take_sealing_key(const Heard& from, const std::string& key) {
  constexpr std::size_t kKeyBytes = 32;
  if (key.size() != kKeyBytes) return {};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(key.data());
  const std::string hex = ota::to_hex(std::span(bytes, key.size()));
  TRY(const std::string before, store_.sealing_key(from.id));
  if (before == hex) return {};
  TRY_VOID(store_.set_sealing_key(from.id, hex));
  if (before.empty()) return {};
  proto::log_warning("device.key_changed", {{"device", from.name}});
  v1::Event event;
  event.set_kind("device.key_changed");
  event.set_text(from.name + " has another sealing key; its secrets must be set again");
  event.set_device(from.name);
  return fleet_.tell(std::span(&event, 1));
}

// Apart from serve(), whose frame lasts as long as the link.
Status Sessions::name(Session& session) {
  TRY(const auto device, store_.member(session.id));
  if (!device) return Error{Code::not_found, "this device is gone", session.id};
  session.name = device->name;
  return {};
}

Status Sessions::check_bounds(const v1::Hello& hello) {
  if (is_bounded(facts_of(hello)) && hello.agent_version().size() <= kMaxVersion) return {};
  return Error{Code::too_large, "this Hello is too large", ""};
}

Status Sessions::greet(const Heard& from, const v1::Hello& hello) {
  TRY_VOID(store_.set_facts(from.id, facts_of(hello), clock_.wall_ms()));
  const std::string address =
      hello.inventory().addresses_size() > 0 ? hello.inventory().addresses(0).substr(0, 64) : "";
  TRY_VOID(store_.set_hello(from.id, hello.agent_version(), address,
                            static_cast<std::int64_t>(hello.generation_applied())));
  TRY_VOID(fleet_.compare_generation(from.id, hello.generation_applied()));
  TRY_VOID(compare_audit(from, hello.audit_head()));
  TRY_VOID(take_sealing_key(from, hello.sealing_key()));
  return fleet_.came_online(from.id, from.name);
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
  session.id = channel->peer().certificate.common_name;
  const Status named = name(session);
  const Status bounded = named ? check_bounds(first->hello()) : named;
  if (!bounded) {
    proto::log_error("device.not_greeted", {{"device", session.id},
                                            {"why", bounded.error().what}});
    channel->abort();
    co_return;
  }
  if (Session* older = find(session.id)) older->channel.abort();
  sessions_[session.id] = &session;
  session.facts_print = lasting_print(facts_of(first->hello()));
  session.facts_due_ms = clock_.now_ms() + kFactsEvery_ms;
  hear(session, std::move(*first->mutable_hello()));
  first->Clear();  // this frame lasts as long as the link
  proto::TaskGroup tasks(loop_);
  tasks.spawn("session.send", send_loop(session));
  co_await listen(session);
  channel->abort();
  tasks.close();
  tasks.cancel();
  co_await tasks.join();
  if (find(session.id) != &session) co_return;  // a newer link took over
  sessions_.erase(session.id);
  hear(session, Gone{});
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
    if (session.desired_due && session.greeted) {
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
      hear(session, Told{});
      continue;
    }
    if (session.answers.empty()) co_await session.changed.wait(Deadline::never());
  }
}

awaitable<void> Sessions::listen(Session& session) {
  while (true) {
    auto envelope = co_await session.channel.receive(Deadline::never());
    if (!envelope) co_return;
    switch (envelope->body_case()) {
      case Envelope::kReport:
        bound_report(*envelope->mutable_report());
        session.facts_print = 0;
        hear(session, std::move(*envelope->mutable_report()));
        break;
      case Envelope::kTelemetry:
        if (!is_bounded(envelope->telemetry())) break;
        if (history != nullptr) history->add(session.id, envelope->telemetry());
        take_facts(session, std::move(*envelope->mutable_telemetry()));
        break;
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

// An idle device measures all the time. Only something that lasts is worth a write at once.
void Sessions::take_facts(Session& session, v1::Telemetry facts) {
  const std::size_t print = lasting_print(facts);
  const bool lasts = print != session.facts_print || clock_.now_ms() >= session.facts_due_ms;
  if (!lasts && store_.hold_facts(session.id, facts, clock_.wall_ms())) return;
  session.facts_print = print;
  session.facts_due_ms = clock_.now_ms() + kFactsEvery_ms;
  hear(session, std::move(facts));
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
