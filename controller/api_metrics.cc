// GET /metrics and GET /v1/openapi.yaml: what other programs read of the controller.
#include <algorithm>

#include "controller/api_routes.h"
#include "controller/embedded.h"

namespace controller {
namespace {

Result<FleetFigures> figures_of(const Parts& parts) {
  FleetFigures now;
  const std::int64_t wall_ms = parts.clock.wall_ms();
  TRY(const DeviceCounts counts,
      parts.store.count_devices(wall_ms, wall_ms + kCertificateCareMs));
  now.devices = static_cast<std::size_t>(counts.devices);
  now.online = std::min(parts.fleet.online_count(), now.devices);
  now.silent_hour = static_cast<std::size_t>(counts.silent_hour);
  now.silent_day = static_cast<std::size_t>(counts.silent_day);
  now.ahead = static_cast<std::size_t>(counts.ahead);
  now.certificates_ending = static_cast<std::size_t>(counts.certificates_ending);
  now.first_certificate_ms = counts.first_certificate_ms;
  TRY(const auto running, parts.store.running_rollouts());
  for (const rollout::Rollout& rollout : running) now.running.push_back(to_api(rollout));
  TRY(const auto ended, parts.store.count_rollouts());
  for (const v1::RolloutState state :
       {v1::ROLLOUT_SUCCEEDED, v1::ROLLOUT_FAILED, v1::ROLLOUT_ABORTED, v1::ROLLOUT_SUPERSEDED}) {
    const auto found = ended.find(state);
    now.rollouts_ended[rollout::word(state)] =
        found == ended.end() ? 0 : static_cast<std::size_t>(found->second);
  }
  TRY(const v1::AuditHead head, parts.store.audit_head());
  now.audit_sequence = head.sequence();
  TRY(const auto strangers, parts.store.audit_strangers());
  now.audit_strange = strangers.size();
  if (parts.deltas != nullptr) {
    now.deltas_kept = parts.deltas->kept_count();
    now.deltas_bytes = parts.deltas->kept_bytes();
  }
  now.started_ms = wall_ms - (parts.clock.now_ms() - parts.started_ms);
  TRY(now.expiries, parts.metadata.expiries());
  return now;
}

}  // namespace

awaitable<Response> show_metrics(Call call) {
  const auto now = figures_of(call.parts);
  if (!now) co_return error_response(now.error());
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = call.parts.metrics.text(*now);
  co_return response;
}

awaitable<Response> show_openapi(Call) {
  Response response;
  response.content_type = "application/yaml";
  response.body = std::string(kApiFiles[0].text());
  co_return response;
}

}  // namespace controller
