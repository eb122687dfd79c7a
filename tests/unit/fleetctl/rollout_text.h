// Rollouts for the tests of what the terminal shows.
#pragma once

#include <string>

#include "fleet/v1/api.pb.h"

namespace fleetctl {

inline fleet::v1::Rollout rollout_of(fleet::v1::RolloutState state, std::uint64_t took_ms) {
  fleet::v1::Rollout rollout;
  rollout.set_id("r-1");
  rollout.set_kind(fleet::v1::KIND_PUSH);
  rollout.set_app("dns");
  rollout.set_release(1);
  rollout.set_state(state);
  rollout.set_created_ms(1'000'000);
  rollout.set_ended_ms(took_ms == 0 ? 0 : 1'000'000 + took_ms);
  return rollout;
}

inline fleet::v1::RolloutDevice& add_healthy(fleet::v1::Rollout& rollout, const std::string& name,
                                             const std::string& monitor, std::uint64_t took_ms,
                                             const std::string& detail,
                                             const std::string& address) {
  auto& device = *rollout.add_devices();
  device.set_device(name);
  device.set_online(true);
  device.set_state(fleet::v1::HEALTHY);
  device.set_live_release(rollout.release());
  device.set_monitor(monitor);
  device.set_detail(detail);
  device.set_address(address);
  device.add_ports("53/udp");
  device.set_started_ms(1'000'000);
  device.set_ended_ms(1'000'000 + took_ms);
  return device;
}

inline fleet::v1::RolloutDevice& add_reverted(fleet::v1::Rollout& rollout, const std::string& name,
                                              std::uint64_t took_ms) {
  auto& device = *rollout.add_devices();
  device.set_device(name);
  device.set_online(true);
  device.set_state(fleet::v1::REVERTED);
  device.set_live_release(rollout.release() - 1);
  device.set_started_ms(1'000'000);
  device.set_ended_ms(1'000'000 + took_ms);
  auto& why = *device.mutable_why();
  why.set_code(fleet::v1::CODE_NO_ANSWER);
  why.set_text("no answer: dns www.example.test A, 0 of 18 probes");
  why.set_fingerprint("a41c09f2");
  why.set_up_ms(10'100);
  why.set_memory_bytes(3'250'586);  // 3.1 MiB
  why.add_console_tail("dns: zone example.test: 12 records");
  why.add_console_tail("dns: listening on 10.77.0.3:5353");
  return device;
}

}  // namespace fleetctl
