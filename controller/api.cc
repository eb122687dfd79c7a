#include "controller/api.h"

#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "controller/access.h"
#include "controller/api_routes.h"
#include "controller/embedded.h"
#include "fleet/v1/api.pb.h"
#include "ota/hash.h"
#include "proto/json.h"
#include "proto/limits.h"

namespace controller {

using proto::Code;

namespace {

constexpr std::string_view kBlobs = "/v1/blobs/";

std::string type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/javascript; charset=utf-8";
}

// Addresses of the one page, which shows what its address names.
bool is_page(const std::string& path) {
  if (path == "/") return true;
  const std::string first = path.substr(1, path.find('/', 1) - 1);
  for (const char* name : {"rollouts", "devices", "apps", "audit"}) {
    if (first == name) return true;
  }
  return false;
}

// The dashboard's files need no token; what they show does.
std::optional<Response> dashboard(const std::string& path) {
  const std::string name = is_page(path) ? "index.html" : path.substr(1);
  for (std::size_t i = 0; i < kDashboardFiles_count; ++i) {
    if (name != kDashboardFiles[i].name) continue;
    Response response;
    response.body = std::string(kDashboardFiles[i].text());
    response.content_type = type_of(name);
    response.headers["Content-Security-Policy"] =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'";
    response.headers["X-Frame-Options"] = "DENY";
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()";
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin";
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin";
    response.headers["Referrer-Policy"] = "no-referrer";
    return response;
  }
  return std::nullopt;
}

/// One blob on its way in; dropped half-way it leaves a partial that the next upload goes over.
class BlobUpload final : public Upload {
 public:
  BlobUpload(Parts& parts, std::set<std::string>& uploading, ota::Partial partial)
      : parts_(parts),
        uploading_(uploading),
        name_(partial.blob().digest.hex()),
        partial_(std::move(partial)) {
    uploading_.insert(name_);
  }
  ~BlobUpload() override { uploading_.erase(name_); }
  BlobUpload(const BlobUpload&) = delete;
  BlobUpload& operator=(const BlobUpload&) = delete;

  Status write(std::span<const std::byte> bytes) override { return partial_->append(bytes); }

  awaitable<Response> finish() override {
    auto work = [this]() { return parts_.blobs.finish(std::move(*partial_)); };
    const Status finished = co_await proto::run_blocking(parts_.hashing, work);
    Response response =
        finished ? json_response("{}", 201) : error_response(finished.error());
    parts_.metrics.count_request({"/v1/blobs/{sha256}", "PUT", response.status, 0, true});
    co_return response;
  }

 private:
  Parts& parts_;
  std::set<std::string>& uploading_;
  std::string name_;
  std::optional<ota::Partial> partial_;
};

Response file_answer(Result<ota::Fd> file) {
  if (!file) return error_response(file.error());
  const auto size = ota::size_of(*file);
  if (!size) return error_response(size.error());
  Response response;
  response.content_type = "application/octet-stream";
  response.file = FileBody{std::move(*file), *size};
  return response;
}

/// A stream that ends with its token: what was revoked or expired hears nothing more.
class GuardedFeed final : public Feed {
 public:
  GuardedFeed(std::unique_ptr<Feed> feed, Parts& parts, std::string token_hash)
      : feed_(std::move(feed)), parts_(parts), token_hash_(std::move(token_hash)) {}

  awaitable<Result<std::string>> next(proto::Deadline deadline) override {
    auto piece = co_await feed_->next(deadline);
    const auto caller = caller_with(parts_, token_hash_);
    if (caller) co_return piece;
    if (caller.error().code != Code::unauthenticated) co_return caller.error();
    co_return Error{Code::unauthenticated, "the token of this stream is good no more", ""};
  }

 private:
  std::unique_ptr<Feed> feed_;
  Parts& parts_;
  std::string token_hash_;
};

}  // namespace

Result<Caller> caller_with(Parts& parts, std::string token_hash) {
  TRY(const auto token, parts.store.api_token(token_hash));
  if (!token) return Error{Code::unauthenticated, "this token is not known here", ""};
  if (token->expires_ms != 0 && parts.clock.wall_ms() >= token->expires_ms) {
    return Error{Code::unauthenticated, "this token has expired", ""};
  }
  return Caller{token->name, role_of(token->role), token->groups, token->expires_ms,
                std::move(token_hash)};
}

Role role_of(const std::string& word) {
  if (word == "admin") return Role::admin;
  if (word == "deployer") return Role::deployer;
  return word == "viewer" ? Role::viewer : Role::nobody;
}

const char* word_of(Role role) {
  switch (role) {
    case Role::admin: return "admin";
    case Role::deployer: return "deployer";
    case Role::viewer: return "viewer";
    case Role::nobody: return "nobody";
  }
  return "nobody";
}

Response answer(const google::protobuf::Message& message, int status) {
  Result<std::string> json = proto::to_json(message);
  if (!json) return error_response(json.error());
  return json_response(std::move(*json), status);
}

Response blob_answer(ota::Blobs& blobs, const std::string& name) {
  const auto digest = ota::Sha256::from_hex(name);
  if (!digest) return error_response(digest.error());
  return file_answer(blobs.open(*digest));
}

Response metadata_answer(Metadata& metadata, const std::string& name) {
  auto file = metadata.file(name);
  if (!file) return error_response(file.error());
  if (!*file) return error_response(Error{Code::not_found, "no metadata file " + name, name});
  return json_response(std::move(**file));
}

struct OperatorApi::Routes {
  std::vector<Route> list;
};

OperatorApi::OperatorApi(Parts parts)
    : parts_(parts),
      browsers_(parts.store, parts.clock),
      overview_(parts.store, parts.fleet, parts.metadata),
      routes_(std::make_unique<Routes>(Routes{operator_routes()})) {
  parts_.overview = &overview_;
}
OperatorApi::~OperatorApi() = default;

Result<Caller> OperatorApi::caller_of(const Request& request) {
  std::string hash;
  if (!request.bearer.empty()) {
    hash = ota::hash_token(request.bearer).hex();
  } else if (!request.cookie.empty()) {
    TRY(const auto session, browsers_.find(request.cookie));
    if (!session) return Error{Code::unauthenticated, "this session is over; log in again", ""};
    const bool reads = request.method == "GET" || request.method == "HEAD";
    const std::string want = BrowserSessions::csrf_of(request.cookie);
    if (!reads && !ota::equal_constant_time(request.csrf, want)) {
      return Error{Code::forbidden,
                   "a change from a browser needs its session's token in X-CSRF-Token", ""};
    }
    hash = session->token_hash;
  } else {
    return Error{Code::unauthenticated,
                 "this needs a token: log in with fleetctl login URL --token-file F", ""};
  }
  auto caller = caller_with(parts_, std::move(hash));
  if (caller || caller.error().code != Code::unauthenticated) return caller;
  return Error{Code::unauthenticated,
               caller.error().what + "; log in again: fleetctl login URL --token-file F", ""};
}

bool OperatorApi::is_upload(const Request& head) const {
  return head.method == "PUT" && head.path.rfind(kBlobs, 0) == 0;
}

awaitable<UploadStart> OperatorApi::start_upload(Request head) {
  const auto refuse = [](const Error& error) {
    UploadStart start;
    start.refusal = error_response(error);
    return start;
  };
  const auto caller = caller_of(head);
  if (!caller) co_return refuse(caller.error());
  if (caller->role < Role::deployer) {
    co_return refuse(Error{Code::forbidden, "uploading needs the role deployer", ""});
  }
  const std::string name = head.path.substr(kBlobs.size());
  const auto digest = ota::Sha256::from_hex(name);
  if (!digest) co_return refuse(digest.error());
  if (!head.has_content_length) {
    co_return refuse(Error{Code::bad_argument, "an upload must say its Content-Length", name});
  }
  if (uploading_.count(name) == 1) {
    co_return refuse(Error{Code::unavailable, "blob " + name + " is being uploaded already", name});
  }
  auto partial = parts_.blobs.begin({*digest, head.content_length});
  if (!partial && partial.error().code == Code::already_exists) {
    UploadStart start;
    start.refusal = json_response("{}", 200);
    co_return start;
  }
  if (!partial) co_return refuse(partial.error());
  // An earlier try that was cut is not gone on with: a PUT begins at the first byte.
  if (::ftruncate(partial->file().get(), 0) != 0) {
    co_return refuse(ota::errno_error("emptying the partial of " + name, errno));
  }
  const Status emptied = partial->refresh();
  if (!emptied) co_return refuse(emptied.error());
  UploadStart start;
  start.upload = std::make_unique<BlobUpload>(parts_, uploading_, std::move(*partial));
  co_return start;
}

std::size_t OperatorApi::body_max_bytes(const Request& head) {
  return caller_of(head) ? proto::kMaxHttpJsonBytes : kUnknownBodyBytes;
}

awaitable<Response> OperatorApi::handle(Request request) {
  const std::int64_t began_ms = parts_.clock.now_ms();
  CountedRequest counted{"other", request.method, 0, 0, false};
  Response response = co_await dispatch(std::move(request), counted.route);
  counted.status = response.status;
  counted.took_s = static_cast<double>(parts_.clock.now_ms() - began_ms) / 1000.0;
  counted.streams = response.feed != nullptr;
  parts_.metrics.count_request(counted);
  co_return response;
}

// out    route: the pattern that matched
awaitable<Response> OperatorApi::dispatch(Request request, std::string& route_name) {
  if (request.path == "/healthz") co_return json_response(R"({"status":"ok"})");
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (reads) {
    auto page = dashboard(request.path);
    if (page) co_return std::move(*page);
  }
  if (request.path == "/v1/session") co_return session(request);
  const auto caller = caller_of(request);
  if (!caller) {
    if (!request.bearer.empty()) parts_.fleet.audit().refused(request.remote_address);
    co_return error_response(caller.error());
  }
  parts_.fleet.audit().came_from(caller->name, request.remote_address);
  bool known_path = false;
  for (const Route& route : routes_->list) {
    std::vector<std::string> words;
    if (!matches(route.pattern, request.path, words)) continue;
    known_path = true;
    route_name = route.pattern;
    const bool head_of_get = request.method == "HEAD" && route.method == std::string("GET");
    if (route.method != request.method && !head_of_get) continue;
    if (caller->role < route.least) {
      co_return error_response(Error{Code::forbidden,
                                     std::string("this needs the role ") + word_of(route.least) +
                                         "; your token has " + word_of(caller->role), ""});
    }
    const Status reached = check_reach(parts_, *caller, route.reach, words);
    if (!reached) co_return error_response(reached.error());
    Call call{parts_, *caller, std::move(request), std::move(words)};
    Response response = co_await route.handler(std::move(call));
    if (response.feed) {
      response.feed = std::make_unique<GuardedFeed>(std::move(response.feed), parts_,
                                                    caller->token_hash);
    }
    co_return response;
  }
  if (!known_path) {
    co_return error_response(Error{Code::not_found, "no such route: " + request.path, ""});
  }
  Response response = error_response(
      Error{Code::bad_argument, request.method + " is not a method of " + request.path, ""});
  response.status = 405;
  co_return response;
}

Status OperatorApi::may_link(const Request&) {
  return Error{Code::not_found, "device links are on the device listener", ""};
}

awaitable<void> OperatorApi::serve_link(std::unique_ptr<proto::Channel>) { co_return; }

// --- devices

awaitable<UploadStart> DeviceApi::start_upload(Request) {
  UploadStart start;
  start.refusal = error_response(Error{Code::forbidden, "devices upload nothing", ""});
  co_return start;
}

awaitable<Response> DeviceApi::handle(Request request) {
  constexpr std::string_view kMetadata = "/device/v1/metadata/";
  constexpr std::string_view kDeviceBlobs = "/device/v1/blobs/";
  constexpr std::string_view kDeviceDeltas = "/device/v1/deltas/";
  if (request.path == "/device/v1/enroll" && request.method == "POST") {
    const auto asked = proto::from_json<v1::EnrollRequest>(request.body);
    if (!asked) co_return error_response(asked.error());
    const auto reply = parts_.enrolment.enroll(*asked, request.remote_address);
    if (!reply) {
      const Code code = reply.error().code;
      const bool stranger = code == Code::unauthenticated || code == Code::token_used;
      if (stranger) parts_.fleet.audit().refused(request.remote_address);
      co_return error_response(reply.error());
    }
    co_return answer(*reply, 201);
  }
  Status known = parts_.sessions.may_link(request.peer);
  if (known && request.peer.expired) {
    known = Error{Code::unauthenticated,
                  "this device's certificate has expired; it is renewed over the link", ""};
  }
  if (!known) co_return error_response(known.error());
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (reads && request.path.rfind(kMetadata, 0) == 0) {
    co_return metadata_answer(parts_.metadata, request.path.substr(kMetadata.size()));
  }
  if (reads && request.path.rfind(kDeviceBlobs, 0) == 0) {
    co_return blob_answer(parts_.blobs, request.path.substr(kDeviceBlobs.size()));
  }
  if (reads && parts_.deltas != nullptr && request.path.rfind(kDeviceDeltas, 0) == 0) {
    co_return file_answer(parts_.deltas->open_delta(request.path.substr(kDeviceDeltas.size())));
  }
  co_return error_response(Error{Code::not_found, "no such route: " + request.path, ""});
}

Status DeviceApi::may_link(const Request& head) { return parts_.sessions.may_link(head.peer); }

awaitable<void> DeviceApi::serve_link(std::unique_ptr<proto::Channel> channel) {
  co_await parts_.sessions.serve(std::move(channel));
}

}  // namespace controller
