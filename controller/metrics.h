// What GET /metrics says, in Prometheus' text format: counts that rise while this process runs, and
// figures of the moment of the question. It reads no store and decides nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fleet/v1/api.pb.h"

namespace controller {

/// The figures of the moment.
struct FleetFigures {
  std::size_t devices = 0;
  std::size_t online = 0;
  std::size_t rollouts_running = 0;
  std::int64_t started_ms = 0;  // Unix ms of this process
  std::vector<fleet::v1::RoleExpiry> expiries;
};

/// A resource. The library's exceptions (out of memory apart) come from wrong names alone, which
/// are constants here.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Timestamp (and snapshot) were renewed, or could not be.
  void count_renewal(bool succeeded);
  /// A push became a rollout, or was refused.
  void count_push(bool accepted);

  /// One line per metric, each with HELP and TYPE.
  std::string text(const FleetFigures& now);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace controller
