#include "controller/session.h"

#include <utility>

#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;
using proto::Deadline;

constexpr std::size_t kMaxFactsBytes = 128 * proto::kKiB;
constexpr std::size_t kMaxOutbox = 1024;

bool is_bounded(const v1::Telemetry& facts) {
  return facts.ByteSizeLong() <= kMaxFactsBytes &&
         static_cast<std::size_t>(facts.apps_size()) <= proto::kMaxAppsPerDevice;
}

}  // namespace

proto::awaitable<void> Session::run() {
  auto first = co_await channel_.receive(Deadline::after(clock_, kHelloMs));
  if (!first || !first->has_hello()) {
    proto::log_warning("session.no_hello", {{"device", name_}});
    co_return;
  }
  const Status greeted = greet(std::move(*first->mutable_hello()));
  if (!greeted) {
    proto::log_error("session.not_begun", {{"device", name_}, {"why", greeted.error().what}});
    co_return;
  }
  while (channel_.is_open()) {
    // The channel pings by itself; a device that is there answers within kSilenceMs.
    auto envelope = co_await channel_.receive(Deadline::never());
    if (!envelope) {
      proto::log_info("session.ended", {{"device", name_}, {"why", envelope.error().what}});
      co_return;
    }
    seen_ms = clock_.wall_ms();
    hear(std::move(*envelope));
  }
}

// The facts are stored and open rollouts see the device before it hears what is wanted.
Status Session::greet(v1::Hello hello) {
  *facts_.mutable_inventory() = std::move(*hello.mutable_inventory());
  *facts_.mutable_apps() = std::move(*hello.mutable_apps());
  if (!is_bounded(facts_) || hello.agent_version().size() > 64) {
    return Error{Code::too_large, "this Hello is too large", name_};
  }
  seen_ms = clock_.wall_ms();
  TRY(const std::optional<DeviceRow> row, owner_.store_.device(id_));
  if (!row || row->revoked) return Error{Code::forbidden, "this device was revoked", name_};
  report_sequence = row->report_sequence;
  std::string address = channel_.remote_address();
  if (facts_.inventory().addresses_size() > 0) address = facts_.inventory().addresses(0);
  Work work = owner_.fleet_.work();
  TRY_VOID(owner_.store_.set_facts(id_, facts_, seen_ms));
  TRY_VOID(owner_.store_.set_hello(id_, hello.agent_version(), address.substr(0, 64),
                                   static_cast<std::int64_t>(hello.generation_applied())));
  TRY_VOID(owner_.fleet_.came_online(work, id_, name_));
  TRY_VOID(work.commit());
  proto::log_info("session.begun", {{"device", name_},
                                    {"agent", hello.agent_version()},
                                    {"from", channel_.remote_address()}});
  want();
  return {};
}

void Session::hear(v1::Envelope envelope) {
  switch (envelope.body_case()) {
    case v1::Envelope::kReport:
      owner_.queue_report(id_, std::move(*envelope.mutable_report()));
      break;
    case v1::Envelope::kTelemetry:
      if (is_bounded(envelope.telemetry())) facts_ = std::move(*envelope.mutable_telemetry());
      break;
    case v1::Envelope::kLogChunk:
      if (envelope.log_chunk().app().size() <= proto::kMaxNameLength &&
          envelope.log_chunk().instance().size() <= 64) {
        owner_.consoles_.add(name_, envelope.log_chunk());
      }
      break;
    case v1::Envelope::kRenew: {
      v1::Envelope answer;
      auto pem = owner_.enrolment_.renew(id_, envelope.renew().csr_der(), clock_.wall_ms());
      if (pem) {
        answer.mutable_renewed()->set_certificate_pem(std::move(*pem));
      } else {
        v1::Reason& refused = *answer.mutable_renewed()->mutable_refused();
        refused.set_code(static_cast<v1::Code>(pem.error().code));
        refused.set_text(pem.error().what);
      }
      queue(std::move(answer));
      break;
    }
    case v1::Envelope::kGoodbye:
      channel_.abort();
      break;
    default:
      break;  // a second Hello, or what only we send: not legal, changes nothing
  }
}

void Session::take_status(const v1::AppStatus& status) {
  if (status.app().empty()) return;
  for (v1::AppStatus& each : *facts_.mutable_apps()) {
    if (each.app() != status.app()) continue;
    each = status;
    return;
  }
  if (static_cast<std::size_t>(facts_.apps_size()) < proto::kMaxAppsPerDevice) {
    *facts_.add_apps() = status;
  }
}

void Session::queue(v1::Envelope envelope) {
  if (outbox_.size() >= kMaxOutbox) {
    // A device that does not read is as good as gone.
    abort();
    return;
  }
  outbox_.push_back(std::move(envelope));
  outbox_changed_.notify();
}

void Session::acknowledge(std::uint64_t sequence) {
  v1::Envelope envelope;
  envelope.mutable_ack()->set_sequence(sequence);
  queue(std::move(envelope));
}

Result<v1::Envelope> Session::wanted() {
  TRY(const std::optional<DeviceRow> row, owner_.store_.device(id_));
  TRY(const std::vector<v1::DesiredApp> apps, owner_.store_.desired(id_));
  if (!row) return Error{Code::not_found, "the device's row is gone", name_};
  v1::Envelope envelope;
  v1::Desired& desired = *envelope.mutable_desired();
  desired.set_generation(static_cast<std::uint64_t>(row->generation));
  for (const v1::DesiredApp& app : apps) *desired.add_apps() = app;
  return envelope;
}

proto::awaitable<void> Session::send_loop() {
  while (channel_.is_open()) {
    if (wanted_dirty_) {
      wanted_dirty_ = false;
      auto envelope = wanted();
      if (!envelope) {
        proto::log_error("desired.not_read", {{"device", name_}, {"why", envelope.error().what}});
        channel_.abort();
        co_return;
      }
      outbox_.push_back(std::move(*envelope));
    }
    if (outbox_.empty()) {
      co_await outbox_changed_.wait(Deadline::never());
      continue;
    }
    v1::Envelope next = std::move(outbox_.front());
    outbox_.pop_front();
    const Status sent = co_await channel_.send(std::move(next));
    if (!sent) {
      channel_.abort();
      co_return;
    }
  }
}

}  // namespace controller
