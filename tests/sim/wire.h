// Wire: one connection between a device and the controller: two in-memory channels, and between
// them a network that is late, doubles, falls silent and breaks. Like TCP it keeps the order and
// loses a message only together with all that follow.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "proto/channel.h"
#include "tests/sim/random.h"

namespace sim {

/// How bad the network is. Chances are per message, in thousandths.
struct Weather {
  std::int64_t latency_ms = 40;  // at most
  unsigned late = 0;             // chance of seconds instead
  std::int64_t late_ms = 20'000;
  unsigned doubled = 0;
  unsigned cut = 0;              // the connection breaks; what is under way is lost
  unsigned silent = 0;           // nothing comes through any more, and nobody is told for a while
};

class Wire {
 public:
  enum class Way { up, down };  // to the controller, to the device
  /// `said` sees what an end hands to the network; `heard` what the other one is about to get.
  struct Watch {
    std::function<void(Way, const fleet::v1::Envelope&)> said;
    std::function<void(Way, const fleet::v1::Envelope&)> heard;
  };

  /// All outlive it. `facts`: what the controller is told about the device.
  Wire(boost::asio::io_context& loop, proto::Clock& clock, Random& random, const Weather& weather,
       proto::PeerFacts facts, Watch watch);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  std::unique_ptr<proto::Channel> take_device_end() { return std::move(device_end_); }
  std::unique_ptr<proto::Channel> take_controller_end() { return std::move(controller_end_); }

  /// Breaks it for both sides at once.
  void cut();
  /// One side is gone without a word: the other one hears nothing and learns it when it is idle.
  void fall_silent();
  bool is_over() const { return tasks_.size() == 0; }

 private:
  proto::awaitable<void> pump(Way way);
  proto::awaitable<void> deliver(Way way, fleet::v1::Envelope envelope, std::int64_t at_ms);
  proto::awaitable<void> notice();
  proto::Channel& inner(Way way) { return way == Way::up ? *device_side_ : *controller_side_; }
  std::int64_t arrival_ms(Way way);

  proto::Clock& clock_;
  Random& random_;
  const Weather& weather_;
  Watch watch_;
  std::unique_ptr<proto::Channel> device_end_;
  std::unique_ptr<proto::Channel> device_side_;      // the network's end of the device's channel
  std::unique_ptr<proto::Channel> controller_side_;
  std::unique_ptr<proto::Channel> controller_end_;
  std::int64_t last_ms_[2] = {0, 0};
  bool silent_ = false;
  proto::TaskGroup tasks_;
};

}  // namespace sim
