#include "tests/sim/wire.h"

#include <algorithm>

namespace sim {

using fleet::v1::Envelope;
using proto::Deadline;

namespace {

constexpr std::int64_t kIdleMs = 60'000;  // proto::ChannelOptions: silence is noticed after it

}  // namespace

Wire::Wire(boost::asio::io_context& loop, proto::Clock& clock, Random& random,
           const Weather& weather, proto::PeerFacts facts, Watch watch)
    : clock_(clock), random_(random), weather_(weather), watch_(std::move(watch)), tasks_(loop) {
  std::tie(device_end_, device_side_) = proto::make_channel_pair(clock);
  std::tie(controller_side_, controller_end_) =
      proto::make_channel_pair(clock, {}, std::move(facts));
  tasks_.spawn("wire up", pump(Way::up));
  tasks_.spawn("wire down", pump(Way::down));
}

Wire::~Wire() = default;

void Wire::cut() {
  device_side_->abort();
  controller_side_->abort();
  tasks_.cancel();  // what is under way is lost
}

void Wire::fall_silent() {
  if (silent_) return;
  silent_ = true;
  tasks_.spawn("wire silence", notice());
}

proto::awaitable<void> Wire::notice() {
  co_await proto::sleep_ms(clock_, kIdleMs);
  cut();
}

std::int64_t Wire::arrival_ms(Way way) {
  std::int64_t& last = last_ms_[way == Way::up ? 0 : 1];
  std::int64_t latency = random_.between(1, weather_.latency_ms);
  if (random_.chance(weather_.late)) latency = random_.between(1000, weather_.late_ms);
  last = std::max(last, clock_.now_ms() + latency);
  return last;
}

proto::awaitable<void> Wire::pump(Way way) {
  while (true) {
    auto envelope = co_await inner(way).receive(Deadline::never());
    if (!envelope) break;
    if (watch_.said) watch_.said(way, *envelope);
    if (random_.chance(weather_.cut)) break;
    if (random_.chance(weather_.silent)) fall_silent();
    if (silent_) continue;
    const int times = random_.chance(weather_.doubled) ? 2 : 1;
    for (int i = 0; i < times; ++i) {
      tasks_.spawn("wire delivery", deliver(way, *envelope, arrival_ms(way)));
    }
  }
  if (!silent_) cut();
}

proto::awaitable<void> Wire::deliver(Way way, Envelope envelope, std::int64_t at_ms) {
  co_await proto::sleep_until(clock_, Deadline{at_ms});
  if (silent_) co_return;
  if (watch_.heard) watch_.heard(way, envelope);
  const auto sent = co_await inner(way == Way::up ? Way::down : Way::up).send(std::move(envelope));
  if (!sent) cut();
}

}  // namespace sim
