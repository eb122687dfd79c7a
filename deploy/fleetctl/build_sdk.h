// The SDK: what images are made of, the same as this product's own (images/runtime/sdk.cmake says
// what lies in it and writes it).
#pragma once

#include <string>
#include <vector>

#include "fleet/v1/app.pb.h"
#include "proto/result.h"

namespace fleetctl {

/// What an image can be made for.
struct SdkTarget {
  fleet::v1::Arch arch = fleet::v1::ARCH_UNSPECIFIED;
  fleet::v1::Platform platform = fleet::v1::PLATFORM_UNSPECIFIED;

  bool operator==(const SdkTarget&) const = default;
};
std::string text_of(const SdkTarget& target);  // "x86_64/spt"

struct Sdk {
  std::string folder;
  std::vector<SdkTarget> targets;  // sorted

  /// A file or folder of one CPU or target: "FOLDER/x86_64/NAME", "FOLDER/x86_64/spt/NAME".
  std::string file_of(fleet::v1::Arch arch, const std::string& name) const;
  std::string file_of(const SdkTarget& target, const std::string& name) const;
};

/// in     given: --sdk, "" = FLEET_SDK or what lies beside the program
/// errors not_found (no SDK, or an empty one)
proto::Result<Sdk> open_sdk(const std::string& given);

/// The compiler's arguments of a file of the SDK, one in each line: compile.c, compile.cxx, link.
proto::Result<std::vector<std::string>> sdk_arguments(const Sdk& sdk, fleet::v1::Arch arch,
                                                      const std::string& name);

/// What of the SDK is wanted: each word of `archs` and `platforms` ("x86_64", "spt"); no arch: this
/// machine's; no platform: all there are for the CPU.
/// errors bad_argument (a word that is none) | not_found (the SDK lacks it: what it has, how to get
///        it)
proto::Result<std::vector<SdkTarget>> choose_targets(const Sdk& sdk,
                                                     const std::vector<std::string>& archs,
                                                     const std::vector<std::string>& platforms);

/// The CPU that this program runs on.
fleet::v1::Arch own_arch();

}  // namespace fleetctl
