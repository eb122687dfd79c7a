#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "controller/access.h"
#include "controller/api_routes.h"
#include "controller/config.h"
#include "fleet/v1/api.pb.h"
#include "proto/json.h"

namespace controller {
namespace {

using proto::Code;

constexpr int kNoLimit = std::numeric_limits<int>::max();
constexpr int kDevicesAtOnce = 64;

bool runs_what_is_wanted(const v1::Device& device) {
  for (const v1::DesiredApp& wish : device.desired()) {
    if (wish.run() != v1::RUN) continue;
    const auto app = std::find_if(device.apps().begin(), device.apps().end(),
                                  [&](const auto& status) { return status.app() == wish.app(); });
    if (app == device.apps().end() || app->live_release() != wish.release()) return false;
  }
  return true;
}

// "site=lyon role-"
std::string text_of(const v1::LabelChange& change) {
  std::map<std::string, std::string> sorted(change.set().begin(), change.set().end());
  std::string text;
  for (const auto& [name, value] : sorted) text += (text.empty() ? "" : " ") + name + "=" + value;
  for (const std::string& name : change.remove()) text += (text.empty() ? "" : " ") + name + "-";
  return text;
}

Result<v1::Device> to_api(Parts& parts, const DeviceRow& row, const Subject& subject) {
  v1::Device out;
  out.set_id(row.id);
  out.set_name(row.name);
  out.set_online(parts.fleet.is_online(row.id));
  out.set_seen_ms(static_cast<std::uint64_t>(row.seen_ms));
  for (const std::string& group : subject.groups) out.add_groups(group);
  for (const auto& [name, value] : subject.labels) (*out.mutable_labels())[name] = value;
  *out.mutable_inventory() = row.facts.inventory();
  *out.mutable_apps() = row.facts.apps();
  TRY(const auto desired, parts.store.desired(row.id));
  for (const v1::DesiredApp& wish : desired) {
    *out.add_desired() = wish;
    out.mutable_desired()->rbegin()->clear_sealed();  // of no use to anybody but the device
  }
  out.set_agent_version(row.agent_version);
  out.set_generation(static_cast<std::uint64_t>(row.generation));
  out.set_generation_applied(static_cast<std::uint64_t>(row.generation_applied));
  out.set_enrolled_ms(static_cast<std::uint64_t>(row.enrolled_ms));
  out.set_certificate_until_ms(static_cast<std::uint64_t>(row.certificate_until_ms));
  out.set_revoked(row.revoked);
  out.set_address(row.address);
  out.set_up_to_date(runs_what_is_wanted(out));
  *out.mutable_audit_head() = row.audit_head;
  out.set_sealing_key(row.sealing_key);
  TRY(const bool strange, parts.store.is_audit_stranger(row.id));
  out.set_audit_strange(strange);
  if (row.ahead_ms != 0) {
    out.mutable_ahead()->set_since_ms(static_cast<std::uint64_t>(row.ahead_ms));
    out.mutable_ahead()->set_text(row.ahead_text);
  }
  return out;
}

// What is told of one device alone: its apps' variables.
Result<v1::Device> in_full(Parts& parts, const DeviceRow& row) {
  TRY(const Subject subject, parts.store.subject(row.id));
  TRY(v1::Device out, to_api(parts, row, subject));
  std::set<std::string> apps;
  for (const v1::AppStatus& status : out.apps()) apps.insert(status.app());
  for (const v1::DesiredApp& wish : out.desired()) apps.insert(wish.app());
  Config config(parts.store, parts.fleet, parts.pushes);
  for (const std::string& app : apps) {
    auto values = config.show(subject, app);
    if (!values && values.error().code == Code::not_found) continue;  // of no release here
    if (!values) return values.error();
    if (values->values_size() > 0) *out.add_config() = std::move(*values);
  }
  return out;
}

/// Which devices a list is to have, by name.
struct DeviceQuestion {
  std::string selector = "all";
  std::string state;
  std::string after;      // names behind this one
  int limit = kNoLimit;   // so many at most
};

Result<DeviceQuestion> question_of(const Call& call) {
  DeviceQuestion question;
  const std::string selector = call.request.parameter("selector");
  if (!selector.empty()) question.selector = selector;
  question.state = call.request.parameter("state");
  if (!question.state.empty() && question.state != "online" && question.state != "offline") {
    return Error{Code::bad_argument, "state " + question.state + ": one of online, offline",
                 "state"};
  }
  question.after = call.request.parameter("after");
  const std::string limit = call.request.parameter("limit");
  if (limit.empty()) return question;
  const char* const end = limit.data() + limit.size();
  const auto [stop, error] = std::from_chars(limit.data(), end, question.limit);
  if (error == std::errc() && stop == end && question.limit >= 1) return question;
  return Error{Code::bad_argument, "limit " + limit + ": a number from 1", "limit"};
}

// Thousands of them hold up nobody: each few the loop has its turn, and who goes meanwhile is not
// in the list.
awaitable<Result<v1::DeviceList>> devices_of(Call& call, DeviceQuestion question) {
  Parts& parts = call.parts;
  CO_TRY(const Selector selector, parse_selector(question.selector));
  CO_TRY(const auto subjects, visible_devices(parts, call.caller));
  v1::DeviceList list;
  list.set_fleet_size(static_cast<std::uint32_t>(subjects.size()));
  bool matched = false;
  int looked_at = 0;
  for (const Subject& subject : subjects) {
    if (!selector.matches(subject)) continue;
    matched = true;
    const bool online = parts.fleet.is_online(subject.id);
    const bool asked = question.state.empty() || (question.state == "online") == online;
    if (!asked || subject.name <= question.after) continue;
    if (list.devices_size() == question.limit) break;
    if (++looked_at % kDevicesAtOnce == 0) co_await proto::sleep_ms(parts.clock, 1);
    CO_TRY(const auto row, parts.store.device(subject.id));
    if (!row || row->revoked) continue;
    CO_TRY(*list.add_devices(), to_api(parts, *row, subject));
  }
  if (!matched && !subjects.empty()) {
    const Suggestion suggestion = suggest(selector, question.selector, subjects);
    for (const std::string& word : suggestion.nearest) list.add_nearest(word);
    for (const std::string& word : suggestion.known) list.add_known_values(word);
  }
  co_return list;
}

}  // namespace

Result<DeviceRow> device_named(Parts& parts, const std::string& name) {
  TRY(auto row, parts.store.device_by_name(name));
  if (!row || row->revoked) {
    return Error{Code::not_found, "no device " + name + "; see: fleetctl devices", name};
  }
  return std::move(*row);
}

Result<v1::Device> device_as_listed(Parts& parts, const DeviceRow& row) {
  TRY(const Subject subject, parts.store.subject(row.id));
  return to_api(parts, row, subject);
}

awaitable<Response> list_devices(Call call) {
  auto question = question_of(call);
  if (!question) co_return error_response(question.error());
  const auto list = co_await devices_of(call, std::move(*question));
  if (!list) co_return error_response(list.error());
  co_return answer(*list);
}

awaitable<Response> show_device(Call call) {
  const auto row = device_named(call.parts, call.words[0]);
  if (!row) co_return error_response(row.error());
  const auto device = in_full(call.parts, *row);
  if (!device) co_return error_response(device.error());
  co_return answer(*device);
}

awaitable<Response> remove_device(Call call) {
  const auto row = device_named(call.parts, call.words[0]);
  if (!row) co_return error_response(row.error());
  const auto work = [&]() -> Status {
    Store::Transaction transaction(call.parts.store);
    TRY_VOID(call.parts.store.revoke_device(row->id));
    TRY_VOID(call.parts.fleet.note("device.removed", row->name + " was removed", call.caller.name,
                                   row->name));
    TRY_VOID(call.parts.fleet.audit().record({call.caller.name, "device.removed", row->name}));
    return transaction.commit();
  };
  const Status removed = work();
  if (!removed) co_return error_response(removed.error());
  call.parts.fleet.committed();
  call.parts.sessions.drop(row->id);
  if (call.parts.history != nullptr) call.parts.history->forget(row->id);
  co_await call.parts.flights.forget_device(row->id);
  co_return json_response("", 204);
}

awaitable<Response> label_device(Call call) {
  const auto row = device_named(call.parts, call.words[0]);
  if (!row) co_return error_response(row.error());
  const auto change = proto::from_json<v1::LabelChange>(call.request.body);
  if (!change) co_return error_response(change.error());
  const auto work = [&]() -> Status {
    Store::Transaction transaction(call.parts.store);
    for (const auto& [name, value] : change->set()) {
      TRY_VOID(check_label(name, value));
      TRY_VOID(call.parts.store.set_label(row->id, name, value));
    }
    for (const std::string& name : change->remove()) {
      TRY_VOID(call.parts.store.remove_label(row->id, name));
    }
    TRY_VOID(call.parts.fleet.audit().record(
        {call.caller.name, "device.labelled", row->name, text_of(*change)}));
    TRY(const Subject subject, call.parts.store.subject(row->id));
    TRY_VOID(call.parts.fleet.relabelled(subject));
    return transaction.commit();
  };
  const Status changed = work();
  if (!changed) co_return error_response(changed.error());
  call.parts.fleet.committed();
  co_return co_await show_device(std::move(call));
}

awaitable<Response> make_enroll_token(Call call) {
  const auto request = proto::from_json<v1::EnrollTokenRequest>(call.request.body);
  if (!request) co_return error_response(request.error());
  const Status may = check_group(call.caller, request->group());
  if (!may) co_return error_response(may.error());
  const auto token = call.parts.enrolment.make_token(*request, call.caller.name);
  if (!token) co_return error_response(token.error());
  co_return answer(*token, 201);
}

}  // namespace controller
