// The routes: who may ask what, and what is answered. Operators come with a bearer token on their
// listener, their browsers with a session's cookie, devices with a certificate on theirs; no route
// is on both. Every request's token or certificate is looked up anew, so that a revoked one ends at
// once.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/browser_sessions.h"
#include "controller/console.h"
#include "controller/deltas.h"
#include "controller/device_history.h"
#include "controller/enrolment.h"
#include "controller/events.h"
#include "controller/fleet.h"
#include "controller/flights.h"
#include "controller/http.h"
#include "controller/metadata.h"
#include "controller/metrics.h"
#include "controller/overview.h"
#include "controller/push.h"
#include "controller/sessions.h"
#include "controller/store.h"
#include "ota/blobs.h"

namespace controller {

/// What the routes stand on; all of it outlives them.
struct Parts {
  Store& store;
  Events& events;
  Fleet& fleet;
  Consoles& consoles;
  Flights& flights;
  Metadata& metadata;
  Enrolment& enrolment;
  Sessions& sessions;
  Pushes& pushes;
  ota::Blobs& blobs;
  proto::BlockingPool& hashing;  // whole blobs are hashed there
  proto::Clock& clock;
  std::int64_t started_ms;        // of this process, monotonic
  Metrics& metrics;
  Deltas* deltas = nullptr;       // none: there are no deltas to fetch
  DeviceHistory* history = nullptr;  // none: devices have no history
  Overview* overview = nullptr;      // set by OperatorApi
};

/// A body in memory of who is not known: an enrolment is smaller.
inline constexpr std::size_t kUnknownBodyBytes = 64 * proto::kKiB;

enum class Role { nobody, viewer, deployer, admin };

/// Who asks: the token, and what it is good for.
struct Caller {
  std::string name;
  Role role = Role::nobody;
  std::vector<std::string> groups{};  // none: the whole fleet (controller/access)
  std::int64_t expires_ms = 0;        // 0: never
  std::string token_hash{};           // looked up again for as long as an answer streams
};

/// Who has the token of that hash, as long as it is good.
/// errors unauthenticated ("this token has expired" | "this token is not known here") | as Store
Result<Caller> caller_with(Parts& parts, std::string token_hash);
/// "viewer"
const char* word_of(Role role);
/// nobody: no role has that name
Role role_of(const std::string& word);

/// The operators' listener: /v1, the dashboard, /healthz.
class OperatorApi final : public Handler {
 public:
  explicit OperatorApi(Parts parts);
  ~OperatorApi() override;

  bool is_upload(const Request& head) const override;
  awaitable<UploadStart> start_upload(Request head) override;
  std::size_t body_max_bytes(const Request& head) override;
  awaitable<Response> handle(Request request) override;
  Status may_link(const Request& head) override;
  awaitable<void> serve_link(std::unique_ptr<proto::Channel> channel) override;

 private:
  struct Routes;

  /// Of the bearer token, else of the browser's session, whose changes need its CSRF token.
  Result<Caller> caller_of(const Request& request);
  // api_session.cc
  Response session(const Request& request);
  Result<BrowserSessions::Begun> log_in(const Request& request, Caller& caller);
  awaitable<Response> dispatch(Request request, std::string& route);

  Parts parts_;
  BrowserSessions browsers_;
  Overview overview_;
  std::unique_ptr<Routes> routes_;
  std::set<std::string> uploading_;  // digests on their way in
};

/// The devices' listener: enrolment, link, metadata, blobs and deltas.
class DeviceApi final : public Handler {
 public:
  explicit DeviceApi(Parts parts) : parts_(parts) {}

  bool is_upload(const Request&) const override { return false; }
  std::size_t body_max_bytes(const Request&) override { return kUnknownBodyBytes; }
  awaitable<UploadStart> start_upload(Request head) override;
  awaitable<Response> handle(Request request) override;
  Status may_link(const Request& head) override;
  awaitable<void> serve_link(std::unique_ptr<proto::Channel> channel) override;

 private:
  Parts parts_;
};

/// A message as a JSON answer.
Response answer(const google::protobuf::Message& message, int status = 200);
/// A stored blob with ranges, or the error's answer.
Response blob_answer(ota::Blobs& blobs, const std::string& digest);
/// A metadata file, or 404.
Response metadata_answer(Metadata& metadata, const std::string& name);

}  // namespace controller
