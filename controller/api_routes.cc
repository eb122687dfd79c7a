#include "controller/api_routes.h"

namespace controller {

std::vector<Route> operator_routes() {
  return {
      {"GET", "/v1/status", Role::viewer, show_status, Reach::narrowed},
      {"GET", "/v1/whoami", Role::viewer, whoami, Reach::narrowed},
      {"GET", "/v1/openapi.yaml", Role::viewer, show_openapi, Reach::narrowed},
      {"GET", "/metrics", Role::viewer, show_metrics, Reach::fleet},
      {"GET", "/v1/fleet", Role::viewer, show_fleet, Reach::narrowed},
      {"GET", "/v1/fleet/devices", Role::viewer, list_summaries, Reach::narrowed},
      {"GET", "/v1/devices", Role::viewer, list_devices, Reach::narrowed},
      {"GET", "/v1/devices/{name}", Role::viewer, show_device, Reach::device},
      {"GET", "/v1/devices/{name}/history", Role::viewer, show_device_history, Reach::device},
      {"GET", "/v1/devices/{name}/why", Role::viewer, show_why, Reach::device},
      {"DELETE", "/v1/devices/{name}", Role::admin, remove_device, Reach::device},
      {"PATCH", "/v1/devices/{name}", Role::deployer, label_device, Reach::device},
      {"POST", "/v1/devices/accept", Role::deployer, accept_devices, Reach::narrowed},
      {"POST", "/v1/enroll-tokens", Role::admin, make_enroll_token, Reach::narrowed},
      {"GET", "/v1/tokens", Role::admin, list_tokens, Reach::fleet},
      {"POST", "/v1/tokens", Role::admin, create_token, Reach::fleet},
      {"DELETE", "/v1/tokens/{name}", Role::admin, revoke_token, Reach::fleet},
      {"GET", "/v1/apps", Role::viewer, list_apps, Reach::narrowed},
      {"GET", "/v1/apps/{app}/releases", Role::viewer, list_releases, Reach::narrowed},
      {"GET", "/v1/apps/{app}/history", Role::viewer, show_release_history, Reach::narrowed},
      {"GET", "/v1/apps/{app}/logs", Role::viewer, list_logs, Reach::narrowed},
      {"GET", "/v1/apps/{app}/flights", Role::viewer, list_flights, Reach::narrowed},
      {"GET", "/v1/apps/{app}/config", Role::viewer, list_config, Reach::narrowed},
      {"POST", "/v1/apps/{app}/config", Role::deployer, change_config, Reach::narrowed},
      {"GET", "/v1/blobs/{sha256}", Role::viewer, get_blob, Reach::narrowed},
      {"PUT", "/v1/blobs/{sha256}", Role::deployer, put_blob, Reach::narrowed},
      {"GET", "/v1/metadata/{file}", Role::viewer, get_metadata, Reach::narrowed},
      {"POST", "/v1/metadata", Role::deployer, upload_metadata, Reach::narrowed},
      {"GET", "/v1/online-keys", Role::viewer, get_online_keys, Reach::narrowed},
      {"POST", "/v1/online-keys/{role}", Role::admin, make_online_key, Reach::fleet},
      {"POST", "/v1/pushes", Role::deployer, push, Reach::narrowed},
      {"POST", "/v1/orders", Role::deployer, order, Reach::narrowed},
      {"GET", "/v1/rollouts", Role::viewer, list_rollouts, Reach::narrowed},
      {"GET", "/v1/rollouts/{id}", Role::viewer, show_rollout, Reach::rollout},
      {"POST", "/v1/rollouts/{id}/abort", Role::deployer, abort_rollout, Reach::whole_rollout},
      {"POST", "/v1/rollouts/{id}/pause", Role::deployer, pause_rollout, Reach::whole_rollout},
      {"POST", "/v1/rollouts/{id}/resume", Role::deployer, resume_rollout, Reach::whole_rollout},
      {"POST", "/v1/rollouts/{id}/retry", Role::deployer, retry_rollout, Reach::whole_rollout},
      {"GET", "/v1/audit", Role::viewer, list_audit, Reach::fleet},
      {"POST", "/v1/audit/accept", Role::admin, accept_audit, Reach::fleet},
      {"GET", "/v1/events", Role::viewer, follow_events, Reach::narrowed},
      {"GET", "/v1/logs/stream", Role::viewer, follow_logs, Reach::narrowed},
  };
}

bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& words) {
  words.clear();
  while (!pattern.empty() && !path.empty()) {
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    const std::string_view want = pattern.substr(0, pattern.find('/'));
    const std::string_view have = path.substr(0, path.find('/'));
    if (want.size() > 2 && want.front() == '{') {
      if (have.empty()) return false;
      words.emplace_back(have);
    } else if (want != have) {
      return false;
    }
    pattern.remove_prefix(want.size());
    path.remove_prefix(have.size());
  }
  return pattern.empty() && path.empty();
}

}  // namespace controller
