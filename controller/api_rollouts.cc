#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "controller/access.h"
#include "controller/api_routes.h"
#include "fleet/v1/api.pb.h"
#include "proto/json.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::int64_t kRolloutsListed = 100;
constexpr std::int64_t kFreshConsoleMs = 2000;
constexpr std::int64_t kFreshConsoleWaitMs = 400;

// "r-7"
Result<std::int64_t> number_of(const std::string& id) {
  std::int64_t number = 0;
  const char* const end = id.data() + id.size();
  const bool prefixed = id.rfind("r-", 0) == 0;
  const auto [after, error] = std::from_chars(id.data() + (prefixed ? 2 : 0), end, number);
  if (!prefixed || error != std::errc() || after != end || number < 1) {
    return Error{Code::bad_argument, "rollout " + id + ": ids look like r-7", id};
  }
  return number;
}

Response rollout_answer(Call& call, const Result<rollout::Rollout>& rollout, int status) {
  if (!rollout) return error_response(rollout.error());
  const auto out = shown(call, *rollout);
  if (!out) return error_response(out.error());
  return answer(*out, status);
}

// A person's word on the rollout that the path names.
Response obey(Call& call, Result<rollout::Rollout> (Fleet::*word)(std::int64_t,
                                                                  const std::string&)) {
  const auto number = number_of(call.words[0]);
  if (!number) return error_response(number.error());
  return rollout_answer(call, (call.parts.fleet.*word)(*number, call.caller.name), 200);
}

// A selector that was understood and matches nothing is told with what there is instead.
Response begun_answer(Call& call, const Result<rollout::Rollout>& begun,
                      std::vector<std::string> nearest) {
  if (begun) return rollout_answer(call, begun, 201);
  Response response = error_response(begun.error(), std::move(nearest));
  if (begun.error().element == "selector" && response.status == 404) response.status = 422;
  return response;
}

Result<rollout::Rollout> find(Parts& parts, const std::string& id) {
  TRY(const std::int64_t number, number_of(id));
  TRY(const auto rollout, parts.store.rollout(number));
  if (!rollout) return Error{Code::not_found, "no rollout " + id + "; see: fleetctl rollouts", id};
  return *rollout;
}

Response feed_answer(std::unique_ptr<Feed> feed) {
  Response response;
  response.content_type = "text/event-stream";
  response.feed = std::move(feed);
  return response;
}

std::optional<std::int64_t> number_in(const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || after != end || number < 0) return std::nullopt;
  return number;
}

// Where a follower begins: behind the last event it saw, with the newest N, or from now on.
Result<std::int64_t> begin_after(Call& call, const EventFilter& filter) {
  const std::string after = call.request.parameter("after");
  if (const auto seen = number_in(call.request.last_event_id)) return *seen;
  if (const auto asked = number_in(after)) return *asked;
  if (const auto recent = number_in(call.request.parameter("recent"))) {
    return call.parts.events.before_recent(filter, std::min<std::int64_t>(*recent, 1000));
  }
  return call.parts.events.last_id();
}

Result<std::vector<std::string>> names_of(Call& call) {
  std::string text = call.request.parameter("selector");
  if (text.empty()) text = "all";
  TRY(const auto devices, selected_devices(call.parts, call.caller, text));
  std::vector<std::string> names;
  for (const Subject& device : devices) names.push_back(device.name);
  return names;
}

Asker asker(const Call& call) { return {call.caller.name, call.caller.groups}; }

}  // namespace

Result<v1::RolloutList> rollouts_for(Call& call, const std::vector<rollout::Rollout>& rollouts) {
  v1::RolloutList list;
  for (const rollout::Rollout& rollout : rollouts) {
    if (!check_reach(call.parts, call.caller, Reach::rollout, {rollout.id()})) continue;
    v1::Rollout& out = *list.add_rollouts();
    out = to_api(rollout);
    TRY_VOID(narrow(call.parts, call.caller, out));
  }
  return list;
}

Result<v1::Rollout> shown(Call& call, const rollout::Rollout& rollout) {
  Parts& parts = call.parts;
  v1::Rollout out = to_api(rollout);
  TRY(const auto devices, parts.store.rollout_devices(rollout.number));
  for (const rollout::Device& device : devices) *out.add_devices() = device.row;
  TRY(const std::int64_t last, parts.events.last_id());
  out.set_last_event(static_cast<std::uint64_t>(last));
  TRY_VOID(narrow(parts, call.caller, out));
  return out;
}

awaitable<Response> push(Call call) {
  const auto request = proto::from_json<v1::PushRequest>(call.request.body);
  if (!request) co_return error_response(request.error());
  std::vector<std::string> nearest;
  const auto begun = call.parts.pushes.accept_push(*request, asker(call),
                                                   call.request.idempotency_key,
                                                   call.request.body, nearest);
  call.parts.metrics.count_push(begun.has_value());
  co_return begun_answer(call, begun, std::move(nearest));
}

awaitable<Response> order(Call call) {
  const auto request = proto::from_json<v1::OrderRequest>(call.request.body);
  if (!request) co_return error_response(request.error());
  std::vector<std::string> nearest;
  const auto begun = call.parts.pushes.accept_order(*request, asker(call), nearest);
  co_return begun_answer(call, begun, std::move(nearest));
}

awaitable<Response> list_rollouts(Call call) {
  const auto rollouts = call.parts.store.rollouts(kRolloutsListed);
  if (!rollouts) co_return error_response(rollouts.error());
  const auto list = rollouts_for(call, *rollouts);
  if (!list) co_return error_response(list.error());
  co_return answer(*list);
}

awaitable<Response> show_rollout(Call call) {
  co_return rollout_answer(call, find(call.parts, call.words[0]), 200);
}

awaitable<Response> abort_rollout(Call call) { co_return obey(call, &Fleet::abort); }

awaitable<Response> pause_rollout(Call call) { co_return obey(call, &Fleet::pause); }

awaitable<Response> resume_rollout(Call call) { co_return obey(call, &Fleet::resume); }

awaitable<Response> retry_rollout(Call call) {
  const auto number = number_of(call.words[0]);
  if (!number) co_return error_response(number.error());
  v1::RetryRequest request;
  if (!call.request.body.empty()) {
    auto read = proto::from_json<v1::RetryRequest>(call.request.body);
    if (!read) co_return error_response(read.error());
    request = std::move(*read);
  }
  const auto retried =
      call.parts.fleet.retry(*number, request.device(), call.caller.name);
  co_return rollout_answer(call, retried, 200);
}

awaitable<Response> follow_events(Call call) {
  EventFilter filter;
  filter.app = call.request.parameter("app");
  filter.device = call.request.parameter("device");
  const std::string id = call.request.parameter("rollout");
  if (!id.empty()) {
    const auto number = number_of(id);
    if (!number) co_return error_response(number.error());
    filter.rollout = *number;
  }
  const auto after = begin_after(call, filter);
  if (!after) co_return error_response(after.error());
  Parts& parts = call.parts;
  const Caller caller = call.caller;
  auto shown = [&parts, caller](v1::Event& event) { return narrow(parts, caller, event); };
  co_return feed_answer(parts.events.follow(filter, *after, std::move(shown)));
}

awaitable<Response> list_logs(Call call) {
  const std::string device = call.request.parameter("device");
  const std::string app = call.words[0];
  const auto release = number_in(call.request.parameter("release"));
  std::vector<std::string> names{device};
  if (device.empty()) {
    const auto all = names_of(call);
    if (!all) co_return error_response(all.error());
    names = *all;
  } else if (const Status seen = check_reach(call.parts, call.caller, Reach::device, {device});
             !seen) {
    co_return error_response(seen.error());
  }
  // What runs now is asked for its newest lines first; who is offline has what was kept.
  for (const std::string& name : names) call.parts.sessions.ask_console(name, app, kFreshConsoleMs);
  co_await proto::sleep_ms(call.parts.clock, kFreshConsoleWaitMs);
  v1::LogList list;
  for (const std::string& name : names) {
    const v1::LogList kept = call.parts.consoles.kept(
        app, name, static_cast<std::uint64_t>(release.value_or(0)));
    list.MergeFrom(kept);
  }
  co_return answer(list);
}

awaitable<Response> follow_logs(Call call) {
  const std::string app = call.request.parameter("app");
  const auto names = names_of(call);
  if (!names) co_return error_response(names.error());
  auto feed = call.parts.consoles.follow(app, *names);
  for (const std::string& name : *names) call.parts.sessions.ask_console(name, app, 60000);
  co_return feed_answer(std::move(feed));
}

}  // namespace controller
