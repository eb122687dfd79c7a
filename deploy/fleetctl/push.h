// A release on its way to devices: from manifest.yml and image files to signed metadata, blobs and
// a rollout that is followed to its end (DESIGN 2, step 1). Also rollback, which signs the old
// content under a new number.
#pragma once

#include <string>

#include "deploy/fleetctl/program.h"

namespace fleetctl {

struct PushOptions {
  std::string app;                       // "" = the only one of the manifest
  std::string manifest_file;             // -f; "" = manifest.yml here, or in `path`
  std::string path;                      // --path: a folder of sources, built before
  std::string catalog;                   // --catalog
  std::string sdk;                       // --sdk
  std::string selector;                  // --to; "" = that of the app's last push
  std::string image_file;                // --image: instead of the manifest's images
  std::string strategy;                  // "" | "all" | "waves"
  bool stage_only = false;               // --stage: fetch and verify everywhere, start nothing
  bool plan_only = false;                // --plan: say what would happen, change nothing
  bool detach = false;
  std::uint64_t wait_ms = 30 * 60 * 1000;
  bool require_all = false;
  std::string passphrase_file;
};

/// out    ok | rollout_failed | wait_over | detached | not_reached
/// errors bad_manifest, bad_image, wrong_arch, no_fit, not_found (selector), and build_images's:
///        before anything is signed; not_signed (no key for the app) | unauthenticated
///        (passphrase) | conflict (twice)
/// after  nothing is left behind by an error before "Rollout ..." is printed, but blobs that no
///        release names
CommandResult push(Program& program, const PushOptions& options);

struct RollbackOptions {
  std::uint64_t release = 0;             // whose content is signed again
  PushOptions push;                      // app, selector and how to follow
};
/// errors also not_found (no such release) | yanked (nothing is signed)
CommandResult rollback(Program& program, const RollbackOptions& options);

}  // namespace fleetctl
