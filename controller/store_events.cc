// The events: a ring of what happened, for who follows.
#include "controller/store_sql.h"

namespace controller {
namespace {

using soci::into;
using soci::use;

constexpr std::int64_t kEventsForgottenAtOnce = 64;

std::vector<EventRow> select_events(Store::Session& session, long long after, long long before,
                                    const EventFilter& filter, long long limit, bool newest) {
  const long long number = filter.rollout;
  long long id = 0;
  long long of_rollout = 0;
  std::string json;
  Statement statement(
      session,
      std::string("SELECT id, rollout, event_json FROM events WHERE id > :a AND id < :b "
                  "AND (:r = 0 OR rollout = :s) AND (:p = '' OR app = :q) "
                  "AND (:d = '' OR device = :e) ORDER BY id ") +
          (newest ? "DESC" : "ASC") + " LIMIT :l");
  statement.start(use(after), use(before), use(number), use(number), use(filter.app),
                  use(filter.app), use(filter.device), use(filter.device), use(limit), into(id),
                  into(of_rollout), into(json));
  std::vector<EventRow> out;
  while (statement.fetch()) {
    EventRow row;
    row.rollout = of_rollout;
    read_json(json, row.event);
    row.event.set_id(static_cast<std::uint64_t>(id));
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

Result<std::int64_t> Store::last_event_id() {
  if (last_event_) return *last_event_;
  return guard("reading the last event", [&]() -> std::int64_t {
    long long last = 0;
    session_->run("SELECT COALESCE(MAX(id), 0) FROM events", into(last));
    last_event_ = last;
    return last;
  });
}

Result<std::int64_t> Store::oldest_event_id() {
  return guard("reading the oldest event", [&]() -> std::int64_t {
    long long oldest = 0;
    session_->run("SELECT COALESCE(MIN(id), 0) FROM events", into(oldest));
    return oldest;
  });
}

Status Store::add_event(const EventRow& row) {
  const auto id = static_cast<long long>(row.event.id());
  const long long number = row.rollout;
  const long long oldest = id - kEventsKept;
  return guard("adding an event", [&] {
    const std::string json = as_json(row.event);
    session_->run("INSERT INTO events (id, rollout, app, device, event_json) VALUES "
                  "(:i,:r,:a,:d,:j)",
                  use(id), use(number), use(row.event.app()), use(row.event.device()), use(json));
    last_event_ = id;
    if (id % kEventsForgottenAtOnce != 0) return;
    session_->run("DELETE FROM events WHERE id <= :o", use(oldest));
  });
}

Result<std::vector<EventRow>> Store::events_after(std::int64_t after, const EventFilter& filter,
                                                  std::int64_t limit) {
  return guard("reading events", [&] {
    return select_events(*session_, after, std::numeric_limits<long long>::max(), filter,
                         limit, false);
  });
}

Result<std::vector<EventRow>> Store::recent_events(const EventFilter& filter, std::int64_t limit) {
  return guard("reading events", [&] {
    std::vector<EventRow> rows = select_events(
        *session_, 0, std::numeric_limits<long long>::max(), filter, limit, true);
    std::reverse(rows.begin(), rows.end());
    return rows;
  });
}

}  // namespace controller
