// What GET /metrics says, in Prometheus' text format: counts that rise while this process runs, and
// figures of the moment of the question. It reads no store and decides nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fleet/v1/api.pb.h"

namespace controller {

/// The figures of the moment. Times are Unix ms.
struct FleetFigures {
  std::size_t devices = 0;
  std::size_t online = 0;
  std::size_t silent_hour = 0;         // offline, and not heard for an hour
  std::size_t silent_day = 0;
  std::size_t ahead = 0;               // of this controller, until a person decides
  std::size_t certificates_ending = 0;  // of devices, within kCertificateCareMs
  std::int64_t first_certificate_ms = 0;  // the first of them that ends; 0: there is no device
  std::vector<fleet::v1::Rollout> running;
  std::map<std::string, std::size_t> rollouts_ended;  // ever, by the state's word
  std::uint64_t audit_sequence = 0;
  std::size_t audit_strange = 0;       // devices whose audit head is not of this log
  std::size_t deltas_kept = 0;
  std::uint64_t deltas_bytes = 0;
  std::int64_t started_ms = 0;         // of this process
  std::vector<fleet::v1::RoleExpiry> expiries;
};

/// A device renews its certificate when a third of its 90 days is left: less means that it cannot.
inline constexpr std::int64_t kCertificateCareMs = 21ll * 24 * 3600 * 1000;

/// A request that was answered; `route` is the pattern of its route, or "other".
struct CountedRequest {
  std::string route;
  std::string method;
  int status = 0;
  double took_s = 0;
  bool streams = false;  // its time is its follower's, and not counted
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
  void count_link();
  /// One report of a device that was stored, by the state it tells.
  void count_report(const char* state);
  /// One transaction of reports.
  void count_batch(std::size_t reports, double took_s);
  void count_request(const CountedRequest& request);

  /// One line per metric, each with HELP and TYPE.
  std::string text(const FleetFigures& now);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace controller
