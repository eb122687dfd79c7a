// QEMU's microvm as a monitor: x86_64 guests with a PVH entry, and Linux kernels with an initrd.
// Builds an argument list; no string from a manifest is ever split or joined into an option.
#pragma once

#include "agent/monitors/monitor.h"
#include "agent/monitors/probe.h"

namespace monitors {

class QemuMonitor : public Monitor {
 public:
  /// `accelerator` is what the probe proved.
  explicit QemuMonitor(Accelerator accelerator) : accelerator_(accelerator) {}

  std::string_view name() const override { return "qemu"; }
  proto::Status can_run(const ImageFacts& image) const override;
  proto::Result<agent::StartRequest> command(Launch launch) const override;
  ExitReason classify_exit(const agent::Instance& ended,
                           std::string_view console_tail) const override;

 private:
  Accelerator accelerator_;
};

}  // namespace monitors
