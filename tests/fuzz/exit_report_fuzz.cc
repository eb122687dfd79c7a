// Any bytes as a tender's exit report: it comes from a process next to the guest.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/monitors/tender.h"
#include "proto/limits.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view report(reinterpret_cast<const char*>(data), size);
  const monitors::TenderMonitor spt(monitors::Target::spt);
  const monitors::ExitReason reason = spt.classify_exit(agent::Instance(), "", report);
  FLEET_ASSERT(reason.code != proto::Code::unset && !reason.what.empty());
  if (!reason.trap) return 0;
  FLEET_ASSERT(!reason.trap->kind().empty());
  FLEET_ASSERT(reason.trap->kind().size() <= proto::kTrapKindBytes);
  FLEET_ASSERT(reason.trap->pc().size() <= proto::kTrapDigits + 2);
  FLEET_ASSERT(reason.trap->registers().size() <= proto::kTrapRegisters);
  for (const auto& [name, value] : reason.trap->registers()) {
    FLEET_ASSERT(name.size() <= proto::kTrapNameBytes && value.size() <= proto::kTrapDigits + 2);
  }
  return 0;
}
