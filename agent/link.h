// Link: what goes over the device link (DESIGN 6): Hello, Desired, reports until acknowledged,
// telemetry, console, a new certificate. It never acts on what it hears but to hand it on, and the
// device does not need it to keep running.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/device.h"
#include "proto/channel.h"

namespace agent {

class Agent;

inline constexpr std::int64_t kTelemetryMs = 10'000;
/// How long a controller that is busy may take to acknowledge a flight record; then it comes again.
inline constexpr std::int64_t kFlightAckMs = 30'000;
/// Console bytes of ended trials that wait for a link; more than these push the oldest out.
inline constexpr std::size_t kMaxQueuedLogs = 16;

/// The wait before the next try: full jitter over a doubling cap, never below the controller's
/// floor. `random` gives a number below its argument.
std::int64_t backoff_ms(int failures, std::int64_t floor_ms,
                        std::uint32_t (*random)(std::uint32_t));

class Link {
 public:
  /// Both outlive it.
  Link(Agent& agent, Device& device);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Connects, speaks and connects again, until the agent stops.
  proto::awaitable<void> run();
  /// Ends the conversation under way; run() then sees that the agent stops. False if there is none:
  /// then run() may be cancelled.
  bool hang_up();

 private:
  struct Follow {
    std::int64_t until_wall_ms = 0;
    std::map<std::string, std::uint64_t> offsets;  // by instance
  };

  proto::awaitable<void> speak(proto::Channel& channel);
  proto::awaitable<void> send_loop(proto::Channel& channel);
  proto::awaitable<void> log_loop(proto::Channel& channel);
  proto::awaitable<void> telemetry_loop(proto::Channel& channel);
  proto::awaitable<void> renew_loop(proto::Channel& channel);
  proto::awaitable<void> flight_loop(proto::Channel& channel);
  proto::awaitable<void> take_loop(proto::Channel& channel);
  proto::awaitable<proto::Status> send_reports(proto::Channel& channel);
  proto::awaitable<proto::Status> send_console(proto::Channel& channel, std::string app);
  proto::awaitable<proto::Status> send_guest_console(proto::Channel& channel, std::string app,
                                                     std::string instance, std::uint64_t release);
  void hear(fleet::v1::Envelope envelope);
  void take(fleet::v1::Desired desired);
  void forget(std::uint64_t sequence);
  void take_certificate(const fleet::v1::Renewed& answer);
  void follow(const fleet::v1::LogSubscribe& wish);

  Agent& agent_;
  Device& device_;
  proto::Channel* channel_ = nullptr;  // while speaking
  bool renewing_ = false;              // it was ended to be made anew
  std::uint64_t sent_sequence_ = 0;   // on this connection
  bool flight_sent_ = false;          // and not acknowledged
  // What the controller said and could not be stored: it says it once on a connection.
  std::optional<fleet::v1::Desired> untaken_;
  std::set<std::uint64_t> unforgotten_;  // acknowledged sequences
  proto::Notifier untaken_came_;
  std::int64_t retry_floor_ms_ = 0;   // the controller's, from Goodbye
  std::deque<fleet::v1::LogChunk> logs_;
  std::map<std::string, Follow> follows_;
};

}  // namespace agent
