// The half of Sessions that keeps what devices said, a batch in one commit, and answers after it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "controller/session.h"
#include "proto/log.h"

namespace controller {
namespace {

constexpr std::int64_t kBreathMs = 1;  // between two batches, for everybody else
constexpr std::int64_t kTryAgainMs = 1000;

// Messages cost as much as they change, so the size of a full batch follows what the last one took.
// The commit is not in it: a slow disk wants larger batches.
std::size_t next_batch(std::size_t messages, std::int64_t took_ms) {
  if (took_ms > kBatch_ms) return std::max(messages / 2, kSmallestBatch);
  if (took_ms < kBatch_ms / 2) return std::min(messages * 2, kHeardInBatch);
  return messages;
}

bool is_of_disk(const proto::Error& error) {
  return error.code == proto::Code::io || error.code == proto::Code::no_space;
}

}  // namespace

void Sessions::hear(const Session& session, Said said) {
  heard_.push_back({session.id, session.name, std::move(said)});
  heard_came_.notify();
}

Status Sessions::take(const Heard& heard) {
  const v1::Hello* hello = std::get_if<v1::Hello>(&heard.said);
  if (hello != nullptr) return greet(heard, *hello);
  const v1::Telemetry* facts = std::get_if<v1::Telemetry>(&heard.said);
  if (facts != nullptr) return store_.set_facts(heard.id, *facts, clock_.wall_ms());
  if (std::holds_alternative<Told>(heard.said)) {
    const Session* session = find(heard.id);
    const bool newer_is_due = session != nullptr && session->desired_due;  // it is told then
    return newer_is_due ? Status() : fleet_.desired_sent(heard.id);
  }
  FLEET_ASSERT(std::holds_alternative<Gone>(heard.said));
  TRY_VOID(store_.let_go_facts(heard.id, clock_.wall_ms()));
  return fleet_.is_online(heard.id) ? fleet_.went_offline(heard.id, heard.name) : Status();
}

// In the order in which it came; reports that follow each other are taken together.
Status Sessions::keep(const std::vector<Heard>& batch) {
  const auto work = [&]() -> Status {
    const std::int64_t began_ms = clock_.now_ms();
    std::vector<DeviceReport> reports;
    for (const Heard& heard : batch) {
      if (const auto* report = std::get_if<v1::Report>(&heard.said)) {
        reports.push_back({heard.id, *report});
        continue;
      }
      if (!reports.empty()) TRY_VOID(fleet_.take_reports(std::exchange(reports, {})));
      TRY_VOID(take(heard));
    }
    if (!reports.empty()) TRY_VOID(fleet_.take_reports(reports));
    const bool full = batch.size() >= heard_at_once_;
    if (full) heard_at_once_ = next_batch(heard_at_once_, clock_.now_ms() - began_ms);
    return {};
  };
  return fleet_.together(work);
}

void Sessions::answer(const Heard& heard) {
  Session* session = find(heard.id);
  if (const auto* report = std::get_if<v1::Report>(&heard.said)) {
    if (metrics != nullptr) metrics->count_report(rollout::word(report->state()));
    if (session == nullptr) return;
    v1::Envelope ack;
    ack.mutable_ack()->set_sequence(report->sequence());
    session->say(std::move(ack));
  } else if (std::holds_alternative<v1::Hello>(heard.said)) {
    if (metrics != nullptr) metrics->count_link();
    if (session == nullptr) return;
    proto::log_info("device.online", {{"device", heard.name},
                                      {"from", session->channel.remote_address()}});
    session->greeted = true;
    session->desired_due = true;
    session->changed.notify();
  } else if (std::holds_alternative<Gone>(heard.said)) {
    proto::log_info("device.offline", {{"device", heard.name}});
  }
}

// Not acknowledged: the device says it again on its next link. That a link ended nobody says again.
// in     batch: of one device
void Sessions::give_up(std::vector<Heard> batch, const Error& why) {
  proto::log_error("heard.not_stored", {{"device", batch.front().name}, {"why", why.what}});
  const auto is_gone = [](const Heard& heard) { return std::holds_alternative<Gone>(heard.said); };
  const auto gone = std::find_if(batch.begin(), batch.end(), is_gone);
  if (!std::all_of(batch.begin(), batch.end(), is_gone)) drop(batch.front().id);
  if (gone != batch.end()) heard_.push_front(std::move(*gone));
}

// What one device said must not keep others from being heard: each in a transaction of its own.
awaitable<void> Sessions::keep_each(std::vector<Heard> batch) {
  std::map<std::string, std::vector<Heard>> by_device;
  for (Heard& heard : batch) by_device[heard.id].push_back(std::move(heard));
  bool full = false;
  for (auto& [id, said] : by_device) {
    const Status kept = keep(said);
    if (kept) {
      for (const Heard& heard : said) answer(heard);
    } else {
      give_up(std::move(said), kept.error());
      full = full || is_of_disk(kept.error());
    }
    co_await proto::sleep_ms(clock_, kBreathMs);
  }
  if (full) co_await proto::sleep_ms(clock_, kTryAgainMs);
}

awaitable<void> Sessions::keep_heard() {
  while (true) {
    if (heard_.empty() && !more_to_do_) {
      const bool woken = co_await heard_came_.wait(proto::Deadline::never());
      if (!woken) co_return;
    }
    const bool gathers = heard_.size() < heard_at_once_ && !more_to_do_;
    co_await proto::sleep_ms(clock_, gathers ? kHeardWait_ms : kBreathMs);
    const std::size_t count = std::min(heard_.size(), heard_at_once_);
    const auto end = heard_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Heard> batch(std::make_move_iterator(heard_.begin()),
                             std::make_move_iterator(end));
    heard_.erase(heard_.begin(), end);
    more_to_do_ = false;
    const std::int64_t began_ms = clock_.now_ms();
    const Status kept = keep(batch);  // also without any: then the fleet goes on
    if (!kept) {
      proto::log_warning("batch.not_stored", {{"messages", batch.size()},
                                              {"why", kept.error().what}});
      co_await keep_each(std::move(batch));
      continue;
    }
    if (metrics != nullptr && !batch.empty()) {
      metrics->count_batch(batch.size(),
                           static_cast<double>(clock_.now_ms() - began_ms) / 1000.0);
    }
    for (const Heard& heard : batch) answer(heard);
  }
}

}  // namespace controller
