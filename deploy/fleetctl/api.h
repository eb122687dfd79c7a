// The controller's routes (head of api.proto) as typed calls. It never interprets what it carries.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>
#include <vector>

#include "deploy/fleetctl/http.h"
#include "fleet/v1/api.pb.h"
#include "ota/hash.h"
#include "proto/json.h"
#include "proto/result.h"

namespace fleetctl {

/// errors of all: HttpClient's; else the code and the words of the controller's ApiError
class Api {
 public:
  /// in     http: borrowed, outlives the Api
  explicit Api(HttpClient& http) : http_(http) {}

  proto::Result<fleet::v1::ServerStatus> status();
  proto::Result<fleet::v1::Whoami> whoami();
  proto::Result<fleet::v1::Why> why(std::string_view device, std::string_view app);
  proto::Result<fleet::v1::TokenList> tokens();
  proto::Result<fleet::v1::Token> create_token(const fleet::v1::TokenRequest& request);
  proto::Status revoke_token(std::string_view name);
  struct AuditQuestion {
    std::uint64_t limit = 0;
    std::uint64_t before = 0;  // only sequences below
    std::string who{}, action{}, object{};  // "": any
  };
  proto::Result<fleet::v1::AuditPage> audit(const AuditQuestion& question);
  proto::Result<fleet::v1::AuditAccepted> accept_audit();
  proto::Result<fleet::v1::DeviceList> devices(std::string_view selector,
                                               std::string_view state = "");
  /// in     search: part of a name, label or app; limit: so many rows
  proto::Result<fleet::v1::DeviceSummaryList> summaries(std::string_view search,
                                                        std::size_t limit);
  proto::Result<fleet::v1::Device> device(std::string_view name);
  /// Of those that are ahead of the controller: what they run is wanted.
  proto::Result<fleet::v1::AcceptResult> accept_devices(const std::string& selector);
  proto::Status remove_device(std::string_view name);
  proto::Result<fleet::v1::Device> change_labels(std::string_view name,
                                                 const fleet::v1::LabelChange& change);
  proto::Result<fleet::v1::EnrollToken> enroll_token(const fleet::v1::EnrollTokenRequest& request);
  proto::Result<fleet::v1::AppList> apps();
  proto::Result<fleet::v1::ReleaseList> releases(std::string_view app);
  proto::Result<bool> has_blob(const std::string& sha256);
  proto::Status put_blob(const std::string& sha256, const HttpUpload& source);
  /// errors also not_found
  proto::Result<std::string> get_blob(const std::string& sha256, std::size_t max_bytes);
  /// errors also not_found (404 or 403) | too_large
  proto::Result<std::string> metadata(std::string_view file, std::size_t max_bytes);
  proto::Result<fleet::v1::OnlineKeys> online_keys();
  /// Makes a successor for the online key of that role, or gives the one that there is.
  proto::Result<fleet::v1::OnlineKeys> make_online_key(const std::string& role);
  proto::Status upload_metadata(const fleet::v1::MetadataUpload& upload);
  proto::Result<fleet::v1::Rollout> push(const fleet::v1::PushRequest& request,
                                         const std::string& idempotency_key);
  proto::Result<fleet::v1::Rollout> order(const fleet::v1::OrderRequest& request);
  proto::Result<fleet::v1::ConfigList> config(std::string_view app, std::string_view selector);
  proto::Result<fleet::v1::ConfigAnswer> change_config(std::string_view app,
                                                       const fleet::v1::ConfigChange& change);
  proto::Result<fleet::v1::RolloutList> rollouts();
  proto::Result<fleet::v1::Rollout> rollout(std::string_view id);
  /// in     act: pause | resume | abort
  proto::Result<fleet::v1::Rollout> change_rollout(std::string_view id, std::string_view act);
  /// in     device: "" for all that failed
  proto::Result<fleet::v1::Rollout> retry_rollout(std::string_view id, const std::string& device);
  /// in     device: "" for all of the selector
  struct LogQuestion {
    std::string app;
    std::string device;
    std::string selector;
    std::uint64_t release = 0;  // 0: every one that is kept
  };
  proto::Result<fleet::v1::LogList> logs(const LogQuestion& question);

  proto::Result<fleet::v1::FlightList> flights(std::string_view app, std::string_view device,
                                               std::uint64_t release, std::uint32_t last);

  HttpClient& http() { return http_; }

 private:
  template <typename Message>
  proto::Result<Message> get(const std::string& path) {
    TRY(const std::string body, call({.path = path}));
    return read<Message>(body, path);
  }
  template <typename Message>
  proto::Result<Message> send(std::string method, const std::string& path,
                              const google::protobuf::Message& request,
                              std::vector<std::string> headers = {}) {
    TRY(std::string json, proto::to_json(request));
    HttpRequest what{.method = std::move(method), .path = path, .body = std::move(json)};
    what.headers = std::move(headers);
    TRY(const std::string body, call(what));
    return read<Message>(body, path);
  }
  template <typename Message>
  proto::Result<Message> read(const std::string& body, const std::string& path) {
    Message message;
    if (const proto::Status status = proto::from_json(body, message); !status) {
      return bad_answer(path, status.error());
    }
    return message;
  }
  proto::Result<std::string> call(const HttpRequest& request);
  static proto::Error bad_answer(const std::string& path, const proto::Error& why);

  HttpClient& http_;
};

/// The Error that an answer with a status of 400 and above says.
proto::Error error_of_answer(const HttpResponse& response, std::string_view path);

/// "bad_digest" -> Code::bad_digest; a word that we do not know is Code::internal.
proto::Code code_of_name(std::string_view name);

}  // namespace fleetctl
