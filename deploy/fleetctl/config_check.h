// Is what the app's files say right? Asked of the readers that the image itself has (the language
// in its note, images/inspect), so that a mistake is told before anything is signed.
#pragma once

#include <string>
#include <vector>

#include "fleet/v1/app.pb.h"
#include "proto/manifest.h"
#include "proto/result.h"

namespace fleetctl {

/// What else the readers found.
struct ConfigFacts {
  std::string flows;  // what becomes of connections through the app in an update; "": none are
};

/// in     language: of the image, "firewall/1". One that this build does not know, or none, is left
///        to the device. files: with a template, defaults stand for its variables; one that uses a
///        variable which has none, and whose type says nothing of its text, is left to the device.
/// errors bad_manifest "rules.fw:12: no set of that name stands before: @wob"
proto::Result<ConfigFacts> check_config(const std::string& language,
                                        const fleet::v1::AppManifest& manifest,
                                        const std::vector<proto::LoadedFile>& files);

}  // namespace fleetctl
