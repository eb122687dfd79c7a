// What an app's variables are on devices, and new values for them.
#include <set>
#include <utility>

#include "controller/access.h"
#include "controller/api_routes.h"
#include "controller/config.h"
#include "fleet/v1/api.pb.h"
#include "proto/json.h"

namespace controller {
namespace {

Result<v1::ConfigList> config_of(Call& call) {
  std::string text = call.request.parameter("selector");
  if (text.empty()) text = "all";
  TRY(const Selector selector, parse_selector(text));
  TRY(const auto subjects, visible_devices(call.parts, call.caller));
  Config config(call.parts.store, call.parts.fleet, call.parts.pushes);
  v1::ConfigList list;
  for (const Subject& subject : subjects) {
    if (!selector.matches(subject)) continue;
    TRY(*list.add_devices(), config.show(subject, call.words[0]));
  }
  return list;
}

Result<v1::ConfigAnswer> told(Call& call, const Config::Changed& changed) {
  v1::ConfigAnswer out;
  out.set_devices(changed.devices);
  out.set_changed(changed.changed);
  if (changed.rollout == 0) return out;
  TRY(const auto rollout, call.parts.store.rollout(changed.rollout));
  FLEET_ASSERT(rollout.has_value());
  TRY(*out.mutable_rollout(), shown(call, *rollout));
  return out;
}

}  // namespace

awaitable<Response> list_config(Call call) {
  const auto list = config_of(call);
  if (!list) co_return error_response(list.error());
  co_return answer(*list);
}

awaitable<Response> change_config(Call call) {
  const auto request = proto::from_json<v1::ConfigChange>(call.request.body);
  if (!request) co_return error_response(request.error());
  Config config(call.parts.store, call.parts.fleet, call.parts.pushes);
  std::vector<std::string> nearest;
  const auto changed = config.change(call.words[0], *request,
                                     {call.caller.name, call.caller.groups}, nearest);
  if (!changed) {
    Response response = error_response(changed.error(), std::move(nearest));
    if (changed.error().element == "selector" && response.status == 404) response.status = 422;
    co_return response;
  }
  const auto out = told(call, *changed);
  if (!out) co_return error_response(out.error());
  co_return answer(*out, changed->rollout != 0 ? 201 : 200);
}

}  // namespace controller
