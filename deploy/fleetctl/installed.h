// Folders that come with fleetctl: the catalog of images and the SDK. An installation has them in
// PREFIX/share/unifleet beside PREFIX/bin, a build tree beside its bin.
#pragma once

#include <string>

#include "proto/result.h"

namespace fleetctl {

/// Which of them, and its names.
struct InstalledFolder {
  const char* what;      // "the catalog"
  const char* variable;  // of the environment, which wins over what lies beside the program
  const char* flag;      // wins over both
  const char* installed; // in PREFIX/share/unifleet
  const char* built;     // in a build tree
};

inline constexpr InstalledFolder kCatalogFolder{"the catalog", "FLEET_CATALOG", "--catalog",
                                                "catalog", "images"};
inline constexpr InstalledFolder kSdkFolder{"the SDK", "FLEET_SDK", "--sdk", "sdk", "sdk"};

/// Where it is. in  given: the flag's value, "" = not given
/// errors not_found: names where it was looked for, and how to say where it is
proto::Result<std::string> find_installed(const InstalledFolder& folder, const std::string& given);

}  // namespace fleetctl
