#include "agent/enroll.h"

#include <span>
#include <utility>

#include "agent/credentials.h"
#include "agent/http.h"
#include "agent/secrets.h"
#include "agent/trust.h"
#include "ota/updater.h"
#include "proto/json.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::int64_t kEnrollMs = 30'000;
constexpr const char* kEnrollPath = "/device/v1/enroll";

// The key of an earlier try that got no answer, or a new one, stored before it is used.
Result<proto::PrivateKey> enrolment_key(ota::Disk& disk) {
  auto stored = disk.read_file(kEnrollKeyFile, 64 * proto::kKiB);
  if (stored) {
    std::string pem(stored->size(), '\0');
    for (std::size_t i = 0; i < stored->size(); ++i) pem[i] = static_cast<char>((*stored)[i]);
    return proto::PrivateKey::from_pem(pem);
  }
  if (stored.error().code != Code::not_found) return stored.error();
  TRY(proto::PrivateKey key, proto::PrivateKey::generate());
  const std::string pem = key.to_pem();
  TRY_VOID(disk.replace_file(kEnrollKeyFile, std::as_bytes(std::span(pem.data(), pem.size()))));
  return key;
}

// A root that is not signed by its own keys is noticed before the token is spent.
Result<ota::Root> check_root(const std::string& root_json) {
  ota::MemoryMetadataStore store;
  class Nothing final : public ota::MetadataSource {
    Result<std::string> fetch(std::string_view, std::size_t) override {
      return Error{Code::unreachable, "offline", ""};
    }
  } source;
  ota::Updater updater(source, store);
  const Status checked = updater.bootstrap(root_json);
  if (!checked) return checked.error().with("the bootstrap file's tuf_root");
  TRY(auto root, ota::parse_root(root_json));
  return std::move(root.value);
}

Code code_of(const std::string& name) {
  for (int number = 0; number <= static_cast<int>(Code::internal); ++number) {
    if (name == proto::name_of(static_cast<Code>(number))) return static_cast<Code>(number);
  }
  return Code::internal;
}

Error refusal(const HttpAnswer& answer) {
  const auto error = proto::from_json<fleet::v1::ApiError>(answer.body);
  if (error && !error->message().empty()) {
    return Error{code_of(error->code()), "the controller refused: " + error->message(), ""};
  }
  return Error{Code::unavailable,
               "the controller answered with HTTP status " + std::to_string(answer.status), ""};
}

}  // namespace

Result<fleet::v1::Bootstrap> read_bootstrap(std::string_view text) {
  auto bootstrap = proto::from_json<fleet::v1::Bootstrap>(text);
  if (!bootstrap) return bootstrap.error().with("no bootstrap file of `fleetctl enroll-token`");
  if (bootstrap->version() != 1) {
    return Error{Code::not_supported,
                 "bootstrap file of version " + std::to_string(bootstrap->version()) +
                     "; this agent knows 1", ""};
  }
  const std::pair<const char*, const std::string&> wanted[] = {
      {"address", bootstrap->address()}, {"host_name", bootstrap->host_name()},
      {"ca_pem", bootstrap->ca_pem()},   {"tuf_root", bootstrap->tuf_root()},
      {"token", bootstrap->token()}};
  for (const auto& [field, value] : wanted) {
    if (!value.empty()) continue;
    return Error{Code::bad_argument,
                 std::string("the bootstrap file has no ") + field +
                     "; make a new one with `fleetctl enroll-token`", ""};
  }
  return bootstrap;
}

proto::awaitable<Result<Enrolled>> enroll(proto::Clock& clock, ota::Disk& disk,
                                          fleet::v1::Bootstrap bootstrap, EnrollOptions options) {
  auto existing = load_identity(disk);
  if (existing) {
    co_return Error{Code::already_exists,
                    "this device is enrolled already, as " + existing->name +
                        "; remove its state directory to enrol it anew", ""};
  }
  if (existing.error().code != Code::not_found) co_return existing.error();
  CO_TRY(const ota::Root root, check_root(bootstrap.tuf_root()));
  proto::TlsClientOptions tls;
  tls.ca_pem = bootstrap.ca_pem();
  tls.ignore_dates = true;
  CO_TRY(auto context, proto::TlsContext::make_client(tls));
  CO_TRY(const proto::PrivateKey key, enrolment_key(disk));
  CO_TRY(std::string csr, proto::make_csr(key, "device"));

  fleet::v1::EnrollRequest ask;
  ask.set_token(bootstrap.token());
  ask.set_csr_der(std::move(csr));
  ask.set_name(options.name);
  *ask.mutable_inventory() = std::move(options.inventory);
  PostRequest request;
  request.address = bootstrap.address();
  request.host_name = bootstrap.host_name();
  request.path = kEnrollPath;
  CO_TRY(request.json, proto::to_json(ask));
  const proto::Deadline deadline = proto::Deadline::after(clock, kEnrollMs);
  auto answer = co_await post_json(std::move(context), std::move(request), deadline);
  if (!answer) {
    co_return answer.error().with("controller " + bootstrap.host_name() + " at " +
                                  bootstrap.address());
  }
  if (answer->status < 200 || answer->status > 299) co_return refusal(*answer);
  CO_TRY(const auto reply, proto::from_json<fleet::v1::EnrollReply>(answer->body));

  Identity identity;
  identity.device_id = reply.device_id();
  identity.name = reply.name();
  identity.address = bootstrap.address();
  identity.host_name = bootstrap.host_name();
  identity.ca_pem = bootstrap.ca_pem();
  CO_TRY_VOID(check_certificate(reply.certificate_pem(), identity.ca_pem, identity.device_id,
                                key));
  identity.device_pem = key.to_pem() + reply.certificate_pem();
  Trust trust(disk);
  CO_TRY_VOID(trust.bootstrap(bootstrap.tuf_root()));
  CO_TRY([[maybe_unused]] const Secrets made, Secrets::load(disk, identity.device_id));
  CO_TRY_VOID(store_identity(disk, identity));
  // Beyond this point the device is enrolled.
  const Status removed = disk.remove(kEnrollKeyFile);
  if (!removed) co_return removed.error();

  Enrolled enrolled;
  enrolled.name = identity.name;
  enrolled.host_name = identity.host_name;
  enrolled.until_ms = static_cast<std::int64_t>(reply.certificate_until_ms());
  enrolled.root_version = root.header.version;
  enrolled.root_threshold = root.roles.at("root").threshold;
  enrolled.root_keys = root.roles.at("root").keyids.size();
  enrolled.groups.assign(reply.groups().begin(), reply.groups().end());
  for (const fleet::v1::DesiredApp& app : reply.desired()) {
    if (app.release() == 0) continue;
    enrolled.wanted.push_back(app.app() + " " + std::to_string(app.release()));
  }
  co_return enrolled;
}

std::string describe(const Enrolled& enrolled) {
  std::string out = "Key made on this device (never leaves it). Certificate for " + enrolled.name +
                    " from " + enrolled.host_name + ", good until " +
                    ota::format_time(enrolled.until_ms / 1000).substr(0, 10) + ".\n";
  out += "Trust root " + std::to_string(enrolled.root_version) + ", " +
         std::to_string(enrolled.root_threshold) + " of " + std::to_string(enrolled.root_keys) +
         (enrolled.root_keys == 1 ? " key." : " keys.");
  if (!enrolled.groups.empty()) {
    out += " Joined group";
    for (const std::string& group : enrolled.groups) out += " " + group;
    out += ":";
    if (enrolled.wanted.empty()) out += " nothing is wanted here yet.";
    for (std::size_t i = 0; i < enrolled.wanted.size(); ++i) {
      out += (i == 0 ? " " : ", ") + enrolled.wanted[i];
    }
    if (!enrolled.wanted.empty()) out += enrolled.wanted.size() == 1 ? " is" : " are";
    if (!enrolled.wanted.empty()) out += " wanted here.";
  }
  return out + "\n";
}

}  // namespace agent
