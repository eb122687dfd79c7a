// One device's link, from its Hello to its end. Only sessions.cc uses it.
#pragma once

#include <deque>
#include <string>

#include "controller/sessions.h"

namespace controller {

class Session {
 public:
  Session(Sessions& owner, proto::Clock& clock, proto::Channel& channel, std::string id,
          std::string name)
      : owner_(owner), clock_(clock), channel_(channel), id_(std::move(id)),
        name_(std::move(name)), outbox_changed_(clock) {}

  /// Hello, then whatever comes. Returns when the link has ended.
  proto::awaitable<void> run();
  /// Sends what is wanted and acknowledged, until the link ends.
  proto::awaitable<void> send_loop();

  void want() { wanted_dirty_ = true; outbox_changed_.notify(); }
  void queue(v1::Envelope envelope);
  void acknowledge(std::uint64_t sequence);
  void abort() { channel_.abort(); outbox_changed_.notify(); }

  const std::string& id() const { return id_; }
  const std::string& name() const { return name_; }
  const v1::Telemetry& facts() const { return facts_; }
  /// The app as a report says it is now.
  void take_status(const v1::AppStatus& status);
  std::int64_t seen_ms = 0;
  std::int64_t report_sequence = 0;  // highest one stored

 private:
  Status greet(v1::Hello hello);
  void hear(v1::Envelope envelope);
  Result<v1::Envelope> wanted();

  Sessions& owner_;
  proto::Clock& clock_;
  proto::Channel& channel_;
  std::string id_;
  std::string name_;
  v1::Telemetry facts_;
  std::deque<v1::Envelope> outbox_;
  proto::Notifier outbox_changed_;
  bool wanted_dirty_ = false;
};

}  // namespace controller
