#include "deploy/fleetctl/api.h"

#include <chrono>
#include <thread>

#include "deploy/fleetctl/text.h"
#include "proto/limits.h"

namespace fleetctl {
namespace {

using fleet::v1::Rollout;

// A minute of waiting for another push that sends the same bytes.
constexpr auto kBusyPause = std::chrono::milliseconds(200);
constexpr int kBusyTries = 300;
constexpr int kDevicesInPage = 500;

proto::Code code_of_status(int status) {
  switch (status) {
    case 400: return proto::Code::bad_argument;
    case 401: return proto::Code::unauthenticated;
    case 403: return proto::Code::forbidden;
    case 404: return proto::Code::not_found;
    case 409: return proto::Code::conflict;
    case 413: return proto::Code::too_large;
    case 429: return proto::Code::unavailable;
    case 503: return proto::Code::unavailable;
    default: return proto::Code::internal;
  }
}

}  // namespace

proto::Code code_of_name(std::string_view name) {
  for (int number = 0; number <= static_cast<int>(proto::Code::internal); ++number) {
    const auto code = static_cast<proto::Code>(number);
    if (name == proto::name_of(code) && name != "unknown") return code;
  }
  return proto::Code::internal;
}

proto::Error error_of_answer(const HttpResponse& response, std::string_view path) {
  fleet::v1::ApiError said;
  if (!response.body.empty() && proto::from_json(response.body, said) && !said.message().empty()) {
    proto::Error error{code_of_name(said.code()), said.message(), said.element()};
    if (said.nearest_size() > 0) {
      error.what += "\nnearest: " + join({said.nearest().begin(), said.nearest().end()}, ", ");
    }
    return error;
  }
  const proto::Code code = code_of_status(response.status);
  std::string what = "the controller answers " + std::to_string(response.status) + " to " +
                     std::string(path.substr(0, path.find('?')));
  if (code == proto::Code::unauthenticated) {
    what = "the controller does not take this token; log in again: "
           "fleetctl login URL --token-file F --ca FILE";
  }
  return {code, what, {}};
}

proto::Error Api::bad_answer(const std::string& path, const proto::Error& why) {
  return {proto::Code::internal,
          "the controller's answer to " + path.substr(0, path.find('?')) +
              " is not understood; is fleetctl " FLEET_VERSION " older than the controller?\n" +
              why.what, {}};
}

proto::Result<std::string> Api::call(const HttpRequest& request) {
  TRY(HttpResponse response, http_.request(request));
  if (response.status >= 300) return error_of_answer(response, request.path);
  return std::move(response.body);
}

proto::Result<fleet::v1::ServerStatus> Api::status() {
  return get<fleet::v1::ServerStatus>("/v1/status");
}

proto::Result<fleet::v1::Whoami> Api::whoami() { return get<fleet::v1::Whoami>("/v1/whoami"); }

proto::Result<fleet::v1::Why> Api::why(std::string_view device, std::string_view app) {
  std::string path = "/v1/devices/" + url_encode(device) + "/why";
  if (!app.empty()) path += "?app=" + url_encode(app);
  return get<fleet::v1::Why>(path);
}

proto::Result<fleet::v1::TokenList> Api::tokens() {
  return get<fleet::v1::TokenList>("/v1/tokens");
}

proto::Result<fleet::v1::Token> Api::create_token(const fleet::v1::TokenRequest& request) {
  return send<fleet::v1::Token>("POST", "/v1/tokens", request);
}

proto::Status Api::revoke_token(std::string_view name) {
  TRY(const std::string ignored,
      call({.method = "DELETE", .path = "/v1/tokens/" + url_encode(name)}));
  return {};
}

proto::Result<fleet::v1::AuditPage> Api::audit(const AuditQuestion& question) {
  std::string path = "/v1/audit?limit=" + std::to_string(question.limit) +
                     "&before=" + std::to_string(question.before);
  if (!question.who.empty()) path += "&who=" + url_encode(question.who);
  if (!question.action.empty()) path += "&action=" + url_encode(question.action);
  if (!question.object.empty()) path += "&object=" + url_encode(question.object);
  return get<fleet::v1::AuditPage>(path);
}

proto::Result<fleet::v1::AuditAccepted> Api::accept_audit() {
  const std::string path = "/v1/audit/accept";
  TRY(const std::string body, call({.method = "POST", .path = path}));
  return read<fleet::v1::AuditAccepted>(body, path);
}

// In pages: a large fleet is more than one answer may hold.
proto::Result<fleet::v1::DeviceList> Api::devices(std::string_view selector,
                                                  std::string_view state) {
  std::string path = "/v1/devices?selector=" + url_encode(selector) +
                     "&limit=" + std::to_string(kDevicesInPage);
  if (!state.empty()) path += "&state=" + url_encode(state);
  TRY(auto all, get<fleet::v1::DeviceList>(path));
  int in_page = all.devices_size();
  while (in_page == kDevicesInPage) {
    const std::string last = all.devices(all.devices_size() - 1).name();
    TRY(auto page, get<fleet::v1::DeviceList>(path + "&after=" + url_encode(last)));
    in_page = page.devices_size();
    if (in_page > 0 && page.devices(0).name() <= last) break;  // a controller without pages
    for (auto& device : *page.mutable_devices()) *all.add_devices() = std::move(device);
  }
  return all;
}

proto::Result<fleet::v1::DeviceSummaryList> Api::summaries(std::string_view search,
                                                           std::size_t limit) {
  return get<fleet::v1::DeviceSummaryList>("/v1/fleet/devices?search=" + url_encode(search) +
                                           "&limit=" + std::to_string(limit));
}

proto::Result<fleet::v1::Device> Api::device(std::string_view name) {
  return get<fleet::v1::Device>("/v1/devices/" + url_encode(name));
}

proto::Result<fleet::v1::AcceptResult> Api::accept_devices(const std::string& selector) {
  fleet::v1::AcceptRequest request;
  request.set_selector(selector);
  return send<fleet::v1::AcceptResult>("POST", "/v1/devices/accept", request);
}

proto::Status Api::remove_device(std::string_view name) {
  TRY(const std::string ignored,
      call({.method = "DELETE", .path = "/v1/devices/" + url_encode(name)}));
  return {};
}

proto::Result<fleet::v1::Device> Api::change_labels(std::string_view name,
                                                    const fleet::v1::LabelChange& change) {
  return send<fleet::v1::Device>("PATCH", "/v1/devices/" + url_encode(name), change);
}

proto::Result<fleet::v1::EnrollToken> Api::enroll_token(
    const fleet::v1::EnrollTokenRequest& request) {
  return send<fleet::v1::EnrollToken>("POST", "/v1/enroll-tokens", request);
}

proto::Result<fleet::v1::AppList> Api::apps() { return get<fleet::v1::AppList>("/v1/apps"); }

proto::Result<fleet::v1::ReleaseList> Api::releases(std::string_view app) {
  return get<fleet::v1::ReleaseList>("/v1/apps/" + url_encode(app) + "/releases");
}

proto::Result<bool> Api::has_blob(const std::string& sha256) {
  const HttpRequest request{.method = "HEAD", .path = "/v1/blobs/" + sha256};
  TRY(const HttpResponse response, http_.request(request));
  if (response.status == 404) return false;
  if (response.status >= 300) return error_of_answer(response, request.path);
  return true;
}

proto::Status Api::put_blob(const std::string& sha256, const HttpUpload& source) {
  HttpUpload upload = source;
  upload.path = "/v1/blobs/" + sha256;
  // Busy while another push sends the same bytes: then they are there, or ours to send.
  for (int tries = 0;; ++tries) {
    TRY(const HttpResponse response, http_.upload(upload));
    if (response.status < 300) return {};
    proto::Error refused = error_of_answer(response, upload.path);
    if (refused.code != proto::Code::unavailable || tries == kBusyTries) return refused;
    std::this_thread::sleep_for(kBusyPause);
  }
}

proto::Result<std::string> Api::get_blob(const std::string& sha256, std::size_t max_bytes) {
  return call({.path = "/v1/blobs/" + sha256, .max_bytes = max_bytes});
}

proto::Result<std::string> Api::metadata(std::string_view file, std::size_t max_bytes) {
  // The name comes ready for a URL (Updater); it is not encoded again.
  const HttpRequest request{.path = "/v1/metadata/" + std::string(file), .max_bytes = max_bytes};
  TRY(HttpResponse response, http_.request(request));
  if (response.status == 404 || response.status == 403) {
    return proto::Error{proto::Code::not_found,
                        "the controller has no metadata file " + std::string(file), {}};
  }
  if (response.status >= 300) return error_of_answer(response, request.path);
  return std::move(response.body);
}

proto::Result<fleet::v1::OnlineKeys> Api::online_keys() {
  return get<fleet::v1::OnlineKeys>("/v1/online-keys");
}

proto::Result<fleet::v1::OnlineKeys> Api::make_online_key(const std::string& role) {
  const std::string path = "/v1/online-keys/" + url_encode(role);
  TRY(const std::string body, call({.method = "POST", .path = path}));
  return read<fleet::v1::OnlineKeys>(body, path);
}

proto::Status Api::upload_metadata(const fleet::v1::MetadataUpload& upload) {
  TRY(std::string json, proto::to_json(upload));
  TRY(const std::string ignored,
      call({.method = "POST", .path = "/v1/metadata", .body = std::move(json)}));
  return {};
}

proto::Result<Rollout> Api::push(const fleet::v1::PushRequest& request,
                                 const std::string& idempotency_key) {
  return send<Rollout>("POST", "/v1/pushes", request, {"Idempotency-Key: " + idempotency_key});
}

proto::Result<Rollout> Api::order(const fleet::v1::OrderRequest& request) {
  return send<Rollout>("POST", "/v1/orders", request);
}

proto::Result<fleet::v1::ConfigList> Api::config(std::string_view app,
                                                 std::string_view selector) {
  return get<fleet::v1::ConfigList>("/v1/apps/" + url_encode(app) +
                                    "/config?selector=" + url_encode(selector));
}

proto::Result<fleet::v1::ConfigAnswer> Api::change_config(std::string_view app,
                                                          const fleet::v1::ConfigChange& change) {
  return send<fleet::v1::ConfigAnswer>("POST", "/v1/apps/" + url_encode(app) + "/config", change);
}

proto::Result<fleet::v1::RolloutList> Api::rollouts() {
  return get<fleet::v1::RolloutList>("/v1/rollouts");
}

proto::Result<Rollout> Api::rollout(std::string_view id) {
  return get<Rollout>("/v1/rollouts/" + url_encode(id));
}

proto::Result<Rollout> Api::change_rollout(std::string_view id, std::string_view act) {
  const std::string path = "/v1/rollouts/" + url_encode(id) + "/" + std::string(act);
  TRY(const std::string body, call({.method = "POST", .path = path}));
  return read<Rollout>(body, path);
}

proto::Result<Rollout> Api::retry_rollout(std::string_view id, const std::string& device) {
  fleet::v1::RetryRequest request;
  request.set_device(device);
  return send<Rollout>("POST", "/v1/rollouts/" + url_encode(id) + "/retry", request);
}

proto::Result<fleet::v1::LogList> Api::logs(const LogQuestion& question) {
  std::string path = "/v1/apps/" + url_encode(question.app) +
                     "/logs?device=" + url_encode(question.device) +
                     "&selector=" + url_encode(question.selector);
  if (question.release != 0) path += "&release=" + std::to_string(question.release);
  return get<fleet::v1::LogList>(path);
}

proto::Result<fleet::v1::FlightList> Api::flights(std::string_view app, std::string_view device,
                                                  std::uint64_t release, std::uint32_t last) {
  std::string path = "/v1/apps/" + url_encode(app) + "/flights?device=" + url_encode(device) +
                     "&last=" + std::to_string(last);
  if (release != 0) path += "&release=" + std::to_string(release);
  return get<fleet::v1::FlightList>(path);
}

}  // namespace fleetctl
