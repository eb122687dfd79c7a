// The half of Sessions that takes flight records, and acknowledges what is kept.
#include <algorithm>
#include <utility>

#include "controller/report_bounds.h"
#include "controller/session.h"
#include "proto/log.h"

namespace controller {

using proto::Code;
using proto::Deadline;
using v1::Envelope;

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

}  // namespace controller
