// build: from a folder of C or C++ sources to unikernel images, as images/runtime/README.md tells.
// Each source is compiled once for a CPU and linked for each of its platforms.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/build_sdk.h"
#include "deploy/fleetctl/program.h"
#include "proto/manifest.h"

namespace fleetctl {

/// What is built, and where the images go.
struct BuildJob {
  std::string folder;                // of the sources
  std::string name;                  // the app's: begins the names of the files
  fleet::v1::AppManifest manifest;   // its interfaces, volumes and serial lines are the image's
  std::vector<SdkTarget> targets;
  std::string output;                // "" = FOLDER/build; a folder, or with one target a file
};

struct BuiltImage {
  SdkTarget target;
  std::string path;         // NAME.ARCH.PLATFORM; its symbols are beside it, in PATH.debug
  std::uint64_t size_bytes = 0;
};

/// Tells on the terminal what it does; what compilers say goes to stderr.
/// errors not_found (no folder, no sources; no compiler: the package to install) | bad_argument (it
///        does not compile: the compiler has said why) | io | cancelled
/// after  each image is whole or was not touched
proto::Result<std::vector<BuiltImage>> build_images(Program& program, const Sdk& sdk,
                                                    const BuildJob& job);

/// The manifest.yml of a folder of sources; without one an app of the folder's name, with the
/// defaults.
/// errors not_found (no such folder) | bad_manifest | bad_argument (the folder's name is no app's)
proto::Result<proto::ManifestFile> manifest_of_folder(const std::string& folder);

struct BuildOptions {
  std::string folder;
  std::string app;                     // --app
  std::vector<std::string> archs;      // --arch
  std::vector<std::string> platforms;  // --platform
  std::string output;                  // -o
  std::string sdk;                     // --sdk
};
CommandResult build(Program& program, const BuildOptions& options);

/// The sources of a folder, sorted: *.c, *.cc, *.cpp and *.cxx in it and below, but in hidden
/// folders and in build.
/// errors not_found (no such folder, or nothing to compile) | too_large (over 1000)
proto::Result<std::vector<std::string>> find_sources(const std::string& folder);

/// The devices that an app's image declares for hvt and spt, as solo5/manifest.cc reads them:
/// net("wan"),net("lan"),block("cache"),
std::string device_list(const fleet::v1::AppManifest& manifest);

}  // namespace fleetctl
