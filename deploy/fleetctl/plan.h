// What a push is going to do, in UX.md's words, before it does anything. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "boards/board.h"
#include "deploy/fleetctl/draft.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

/// Which of the selected devices can take the release.
struct Fit {
  struct Refusal {
    std::string device;
    std::string why;
  };
  std::size_t devices = 0;
  std::size_t fitting = 0;
  std::size_t offline = 0;
  std::map<std::string, std::size_t> platforms;  // "spt" -> 2
  std::vector<Refusal> refusals;
};

Fit fit_of(const fleet::v1::AppManifest& manifest, const fleet::v1::DeviceList& devices);

/// errors no_fit when the release fits none of them: why, per device
proto::Status check_any_fits(const fleet::v1::AppManifest& manifest, const Fit& fit);

struct PlanInput {
  const Draft& draft;
  const Fit& fit;
  const fleet::v1::AppManifest* previous = nullptr;  // the newest release; null = a first push
  std::uint64_t previous_number = 0;
  std::uint64_t number = 1;
  bool in_full = false;  // --plan: images, fits and plan of an update too, device by device
  const fleet::v1::DeviceList* devices = nullptr;  // those that the selector names
  fleet::v1::Strategy strategy = fleet::v1::STRATEGY_UNSPECIFIED;  // --strategy
  bool stage_only = false;
};
std::vector<std::string> plan_lines(const PlanInput& input);

/// The same as one JSON document, for `push --plan --json`.
std::string plan_json(const PlanInput& input, std::string_view selector);

}  // namespace fleetctl
