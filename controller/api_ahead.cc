// POST /v1/devices/accept: a person decides on devices that are ahead of this controller.
#include "controller/access.h"
#include "controller/api_routes.h"
#include "fleet/v1/api.pb.h"
#include "proto/json.h"

namespace controller {
namespace {

Result<v1::AcceptResult> accept(Call& call) {
  TRY(const auto request, proto::from_json<v1::AcceptRequest>(call.request.body));
  if (request.selector().empty()) {
    return Error{proto::Code::bad_argument, "selector: which devices? `all` is all that are ahead",
                 "selector"};
  }
  TRY(const auto devices, selected_devices(call.parts, call.caller, request.selector()));
  return call.parts.fleet.accept(devices, call.caller.name);
}

}  // namespace

awaitable<Response> accept_devices(Call call) {
  const auto accepted = accept(call);
  if (!accepted) co_return error_response(accepted.error());
  co_return answer(*accepted);
}

}  // namespace controller
