// ProbeRunner: one probe at a time beside the loop that judges, so that a guest's end is seen while
// a probe still waits for its answer.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>

#include "agent/ports.h"
#include "proto/async.h"

namespace agent {

class ProbeRunner {
 public:
  /// All of them outlive it. `changed` is notified when a result came.
  ProbeRunner(boost::asio::io_context& loop, Prober& prober, proto::Notifier& changed);
  ProbeRunner(const ProbeRunner&) = delete;
  ProbeRunner& operator=(const ProbeRunner&) = delete;

  /// Starts a network probe, `at_ms` after the guest. Not while one is under way.
  void begin(const fleet::v1::Health& health, Ipv4 guest, proto::Deadline deadline,
             std::uint64_t at_ms);
  /// A result that is known at once.
  void put(ProbeResult result) { result_ = std::move(result); }
  bool under_way() const { return under_way_; }
  /// The result, once.
  std::optional<ProbeResult> take();
  /// Forgets a probe under way: its result is of a guest that is judged no more.
  void forget() { ++round_, under_way_ = false, result_.reset(); }
  /// Ends what is under way. Before the runner goes.
  proto::awaitable<void> stop();

 private:
  proto::awaitable<void> run(fleet::v1::Health health, Ipv4 guest, proto::Deadline deadline,
                             std::uint64_t at_ms, std::uint64_t round);

  Prober& prober_;
  proto::Notifier& changed_;
  proto::TaskGroup tasks_;
  std::optional<ProbeResult> result_;
  bool under_way_ = false;
  std::uint64_t round_ = 0;
};

}  // namespace agent
