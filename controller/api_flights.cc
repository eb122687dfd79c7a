#include <algorithm>
#include <charconv>
#include <map>

#include "controller/access.h"
#include "controller/api_routes.h"
#include "fleet/v1/api.pb.h"

namespace controller {
namespace {

using proto::Code;

// A positive number in the query; `otherwise` when it is not there.
Result<std::uint64_t> number_of(const Call& call, const std::string& name,
                                std::uint64_t otherwise) {
  const std::string text = call.request.parameter(name);
  if (text.empty()) return otherwise;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    return Error{Code::bad_argument, name + " " + text + ": a number from 1", name};
  }
  return number;
}

Result<FlightQuestion> question_of(Call& call) {
  FlightQuestion question;
  question.app = call.words[0];
  const std::string device = call.request.parameter("device");
  if (!call.caller.groups.empty()) {
    question.among.emplace();
    TRY(const auto seen, visible_devices(call.parts, call.caller));
    for (const Subject& subject : seen) question.among->insert(subject.id);
  }
  if (!device.empty()) {
    TRY_VOID(check_reach(call.parts, call.caller, Reach::device, {device}));
    TRY(const DeviceRow row, device_named(call.parts, device));
    question.device_id = row.id;
  }
  TRY(question.release, number_of(call, "release", 0));
  TRY(const std::uint64_t last, number_of(call, "last", question.last));
  question.last = static_cast<std::size_t>(last);
  return question;
}

Result<v1::FlightList> to_api(Parts& parts, FlightAnswer answer) {
  v1::FlightList list;
  std::map<std::string, std::string> names;
  for (FlightAnswer::Flight& flight : answer.flights) {
    std::string& name = names[flight.device_id];
    if (name.empty()) {
      TRY(const auto row, parts.store.device(flight.device_id));
      if (!row || row->revoked) continue;  // removed meanwhile
      name = row->name;
    }
    v1::Flight& out = *list.add_flights();
    out.set_device(name);
    out.set_received_ms(static_cast<std::uint64_t>(flight.received_ms));
    *out.mutable_record() = std::move(flight.record);
  }
  for (const auto& [fingerprint, devices] : answer.devices) {
    v1::FaultCount& fault = *list.add_faults();
    fault.set_fingerprint(fingerprint);
    fault.set_devices(static_cast<std::uint32_t>(devices));
  }
  list.set_kept(static_cast<std::uint32_t>(answer.kept));
  return list;
}

}  // namespace

awaitable<Response> list_flights(Call call) {
  auto question = question_of(call);
  if (!question) co_return error_response(question.error());
  FlightAnswer found = co_await call.parts.flights.find(std::move(*question));
  const auto list = to_api(call.parts, std::move(found));
  if (!list) co_return error_response(list.error());
  co_return answer(*list);
}

}  // namespace controller
