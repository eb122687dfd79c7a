#include "controller/events.h"

#include <algorithm>
#include <utility>

#include "proto/json.h"

namespace controller {
namespace {

constexpr std::size_t kEventsAtOnce = 64;

}  // namespace

class EventFeed final : public Feed {
 public:
  EventFeed(Events& events, EventFilter filter, std::int64_t after, Events::Shown shown)
      : events_(events), filter_(std::move(filter)), after_(after), shown_(std::move(shown)) {}

  awaitable<Result<std::string>> next(proto::Deadline deadline) override {
    while (true) {
      // The newest id is read first: what the filter leaves out is never looked at again.
      CO_TRY(const std::int64_t newest, events_.store_.last_event_id());
      CO_TRY(auto rows, events_.store_.events_after(after_, filter_, kEventsAtOnce));
      std::string text;
      for (EventRow& row : rows) {
        after_ = static_cast<std::int64_t>(row.event.id());
        if (shown_) {
          CO_TRY(const bool seen, shown_(row.event));
          if (!seen) continue;
        }
        CO_TRY(const std::string json,
               proto::to_json(row.event, {.pretty = false, .defaults = false}));
        text += server_sent_event(after_, json);
      }
      if (!text.empty()) co_return text;
      if (rows.size() == kEventsAtOnce) continue;  // none of them was for this follower
      after_ = std::max(after_, newest);
      const bool woken = co_await events_.added_.wait(deadline);
      if (!woken) co_return std::string();
    }
  }

 private:
  Events& events_;
  EventFilter filter_;
  std::int64_t after_;
  Events::Shown shown_;
};

Events::Events(Store& store, proto::Clock& clock) : store_(store), clock_(clock), added_(clock) {}

Status Events::add(EventRow row) {
  TRY(const std::int64_t last, store_.last_event_id());
  row.event.set_id(static_cast<std::uint64_t>(last + 1));
  row.event.set_time_ms(static_cast<std::uint64_t>(clock_.wall_ms()));
  return store_.add_event(row);
}

std::unique_ptr<Feed> Events::follow(const EventFilter& filter, std::int64_t after, Shown shown) {
  return std::make_unique<EventFeed>(*this, filter, after, std::move(shown));
}

Result<std::int64_t> Events::before_recent(const EventFilter& filter, std::int64_t count) {
  TRY(const auto rows, store_.recent_events(filter, count));
  if (rows.empty()) return store_.last_event_id();
  return static_cast<std::int64_t>(rows.front().event.id()) - 1;
}

std::string server_sent_event(std::int64_t id, const std::string& json) {
  // JSON on one line holds no line end, so one data field is enough.
  return "id: " + std::to_string(id) + "\ndata: " + json + "\n\n";
}

}  // namespace controller
