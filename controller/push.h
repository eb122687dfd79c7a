// A push: from the operator's request to a release and its rollout (DESIGN 2, steps 2 to P1).
// Everything is checked before anything is stored; blobs are on the disk already, so that release,
// metadata, rollout and what the devices are wanted to run become true in one transaction.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/fleet.h"
#include "controller/metadata.h"
#include "ota/blobs.h"

namespace controller {

/// What a refusal of a selector adds to its error.
struct Refusal {
  Error error;
  std::vector<std::string> nearest;
};

/// The parts that a push needs; all borrowed for the call.
struct PushContext {
  Fleet& fleet;
  Metadata& metadata;
  Store& store;
  ota::Blobs& blobs;
};

/// Accepts a push, or says what is wrong.
/// in     key: the Idempotency-Key, 8 to 128 characters; the same key with the same request gives
///        the same rollout, with another request it is refused
/// errors bad_argument (key, fields) | not_signed, bad_signature, bad_metadata, expired, rollback
///        (the role) | conflict (not the next version or number) | not_found (a blob that was not
///        uploaded, keys not set up, a selector without a device) | bad_manifest | not_supported |
///        manifest_too_new | as Store. Nothing is stored then.
/// after  survives power loss (P1)
Result<rollout::Rollout> accept_push(PushContext& context, const v1::PushRequest& request,
                                     std::string_view key, const std::string& by,
                                     std::vector<std::string>& nearest);

/// revert, stop, start, restart, delete: no signature, a rollout of their own.
/// errors bad_argument | not_found (app, or no device of the selector has it)
Result<rollout::Rollout> accept_order(Fleet& fleet, Store& store, const v1::OrderRequest& request,
                                      const std::string& by, std::vector<std::string>& nearest);

/// The devices that a selector means, by name. errors bad_argument | not_found (none; `nearest`)
Result<std::vector<Subject>> select_devices(Store& store, std::string_view selector,
                                            std::vector<std::string>& nearest);

}  // namespace controller
