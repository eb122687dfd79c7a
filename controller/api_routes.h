// The operators' routes as one table, and what a route's handler is given. The table is the
// product's surface on one page; proto/fleet/v1/api.proto describes the messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/api.h"

namespace controller {

/// One request that passed its route's role. `words` are the parts of the path that the pattern
/// leaves open, in order.
struct Call {
  Parts& parts;
  Caller caller;
  Request request;
  std::vector<std::string> words;
};

/// What a route touches, for tokens that are bound to groups (controller/access). Who adds a route
/// says nothing only if such tokens are to be refused.
enum class Reach {
  fleet,          // the whole fleet: refused
  device,         // the device that its path names
  rollout,        // the rollout that its path names, to look at
  whole_rollout,  // that rollout, to change: all its devices
  narrowed,       // its handler asks controller/access for what it shows or touches
};

struct Route {
  const char* method;
  const char* pattern;  // "/v1/devices/{name}"
  Role least;
  awaitable<Response> (*handler)(Call call);
  Reach reach = Reach::fleet;
};

/// A device that is still of the fleet. errors not_found
Result<DeviceRow> device_named(Parts& parts, const std::string& name);
/// As lists show it.
Result<v1::Device> device_as_listed(Parts& parts, const DeviceRow& row);

/// The apps, with counts of the devices that the caller sees.
Result<v1::AppList> apps_of(Call& call);

/// Those that reach a device which the caller sees, without their devices.
Result<v1::RolloutList> rollouts_for(Call& call, const std::vector<rollout::Rollout>& rollouts);
/// A rollout with its devices, as the caller may see it.
Result<v1::Rollout> shown(Call& call, const rollout::Rollout& rollout);

std::vector<Route> operator_routes();
bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& words);

// api_devices.cc
awaitable<Response> list_devices(Call call);
awaitable<Response> show_device(Call call);
awaitable<Response> remove_device(Call call);
awaitable<Response> label_device(Call call);
awaitable<Response> make_enroll_token(Call call);

// api_ahead.cc
awaitable<Response> accept_devices(Call call);

// api_fleet.cc
awaitable<Response> show_fleet(Call call);
awaitable<Response> list_summaries(Call call);
awaitable<Response> show_device_history(Call call);
awaitable<Response> show_release_history(Call call);
// api_audit.cc
awaitable<Response> list_audit(Call call);
awaitable<Response> accept_audit(Call call);

// api_metrics.cc
awaitable<Response> show_metrics(Call call);
awaitable<Response> show_openapi(Call call);

// why_facts.cc
awaitable<Response> show_why(Call call);

// api_tokens.cc
awaitable<Response> list_tokens(Call call);
awaitable<Response> create_token(Call call);
awaitable<Response> revoke_token(Call call);
awaitable<Response> whoami(Call call);

// api_flights.cc
awaitable<Response> list_flights(Call call);

// api_releases.cc
awaitable<Response> list_apps(Call call);
awaitable<Response> list_releases(Call call);
awaitable<Response> get_blob(Call call);
/// Uploads go into a sink before any handler is asked (OperatorApi::start_upload).
awaitable<Response> put_blob(Call call);
awaitable<Response> get_metadata(Call call);
awaitable<Response> get_online_keys(Call call);
awaitable<Response> make_online_key(Call call);
awaitable<Response> upload_metadata(Call call);

// api_config.cc
awaitable<Response> list_config(Call call);
awaitable<Response> change_config(Call call);

// api_rollouts.cc
awaitable<Response> push(Call call);
awaitable<Response> order(Call call);
awaitable<Response> list_rollouts(Call call);
awaitable<Response> show_rollout(Call call);
awaitable<Response> abort_rollout(Call call);
awaitable<Response> pause_rollout(Call call);
awaitable<Response> resume_rollout(Call call);
awaitable<Response> retry_rollout(Call call);
awaitable<Response> follow_events(Call call);
awaitable<Response> list_logs(Call call);
awaitable<Response> follow_logs(Call call);

// api_status.cc
awaitable<Response> show_status(Call call);

}  // namespace controller
