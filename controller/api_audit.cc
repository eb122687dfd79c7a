#include <algorithm>
#include <charconv>

#include "controller/api_routes.h"
#include "fleet/v1/api.pb.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::int64_t kPage = 100;
constexpr std::int64_t kMaxPage = 1000;

// A positive number in the query; `otherwise` when it is not there.
Result<std::int64_t> number_of(const Call& call, const char* name, std::int64_t otherwise) {
  const std::string text = call.request.parameter(name);
  if (text.empty()) return otherwise;
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || after != end || number < 1) {
    return Error{Code::bad_argument, std::string(name) + " " + text + ": a number from 1", name};
  }
  return number;
}

Result<v1::AuditPage> page_of(const Call& call) {
  Store::AuditQuestion question;
  TRY(question.limit, number_of(call, "limit", kPage));
  question.limit = std::min(question.limit, kMaxPage);
  TRY(question.before, number_of(call, "before", question.before));
  question.who = call.request.parameter("who");
  question.action = call.request.parameter("action");
  question.object = call.request.parameter("object");
  v1::AuditPage page;
  TRY(auto entries, call.parts.store.audit(question));
  for (v1::AuditEntry& entry : entries) *page.add_entries() = std::move(entry);
  TRY(*page.mutable_head(), call.parts.store.audit_head());
  return page;
}

// A person decided: the heads that are not of this log are known to be of an older backup.
Result<v1::AuditAccepted> accept(const Call& call) {
  Store& store = call.parts.store;
  v1::AuditAccepted accepted;
  TRY(const auto strangers, store.audit_strangers());
  if (strangers.empty()) return accepted;
  std::string names;
  for (const std::string& name : strangers) {
    accepted.add_devices(name);
    names += (names.empty() ? "" : " ") + name;
  }
  Store::Transaction transaction(store);
  TRY_VOID(store.accept_audit_strangers());
  TRY_VOID(call.parts.fleet.audit().record(
      {call.caller.name, "audit.accepted", std::to_string(strangers.size()) + " devices", names}));
  TRY_VOID(transaction.commit());
  return accepted;
}

}  // namespace

awaitable<Response> list_audit(Call call) {
  const auto page = page_of(call);
  if (!page) co_return error_response(page.error());
  co_return answer(*page);
}

awaitable<Response> accept_audit(Call call) {
  const auto accepted = accept(call);
  if (!accepted) co_return error_response(accepted.error());
  co_return answer(*accepted);
}

}  // namespace controller
