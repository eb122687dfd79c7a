#include "agent/probe_runner.h"

#include <utility>

namespace agent {

ProbeRunner::ProbeRunner(boost::asio::io_context& loop, Prober& prober, proto::Notifier& changed)
    : prober_(prober), changed_(changed), tasks_(loop) {}

void ProbeRunner::begin(const fleet::v1::Health& health, Ipv4 guest, proto::Deadline deadline,
                        std::uint64_t at_ms) {
  FLEET_ASSERT(!under_way_);
  under_way_ = true;
  tasks_.spawn("probe", run(health, guest, deadline, at_ms, ++round_));
}

std::optional<ProbeResult> ProbeRunner::take() { return std::exchange(result_, std::nullopt); }

proto::awaitable<void> ProbeRunner::run(fleet::v1::Health health, Ipv4 guest,
                                        proto::Deadline deadline, std::uint64_t at_ms,
                                        std::uint64_t round) {
  ProbeResult result = co_await prober_.probe(std::move(health), guest, deadline);
  result.at_ms = at_ms;
  if (round != round_) co_return;
  under_way_ = false;
  result_ = std::move(result);
  changed_.notify();
}

proto::awaitable<void> ProbeRunner::stop() {
  forget();
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace agent
