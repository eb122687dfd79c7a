// Our own tenders as monitors: fleet-spt and fleet-hvt, for Solo5 images of ours and of others.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/monitors/monitor.h"

namespace monitors {

/// What a tender needs besides the guest's memory: itself, the reporter, the host's page tables.
inline constexpr std::uint32_t kTenderOverheadMib = 8;

enum class Target { spt, hvt };

class TenderMonitor : public Monitor {
 public:
  explicit TenderMonitor(Target target) : target_(target) {}

  std::string_view name() const override { return target_ == Target::spt ? "spt" : "hvt"; }
  proto::Status can_run(const ImageFacts& image) const override;
  /// Also not_supported: files or env for a foreign image; bad_argument: interfaces or volumes that
  /// are not those that the image declares.
  proto::Result<agent::StartRequest> command(Launch launch) const override;
  ExitReason classify_exit(const agent::Instance& ended, std::string_view console_tail,
                           std::string_view report) const override;

 private:
  Target target_;
};

/// Everything but the guest: program, memory, image (taken), exit report. For the probe, too.
agent::StartRequest tender_request(Target target, agent::Fd image, std::uint64_t memory_mib);

}  // namespace monitors
