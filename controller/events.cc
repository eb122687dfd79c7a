#include "controller/events.h"

#include <utility>

#include "proto/json.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

constexpr const char* kDropped =
    "event: dropped\ndata: {\"hint\":\"too slow; connect again with Last-Event-ID\"}\n\n";

std::shared_ptr<const std::string> frame_of(const v1::Event& event) {
  auto json = proto::to_json(event, {.pretty = false, .defaults = false});
  if (!json) {
    proto::log_error("event.not_shown", {{"id", event.id()}, {"why", json.error().what}});
    json = std::string("{}");
  }
  return std::make_shared<const std::string>(sse_frame(event.id(), event.kind(), *json));
}

}  // namespace

std::string sse_frame(std::uint64_t id, const std::string& kind, const std::string& json) {
  std::string out;
  if (id != 0) out += "id: " + std::to_string(id) + "\n";
  // JSON of ours has no line break outside its escapes.
  out += "event: " + kind + "\ndata: " + json + "\n\n";
  return out;
}

Follower::Follower(Feed& feed, proto::Clock& clock, EventFilter filter)
    : feed_(feed), clock_(clock), filter_(std::move(filter)), changed_(clock) {
  feed_.add(this);
}

Follower::~Follower() { feed_.remove(this); }

proto::awaitable<std::string> Follower::next() {
  if (frames_.empty() && !closed_ && !dropped_) {
    co_await changed_.wait(proto::Deadline::after(clock_, kFollowerPingMs));
  }
  if (dropped_) {
    // Told once; the caller closes when the next call gives nothing.
    dropped_ = false;
    closed_ = true;
    frames_.clear();
    co_return std::string(kDropped);
  }
  std::string out;
  constexpr std::size_t kBytesAtOnce = 64 * 1024;
  while (!frames_.empty() && out.size() < kBytesAtOnce) {
    out += *frames_.front();
    frames_.pop_front();
  }
  if (out.empty() && !closed_) out = ": ping\n\n";
  co_return out;
}

void Follower::add(std::shared_ptr<const std::string> frame) {
  if (closed_ || dropped_) return;
  if (frames_.size() >= kFollowerFrames) {
    dropped_ = true;
    proto::log_warning("follower.dropped", {{"frames", frames_.size()}});
  } else {
    frames_.push_back(std::move(frame));
  }
  changed_.notify();
}

bool Follower::wants(const EventRow& row) const {
  if (filter_.rollout != 0 && filter_.rollout != row.rollout) return false;
  if (!filter_.app.empty() && filter_.app != row.event.app()) return false;
  return filter_.device.empty() || filter_.device == row.event.device();
}

void Follower::close() {
  closed_ = true;
  changed_.notify();
}

Status Feed::admit() const {
  if (followers_.size() < kMaxFollowers) return {};
  return Error{Code::unavailable,
               std::to_string(kMaxFollowers) + " streams are open already; close one, or try later",
               ""};
}

void Feed::publish(const EventRow& row) {
  if (followers_.empty()) return;
  publish_frame(frame_of(row.event), row);
}

void Feed::publish_frame(const std::shared_ptr<const std::string>& frame, const EventRow& row) {
  for (Follower* follower : followers_) {
    if (follower->wants(row)) follower->add(frame);
  }
}

void Feed::close() {
  for (Follower* follower : followers_) follower->close();
}

Result<std::unique_ptr<Events>> Events::open(Store& store) {
  TRY(const std::int64_t last, store.last_event_id());
  return std::unique_ptr<Events>(new Events(store, last));
}

Status Events::add(EventRow& row) {
  row.event.set_id(static_cast<std::uint64_t>(++last_id_));
  return store_.add_event(row);
}

Result<std::unique_ptr<Follower>> Events::follow(proto::Clock& clock, std::int64_t after,
                                                 const EventFilter& filter) {
  TRY_VOID(feed_.admit());
  // Half a queue at most, so that what comes meanwhile has room; the rest is asked for again.
  constexpr std::int64_t kReplayed = static_cast<std::int64_t>(kFollowerFrames) / 2;
  std::vector<EventRow> missed;
  if (after < 0) {
    TRY(missed, store_.recent_events(filter, std::min(-after, kReplayed)));
  } else {
    TRY(missed, store_.events_after(after, filter, kReplayed));
  }
  auto follower = std::make_unique<Follower>(feed_, clock, filter);
  for (const EventRow& row : missed) follower->add(frame_of(row.event));
  if (missed.size() == static_cast<std::size_t>(kReplayed) && after >= 0) {
    // More was missed than is replayed at once: the reader comes back for the rest.
    follower->close();
  }
  return follower;
}

}  // namespace controller
