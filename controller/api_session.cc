// Logging in and out of the dashboard: /v1/session, the one route that needs no token.
#include "controller/api.h"
#include "fleet/v1/api.pb.h"
#include "ota/hash.h"
#include "proto/json.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

// `__Host-`: the browser takes it only from this very host, over TLS, for all of its paths.
std::string cookie_header(const std::string& value, std::int64_t seconds) {
  return std::string(kSessionCookie) + "=" + value + "; Path=/; Secure; HttpOnly; " +
         "SameSite=Strict; Max-Age=" + std::to_string(seconds);
}

Response refused_login(const Error& error) {
  Response response = error_response(error);
  if (error.code == Code::unavailable) {
    response.status = 429;
    response.headers["Retry-After"] = std::to_string(kLoginFailures_ms / 1000);
  }
  return response;
}

Response session_answer(const Caller& caller, const std::string& cookie, std::int64_t until_ms,
                        int status) {
  v1::BrowserSession session;
  session.set_name(caller.name);
  session.set_role(word_of(caller.role));
  session.set_csrf(BrowserSessions::csrf_of(cookie));
  session.set_until_ms(static_cast<std::uint64_t>(until_ms));
  return answer(session, status);
}

}  // namespace

// A page of another site cannot send the header, so it cannot log anybody in either.
Result<BrowserSessions::Begun> OperatorApi::log_in(const Request& request, Caller& caller) {
  TRY_VOID(browsers_.may_try(request.remote_address));
  if (request.csrf.empty()) {
    return Error{Code::forbidden, "a login needs the header X-CSRF-Token, with any value", ""};
  }
  TRY(const auto login, proto::from_json<v1::LoginRequest>(request.body));
  auto known = caller_with(parts_, ota::hash_token(login.token()).hex());
  if (!known && known.error().code == Code::unauthenticated) {
    browsers_.count_failure(request.remote_address);
    parts_.fleet.audit().refused(request.remote_address);
    proto::log_warning("login.refused", {{"from", request.remote_address}});
  }
  TRY(caller, known);
  proto::log_info("login.accepted", {{"name", caller.name}, {"from", request.remote_address}});
  return browsers_.begin(caller.token_hash);
}

Response OperatorApi::session(const Request& request) {
  if (request.method == "POST") {
    Caller caller;
    const auto begun = log_in(request, caller);
    if (!begun) return refused_login(begun.error());
    Response response = session_answer(caller, begun->cookie, begun->until_ms, 201);
    response.headers["Set-Cookie"] = cookie_header(begun->cookie, kBrowserSession_ms / 1000);
    return response;
  }
  if (request.method != "GET" && request.method != "DELETE") {
    Response response = error_response(
        Error{Code::bad_argument, request.method + " is not a method of /v1/session", ""});
    response.status = 405;
    return response;
  }
  const auto caller = caller_of(request);
  if (!caller) return error_response(caller.error());
  if (request.cookie.empty()) {
    return error_response(Error{Code::not_found, "there is no browser's session here", ""});
  }
  if (request.method == "DELETE") {
    const Status ended = browsers_.end(request.cookie);
    if (!ended) return error_response(ended.error());
    Response response = json_response("", 204);
    response.headers["Set-Cookie"] = cookie_header("", 0);
    return response;
  }
  const auto found = browsers_.find(request.cookie);
  if (!found) return error_response(found.error());
  return session_answer(*caller, request.cookie, *found ? (*found)->until_ms : 0, 200);
}

}  // namespace controller
