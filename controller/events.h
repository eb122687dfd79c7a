// Events: what happened, numbered, kept for a while and handed to whoever follows. A frame is made
// once and shared by all followers. A follower that does not keep up is dropped with a hint; it
// never holds anybody up.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/store.h"
#include "proto/async.h"

namespace controller {

inline constexpr std::size_t kFollowerFrames = 1024;  // waiting for one slow reader
inline constexpr std::size_t kMaxFollowers = 256;
inline constexpr std::int64_t kFollowerPingMs = 5000;  // a silent stream says that it lives

class Feed;

/// One reader's place in a feed of frames (server-sent events). Owned by its connection.
class Follower {
 public:
  Follower(Feed& feed, proto::Clock& clock, EventFilter filter);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  /// The bytes to write next: one or more frames, or a comment after kFollowerPingMs of silence.
  /// "" when the stream has ended: the feed closed, or the reader was too slow (`dropped()`).
  proto::awaitable<std::string> next();
  /// Puts a frame of before the first next().
  void add(std::shared_ptr<const std::string> frame);
  bool wants(const EventRow& row) const;
  void close();
  bool dropped() const { return dropped_; }

 private:
  Feed& feed_;
  proto::Clock& clock_;
  EventFilter filter_;
  proto::Notifier changed_;
  // The other owners of a frame are the other followers' queues.
  std::deque<std::shared_ptr<const std::string>> frames_;
  bool dropped_ = false;
  bool closed_ = false;
};

/// Those who follow.
class Feed {
 public:
  /// errors unavailable (kMaxFollowers are there)
  Status admit() const;
  void add(Follower* follower) { followers_.insert(follower); }
  void remove(Follower* follower) { followers_.erase(follower); }
  void publish(const EventRow& row);
  void publish_frame(const std::shared_ptr<const std::string>& frame, const EventRow& row);
  void close();
  std::size_t size() const { return followers_.size(); }

 private:
  std::set<Follower*> followers_;
};

/// "id: 7\nevent: KIND\ndata: {...}\n\n"; without an id when it is 0.
std::string sse_frame(std::uint64_t id, const std::string& kind, const std::string& json);

/// The numbered log in the store, and its feed.
class Events {
 public:
  /// Both outlive it. errors as Store
  static Result<std::unique_ptr<Events>> open(Store& store);

  /// Numbers and stores the event; inside the caller's transaction.
  Status add(EventRow& row);
  /// To the followers, once the transaction is committed.
  void publish(const EventRow& row) { feed_.publish(row); }
  std::int64_t last_id() const { return last_id_; }
  Feed& feed() { return feed_; }

  /// A follower that begins after event `after` (negative: with the newest -after events), filled
  /// with what it missed. errors as Store, unavailable
  Result<std::unique_ptr<Follower>> follow(proto::Clock& clock, std::int64_t after,
                                           const EventFilter& filter);

 private:
  Events(Store& store, std::int64_t last_id) : store_(store), last_id_(last_id) {}

  Store& store_;
  std::int64_t last_id_;
  Feed feed_;
};

}  // namespace controller
