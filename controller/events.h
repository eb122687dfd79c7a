// What happened: one growing list in the store, and everybody who follows it by server-sent events.
// A follower holds no copy: it wakes, and reads what it lacks from the store, so a slow one costs
// nothing and misses nothing that is still kept.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/http.h"
#include "controller/store.h"

namespace controller {

class Events {
 public:
  Events(Store& store, proto::Clock& clock);  // both outlive it
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  /// Adds an event to the open transaction: id and time are set here. Tell followers after commit.
  Status add(EventRow row);
  /// Wakes the followers. After the commit.
  void tell() { added_.notify(); }

  /// Everything after `after` that the filter lets through, for ever; the events before it that are
  /// kept no more are announced by a comment.
  /// in     shown: what the follower may see of an event; false: nothing
  using Shown = std::function<Result<bool>(v1::Event& event)>;
  std::unique_ptr<Feed> follow(const EventFilter& filter, std::int64_t after, Shown shown = {});
  /// The id of the newest event, to follow from.
  Result<std::int64_t> last_id() { return store_.last_event_id(); }
  /// The id to begin after so that the newest `count` are sent first.
  Result<std::int64_t> before_recent(const EventFilter& filter, std::int64_t count);

 private:
  friend class EventFeed;

  Store& store_;
  proto::Clock& clock_;
  proto::Notifier added_;
};

/// "id: 7\nevent: message\ndata: {...}\n\n"
std::string server_sent_event(std::int64_t id, const std::string& json);

}  // namespace controller
