// The fleet as a page shows it: counts, rows and histories.
#include <algorithm>
#include <charconv>
#include <sstream>

#include "controller/access.h"
#include "controller/api_routes.h"
#include "controller/device_history.h"
#include "controller/overview.h"
#include "controller/release_history.h"
#include "fleet/v1/api.pb.h"
#include "proto/json.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::int64_t kHour_ms = 60 * 60 * 1000;
constexpr std::int64_t kHistoryHours = 90 * 24;
constexpr std::int64_t kRolloutsLookedAt = 100;

// A number in the query, 1 to `most`; `otherwise` when it is not there.
Result<std::int64_t> number_of(const Call& call, const std::string& name, std::int64_t otherwise,
                               std::int64_t most) {
  const std::string text = call.request.parameter(name);
  if (text.empty()) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 1 && number <= most) {
    return number;
  }
  return Error{Code::bad_argument,
               name + " " + text + ": a number from 1 to " + std::to_string(most), name};
}

Result<SummaryQuestion> question_of(const Call& call) {
  SummaryQuestion question;
  question.groups = call.caller.groups;
  question.selector = call.request.parameter("selector");
  question.search = call.request.parameter("search");
  TRY(const std::int64_t limit,
      number_of(call, "limit", static_cast<std::int64_t>(question.limit), 20000));
  question.limit = static_cast<std::size_t>(limit);
  std::istringstream words(call.request.parameter("state"));
  for (std::string word; std::getline(words, word, ',');) {
    const auto known = {"online", "offline", "ok", "updating", "look", "bad"};
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      return Error{Code::bad_argument,
                   "state " + word + ": any of online, offline, ok, updating, look, bad", "state"};
    }
    question.states.push_back(word);
  }
  return question;
}

// What an overview says of rollouts, as the caller sees them.
Status narrow_rollouts(const Call& call, v1::FleetOverview& out) {
  const auto sees = [&call](const std::string& id) {
    return check_reach(call.parts, call.caller, Reach::rollout, {id}).has_value();
  };
  google::protobuf::RepeatedPtrField<v1::Rollout> running;
  for (v1::Rollout& rollout : *out.mutable_running()) {
    if (!sees(rollout.id())) continue;
    TRY_VOID(narrow(call.parts, call.caller, rollout));
    running.Add(std::move(rollout));
  }
  out.mutable_running()->Swap(&running);
  if (!out.has_last()) return {};
  if (sees(out.last().id())) return narrow(call.parts, call.caller, *out.mutable_last());
  out.clear_last();
  TRY(const auto rollouts, call.parts.store.rollouts(kRolloutsLookedAt));
  const auto own = std::find_if(rollouts.begin(), rollouts.end(),
                                [&sees](const auto& rollout) { return sees(rollout.id()); });
  if (own == rollouts.end()) return {};
  *out.mutable_last() = to_api(*own);
  return narrow(call.parts, call.caller, *out.mutable_last());
}

// A list of many is half as long without what is 0 or empty.
Response terse_answer(const google::protobuf::Message& message) {
  Result<std::string> json = proto::to_json(message, {.pretty = false, .defaults = false});
  return json ? json_response(std::move(*json)) : error_response(json.error());
}

}  // namespace

awaitable<Response> show_fleet(Call call) {
  auto overview = call.parts.overview->look(call.request.parameter("by"), call.caller.groups);
  if (!overview) co_return error_response(overview.error());
  if (!call.caller.groups.empty()) {
    const Status narrowed = narrow_rollouts(call, *overview);
    if (!narrowed) co_return error_response(narrowed.error());
  }
  co_return terse_answer(*overview);
}

awaitable<Response> list_summaries(Call call) {
  const auto question = question_of(call);
  if (!question) co_return error_response(question.error());
  const auto list = call.parts.overview->list(*question);
  if (!list) co_return error_response(list.error());
  co_return terse_answer(*list);
}

awaitable<Response> show_device_history(Call call) {
  const auto row = device_named(call.parts, call.words[0]);
  if (!row) co_return error_response(row.error());
  if (call.parts.history == nullptr) co_return answer(v1::DeviceHistory());
  const auto history = call.parts.history->of(row->id);
  if (!history) co_return error_response(history.error());
  co_return answer(*history);
}

awaitable<Response> show_release_history(Call call) {
  const auto hours = number_of(call, "hours", 24, kHistoryHours);
  if (!hours) co_return error_response(hours.error());
  const std::int64_t now_ms = call.parts.clock.wall_ms();
  const auto history =
      release_history(call.parts.store, {call.words[0], call.caller.groups},
                      now_ms - *hours * kHour_ms, now_ms);
  if (!history) co_return error_response(history.error());
  co_return answer(*history);
}

}  // namespace controller
