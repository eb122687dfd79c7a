#include "controller/sessions.h"

#include <algorithm>
#include <utility>

#include "controller/session.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;
using proto::Deadline;

void cut(std::string& text, std::size_t size_bytes) {
  if (text.size() <= size_bytes) return;
  // Not in the middle of a character: what is stored is UTF-8.
  while (size_bytes > 0 && (static_cast<unsigned char>(text[size_bytes]) & 0xc0) == 0x80) {
    --size_bytes;
  }
  text.resize(size_bytes);
}

template <typename List>
void cut_list(List& list, int count) {
  if (list.size() > count) list.DeleteSubrange(count, list.size() - count);
}

void bound_reason(v1::Reason& why) {
  cut(*why.mutable_text(), 512);
  cut(*why.mutable_fingerprint(), 16);
  cut(*why.mutable_exit(), 64);
  cut_list(*why.mutable_console_tail(), 20);
  for (std::string& line : *why.mutable_console_tail()) cut(line, 512);
}

}  // namespace

void bound_report(v1::Report& report) {
  cut(*report.mutable_app(), proto::kMaxNameLength);
  cut(*report.mutable_attempt(), 32);
  cut(*report.mutable_detail(), 256);
  cut_list(*report.mutable_steps(), 32);
  for (v1::StepTime& step : *report.mutable_steps()) cut(*step.mutable_step(), 32);
  if (report.has_why()) bound_reason(*report.mutable_why());
  if (!report.has_status()) return;
  v1::AppStatus& status = *report.mutable_status();
  cut(*status.mutable_app(), proto::kMaxNameLength);
  cut(*status.mutable_live_slot(), 8);
  cut_list(*status.mutable_ports(), static_cast<int>(proto::kMaxPublishedPorts));
  for (std::string& port : *status.mutable_ports()) cut(port, 64);
  if (status.has_a()) bound_reason(*status.mutable_a()->mutable_why());
  if (status.has_b()) bound_reason(*status.mutable_b()->mutable_why());
  if (status.has_instance()) {
    cut(*status.mutable_instance()->mutable_monitor(), 64);
    cut(*status.mutable_instance()->mutable_address(), 64);
    cut(*status.mutable_instance()->mutable_id(), 64);
  }
}

Sessions::Sessions(boost::asio::io_context& loop, proto::Clock& clock, Store& store, Fleet& fleet,
                   Consoles& consoles, Enrolment& enrolment)
    : loop_(loop), clock_(clock), store_(store), fleet_(fleet), consoles_(consoles),
      enrolment_(enrolment), reports_came_(clock) {
  fleet_.set_nudge([this](const std::set<std::string>& ids) { nudge(ids); });
}

Sessions::~Sessions() {
  FLEET_ASSERT(sessions_.empty());
  fleet_.set_nudge(nullptr);
}

Session* Sessions::find(const std::string& device_id) const {
  const auto found = sessions_.find(device_id);
  return found == sessions_.end() ? nullptr : found->second;
}

proto::awaitable<void> Sessions::serve(std::unique_ptr<proto::Channel> channel) {
  const std::string id = channel->peer().certificate.common_name;
  if (channel->peer().expired) {
    co_await serve_expired(*channel, id);
    channel->abort();
    co_return;
  }
  const auto row = store_.device(id);
  if (!row || !*row || (*row)->revoked) {
    channel->abort();
    co_return;
  }
  Session session(*this, clock_, *channel, id, (*row)->name);
  // A device has one link: an older one is a connection that it has lost.
  if (Session* older = find(id)) older->abort();
  sessions_[id] = &session;
  proto::TaskGroup tasks(loop_);
  tasks.spawn("session sender", session.send_loop());
  co_await session.run();
  session.abort();
  if (find(id) == &session) {
    sessions_.erase(id);
    const Status away = went_away(session);
    if (!away) proto::log_error("device.not_marked", {{"device", session.name()},
                                                      {"why", away.error().what}});
  }
  tasks.close();
  tasks.cancel();
  co_await tasks.join();
}

Status Sessions::went_away(Session& session) {
  if (!fleet_.is_online(session.id())) return {};
  Work work = fleet_.work();
  TRY_VOID(store_.set_facts(session.id(), session.facts(), session.seen_ms));
  TRY_VOID(fleet_.went_offline(work, session.id(), session.name()));
  return work.commit();
}

// A known device whose certificate is over gets a new one and nothing else (DESIGN 4).
proto::awaitable<void> Sessions::serve_expired(proto::Channel& channel, std::string device_id) {
  proto::log_warning("session.expired_certificate", {{"id", device_id}});
  const Deadline deadline = Deadline::after(clock_, kHelloMs);
  while (channel.is_open()) {
    auto envelope = co_await channel.receive(deadline);
    if (!envelope) co_return;
    if (!envelope->has_renew()) continue;
    const auto row = store_.device(device_id);
    if (!row || !*row || (*row)->revoked) co_return;
    auto pem = enrolment_.renew(device_id, envelope->renew().csr_der(), clock_.wall_ms());
    v1::Envelope answer;
    if (pem) {
      answer.mutable_renewed()->set_certificate_pem(std::move(*pem));
    } else {
      answer.mutable_renewed()->mutable_refused()->set_text(pem.error().what);
    }
    const Status sent = co_await channel.send(std::move(answer));
    if (!sent) co_return;
    co_await channel.close();
    co_return;
  }
}

void Sessions::nudge(const std::set<std::string>& device_ids) {
  for (const std::string& id : device_ids) {
    if (Session* session = find(id)) session->want();
  }
}

void Sessions::queue_report(const std::string& device_id, v1::Report report) {
  bound_report(report);
  pending_.push_back({device_id, std::move(report)});
  reports_came_.notify();
}

proto::awaitable<void> Sessions::write_reports() {
  while (true) {
    if (pending_.empty()) {
      co_await reports_came_.wait(Deadline::never());
      continue;
    }
    const Deadline full = Deadline::after(clock_, kReportBatchMs);
    while (pending_.size() < kReportBatch && !full.passed(clock_)) {
      co_await reports_came_.wait(full);
    }
    const std::size_t count = std::min(pending_.size(), kReportBatch);
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Pending> batch(std::make_move_iterator(pending_.begin()),
                               std::make_move_iterator(end));
    pending_.erase(pending_.begin(), end);
    flush(std::move(batch));
  }
}

void Sessions::flush(std::vector<Pending> batch) {
  const Status stored = store_batch(batch);
  if (!stored) {
    // Not acknowledged, so they come again, on a new link.
    proto::log_error("reports.not_stored", {{"why", stored.error().what}});
    for (const Pending& one : batch) {
      if (Session* session = find(one.device_id)) session->abort();
    }
    return;
  }
  for (const Pending& one : batch) {
    Session* session = find(one.device_id);
    if (session == nullptr) continue;
    const auto sequence = static_cast<std::int64_t>(one.report.sequence());
    session->report_sequence = std::max(session->report_sequence, sequence);
    session->acknowledge(one.report.sequence());
  }
}

Status Sessions::store_batch(std::vector<Pending>& batch) {
  Work work = fleet_.work();
  // The highest number of each device in this batch: what repeats within it is taken once.
  std::map<std::string, std::int64_t> highest;
  std::erase_if(batch, [this](const Pending& one) { return find(one.device_id) == nullptr; });
  for (const Pending& one : batch) {
    Session* session = find(one.device_id);
    auto [last, is_new] = highest.try_emplace(one.device_id, session->report_sequence);
    const auto sequence = static_cast<std::int64_t>(one.report.sequence());
    if (sequence <= last->second) continue;
    last->second = sequence;
    TRY_VOID(store_report(work, *session, one.report));
  }
  for (const auto& [id, sequence] : highest) {
    const Session* session = find(id);
    TRY_VOID(store_.set_facts(id, session->facts(), session->seen_ms));
  }
  return work.commit();
}

Status Sessions::store_report(Work& work, Session& session, const v1::Report& report) {
  session.take_status(report.status());
  TRY_VOID(store_.set_report_sequence(session.id(), static_cast<std::int64_t>(report.sequence()),
                                      static_cast<std::int64_t>(report.generation())));
  TRY(const std::int64_t number, store_.rollout_of_attempt(session.id(), report.attempt()));
  if (number == 0) return {};  // of a wish that was no rollout's: the facts are all of it
  return fleet_.apply(work, number, session.id(), rollout::Reported{report});
}

void Sessions::drop(const std::string& device_id) {
  if (Session* session = find(device_id)) session->abort();
}

void Sessions::drop_all() {
  for (const auto& [id, session] : sessions_) session->abort();
}

const v1::Telemetry* Sessions::facts(const std::string& device_id) const {
  const Session* session = find(device_id);
  return session != nullptr ? &session->facts() : nullptr;
}

std::int64_t Sessions::seen_ms(const std::string& device_id) const {
  const Session* session = find(device_id);
  return session != nullptr ? session->seen_ms : 0;
}

void Sessions::subscribe(const std::set<std::string>& device_ids, const std::string& app,
                         std::int64_t until_ms) {
  for (const std::string& id : device_ids) {
    Session* session = find(id);
    if (session == nullptr) continue;
    v1::Envelope envelope;
    v1::LogSubscribe& wish = *envelope.mutable_log_subscribe();
    wish.set_app(app);
    wish.set_follow(true);
    wish.set_until_ms(static_cast<std::uint64_t>(until_ms));
    session->queue(std::move(envelope));
  }
}

}  // namespace controller
