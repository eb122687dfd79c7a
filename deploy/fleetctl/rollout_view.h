// A rollout as the terminal shows it: kept up to date by events, drawn as UX.md's table. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleet/v1/api.pb.h"

namespace fleetctl {

/// A value. Events that come twice change nothing.
class RolloutView {
 public:
  explicit RolloutView(fleet::v1::Rollout rollout) : rollout_(std::move(rollout)) {}

  /// The whole of it, as the controller has it now.
  void replace(const fleet::v1::Rollout& rollout) { rollout_ = rollout; }
  /// out    the row of a device that the event changed; "" when nothing is to be told
  std::string apply(const fleet::v1::Event& event);

  const fleet::v1::Rollout& rollout() const { return rollout_; }
  bool ended() const;

 private:
  fleet::v1::Rollout rollout_;
};

/// No further change will come to this device in this rollout.
bool device_ended(const fleet::v1::RolloutDevice& device);
/// healthy, stopped or removed: what was wanted is so.
bool device_succeeded(const fleet::v1::RolloutDevice& device);

/// "▶", "✔", "✘", "▲", "○" or " ": never the only sign, the word stands beside it.
std::string mark_of(const fleet::v1::RolloutDevice& device);
/// "healthy", "reverted"; "offline" for one that is away and has not ended.
std::string state_word(const fleet::v1::RolloutDevice& device);
/// What is to be said of it in one line: its address, the fault, what it waits for.
std::string detail_of(const fleet::v1::RolloutDevice& device);
/// "no answer: dns www.example.test A, 0 of 18 probes"
std::string reason_text(const fleet::v1::Reason& why);

/// The table of devices. A fault that a device above has too is shown as the same one.
/// in     now_ms: wall time at the controller, for what is still going on
std::vector<std::string> device_table(const fleet::v1::Rollout& rollout, std::uint64_t now_ms);

/// "dns 2: 1 of 3 done, 2 under way (4.2s)", the line below the table while it goes on.
std::string progress_line(const fleet::v1::Rollout& rollout, std::uint64_t now_ms);

}  // namespace fleetctl
