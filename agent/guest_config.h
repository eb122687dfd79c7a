// From a signed manifest and this device's values to what one guest is told. Pure.
// It fills only the variables that the manifest declares, and never splits a string into arguments.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/monitors/monitor.h"
#include "agent/network.h"
#include "fleet/v1/app.pb.h"
#include "proto/result.h"

namespace agent {

using Values = std::map<std::string, std::string>;

/// One spelling of a device's overrides, for the slot record; and back.
std::string write_overrides(const Values& overrides);
/// errors bad_argument
proto::Result<Values> read_overrides(std::string_view text);

/// The value of each declared variable: the override, else the default.
/// errors bad_argument (an override that the manifest does not declare, or outside its type and
/// limits; a required one without a value), by name
proto::Result<Values> variable_values(const fleet::v1::AppManifest& manifest,
                                      const Values& overrides);
/// Puts values for each ((name)). errors bad_manifest (a name that is not declared)
proto::Result<std::string> fill(std::string_view text, const Values& values);

/// What differs from start to start.
struct StartFacts {
  std::string instance_id;
  Ipv4 address;               // on the managed bridge
  Ipv4 gateway;
  std::uint8_t prefix = 24;
  std::uint16_t mtu = 0;      // of the managed bridge, bytes
  std::string seed;           // 32 random bytes
  std::map<std::string, std::string> files;  // guest path -> the blob's bytes, hashed
};

/// errors as fill() and variable_values()
proto::Result<monitors::GuestConfig> guest_config(const fleet::v1::AppManifest& manifest,
                                                  const Values& overrides,
                                                  const StartFacts& start);
/// The manifest's egress of its first interface; none = any. errors bad_argument
proto::Result<std::optional<std::vector<EgressRule>>> egress_rules(
    const fleet::v1::AppManifest& manifest);

}  // namespace agent
