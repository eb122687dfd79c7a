#include "controller/api_routes.h"

namespace controller {

std::vector<Route> operator_routes() {
  return {
      {"GET", "/v1/status", Role::viewer, show_status},
      {"GET", "/v1/whoami", Role::viewer, whoami},
      {"GET", "/metrics", Role::viewer, show_metrics},
      {"GET", "/v1/fleet", Role::viewer, show_fleet},
      {"GET", "/v1/fleet/devices", Role::viewer, list_summaries},
      {"GET", "/v1/devices", Role::viewer, list_devices},
      {"GET", "/v1/devices/{name}", Role::viewer, show_device},
      {"GET", "/v1/devices/{name}/history", Role::viewer, show_device_history},
      {"DELETE", "/v1/devices/{name}", Role::admin, remove_device},
      {"PATCH", "/v1/devices/{name}", Role::deployer, label_device},
      {"POST", "/v1/enroll-tokens", Role::admin, make_enroll_token},
      {"GET", "/v1/apps", Role::viewer, list_apps},
      {"GET", "/v1/apps/{app}/releases", Role::viewer, list_releases},
      {"GET", "/v1/apps/{app}/history", Role::viewer, show_release_history},
      {"GET", "/v1/apps/{app}/logs", Role::viewer, list_logs},
      {"GET", "/v1/apps/{app}/flights", Role::viewer, list_flights},
      {"GET", "/v1/blobs/{sha256}", Role::viewer, get_blob},
      {"GET", "/v1/metadata/{file}", Role::viewer, get_metadata},
      {"POST", "/v1/metadata", Role::deployer, upload_metadata},
      {"GET", "/v1/online-keys", Role::viewer, get_online_keys},
      {"POST", "/v1/online-keys/{role}", Role::admin, make_online_key},
      {"POST", "/v1/pushes", Role::deployer, push},
      {"POST", "/v1/orders", Role::deployer, order},
      {"GET", "/v1/rollouts", Role::viewer, list_rollouts},
      {"GET", "/v1/rollouts/{id}", Role::viewer, show_rollout},
      {"POST", "/v1/rollouts/{id}/abort", Role::deployer, abort_rollout},
      {"POST", "/v1/rollouts/{id}/pause", Role::deployer, pause_rollout},
      {"POST", "/v1/rollouts/{id}/resume", Role::deployer, resume_rollout},
      {"POST", "/v1/rollouts/{id}/retry", Role::deployer, retry_rollout},
      {"GET", "/v1/events", Role::viewer, follow_events},
      {"GET", "/v1/logs/stream", Role::viewer, follow_logs},
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
