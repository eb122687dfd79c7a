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
#include "agent/secrets.h"
#include "fleet/v1/link.pb.h"
#include "proto/result.h"
#include "proto/variables.h"

namespace agent {

using proto::Values;

/// One spelling of a device's overrides, for the slot record; and back.
std::string write_overrides(const Values& overrides);
/// errors bad_argument
proto::Result<Values> read_overrides(std::string_view text);

/// What a wish says of this device's values, for the slot record: secrets as they came, sealed.
Values values_of(const fleet::v1::DesiredApp& wish);

/// The value of each declared variable: what was given, else the default. Secrets are opened.
/// in     overrides: as values_of() gives them; secrets: null, or what opens them
/// errors bad_argument (one that the manifest does not declare, or outside its type and limits; a
///        required one without a value) | unauthenticated (a secret that is not for here), by name
proto::Result<Values> variable_values(const fleet::v1::AppManifest& manifest,
                                      const Values& overrides, const Secrets* secrets);

/// The manifest as this device runs it: with its values, but for files, which guest_config() fills.
/// errors as proto::with_values
proto::Result<fleet::v1::AppManifest> configured(const fleet::v1::AppManifest& manifest,
                                                 const Values& values);

/// What differs from start to start.
struct StartFacts {
  std::string instance_id;
  std::string device_id;
  Ipv4 address;               // on the managed bridge
  Ipv4 gateway;
  std::uint8_t prefix = 24;
  std::uint16_t mtu = 0;      // of the managed bridge, bytes
  std::string seed;           // 32 random bytes
  std::map<std::string, std::string> files;  // guest path -> the blob's bytes, hashed
};

/// in     values: of variable_values()
/// errors as configured(); bad_manifest (a template with an undeclared ((name)))
proto::Result<monitors::GuestConfig> guest_config(const fleet::v1::AppManifest& manifest,
                                                  const Values& values, const StartFacts& start);
/// The manifest's egress of its first interface; none = any. errors bad_argument
proto::Result<std::optional<std::vector<EgressRule>>> egress_rules(
    const fleet::v1::AppManifest& manifest);

}  // namespace agent
