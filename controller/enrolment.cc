#include "controller/enrolment.h"

#include <algorithm>
#include <utility>

#include "ota/hash.h"
#include "proto/limits.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::int64_t kDay_ms = 24ll * 3600 * 1000;
constexpr std::size_t kMaxLabels = 32;

bool is_label_text(std::string_view text) {
  return text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.' || c == '/';
         });
}

Error used_up(const std::string& why) {
  return Error{Code::token_used, why + "; ask for a new one: fleetctl enroll-token", "token"};
}

}  // namespace

Status check_label(std::string_view name, std::string_view value) {
  const bool reserved = name == "all" || name == "in";
  if (!name.empty() && !reserved && is_label_text(name) && is_label_text(value)) return {};
  return Error{Code::bad_argument,
               "label " + std::string(name.substr(0, 64)) + "=" + std::string(value.substr(0, 64)) +
                   ": use letters, digits, - _ . / and at most 63 characters",
               "labels"};
}

Status check_name(std::string_view what, std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (plain && !name.empty() && name.size() <= proto::kMaxNameLength && name.front() != '-' &&
      name.back() != '-' && name != "all" && name != "in") {
    return {};
  }
  return Error{Code::bad_argument,
               std::string(what) + " \"" + std::string(name.substr(0, 64)) +
                   "\": use a-z, 0-9 and -, at most 40 characters",
               std::string(what)};
}

Result<v1::EnrollToken> Enrolment::make_token(const v1::EnrollTokenRequest& request,
                                              const std::string& by, std::int64_t now_ms) {
  if (!request.group().empty()) TRY_VOID(check_name("group", request.group()));
  if (static_cast<std::size_t>(request.labels_size()) > kMaxLabels) {
    return Error{Code::too_large, "a device has at most 32 labels", "labels"};
  }
  for (const auto& [name, value] : request.labels()) {
    TRY_VOID(check_label(name, value));
    if (name.starts_with("device.")) {
      return Error{Code::bad_argument, "labels device.* are the device's own", "labels"};
    }
  }
  if (request.uses() > kMaxTokenUses) {
    return Error{Code::bad_argument, "uses: at most 10000", "uses"};
  }
  const std::int64_t ttl_ms =
      request.ttl_ms() == 0 ? kDay_ms
                            : static_cast<std::int64_t>(std::min<std::uint64_t>(
                                  request.ttl_ms(), static_cast<std::uint64_t>(kMaxTokenTtl_ms)));
  TRY(const std::optional<std::string> root, store_.metadata("root"));
  if (!root) {
    return Error{Code::not_found,
                 "there is no TUF root yet, and a device must begin with one: fleetctl keys init",
                 "root"};
  }
  const std::string secret = ota::random_token();
  EnrollTokenRow row;
  row.id = ota::random_id();
  row.hash = ota::hash_token(secret).hex();
  row.group = request.group();
  row.labels.insert(request.labels().begin(), request.labels().end());
  row.uses = std::max<std::uint32_t>(request.uses(), 1);
  row.expires_ms = now_ms + ttl_ms;
  row.by = by;
  row.created_ms = now_ms;
  TRY_VOID(store_.add_enroll_token(row));
  proto::log_info("enroll_token.made", {{"id", row.id}, {"by", by}, {"uses", row.uses}});

  v1::EnrollToken out;
  out.set_id(row.id);
  out.set_expires_ms(static_cast<std::uint64_t>(row.expires_ms));
  v1::Bootstrap& bootstrap = *out.mutable_bootstrap();
  bootstrap.set_version(1);
  bootstrap.set_address(where_.address);
  bootstrap.set_host_name(where_.host_name);
  bootstrap.set_ca_pem(authority_.certificate_pem);
  bootstrap.set_tuf_root(*root);
  bootstrap.set_token(secret);
  bootstrap.set_group(request.group());
  return out;
}

Result<v1::EnrollReply> Enrolment::enroll(const v1::EnrollRequest& request) {
  if (request.token().empty() || request.token().size() > 256) {
    return Error{Code::unauthenticated, "no enrolment token came with the request", "token"};
  }
  TRY(const std::optional<EnrollTokenRow> token,
      store_.enroll_token(ota::hash_token(request.token()).hex()));
  if (!token) {
    return Error{Code::unauthenticated,
                 "this enrolment token is not known here; is the bootstrap file of this "
                 "controller? make one with fleetctl enroll-token",
                 "token"};
  }
  TRY(const proto::CsrFacts csr, proto::check_csr(request.csr_der()));
  Work work = fleet_.work();
  TRY(std::optional<std::string> device_id, store_.enroll_use(token->id, csr.public_key_sha256));
  if (device_id) {
    // A lost answer is asked for again: by the same key, also when the token is used up.
    TRY(const std::optional<DeviceRow> known, store_.device(*device_id));
    if (!known || known->revoked) return used_up("this device was revoked");
  } else {
    if (work.now_ms() >= token->expires_ms) return used_up("this enrolment token is too old");
    TRY(const std::int64_t uses, store_.enroll_use_count(token->id));
    if (uses >= token->uses) return used_up("this enrolment token is used up");
    TRY(device_id, add_device(work, *token, request, csr.public_key_sha256));
  }
  TRY(const Issued issued, issue(request.csr_der(), *device_id, work.now_ms()));
  TRY_VOID(store_.set_certificate(*device_id, csr.public_key_sha256, issued.until_ms));
  TRY(v1::EnrollReply out, reply(*device_id, issued));
  TRY_VOID(work.commit());
  proto::log_info("device.enrolled", {{"device", out.name()}, {"id", *device_id}});
  return out;
}

Result<std::string> Enrolment::add_device(Work& work, const EnrollTokenRow& token,
                                          const v1::EnrollRequest& request,
                                          const std::string& public_key) {
  DeviceRow device;
  device.id = ota::random_id();
  device.public_key = public_key;
  device.enrolled_ms = work.now_ms();
  *device.facts.mutable_inventory() = request.inventory();
  TRY(device.name, free_name(request, device.id));
  TRY_VOID(store_.add_device(device));
  TRY_VOID(store_.add_enroll_use(token.id, public_key, device.id));
  if (!token.group.empty()) TRY_VOID(store_.add_group(device.id, token.group));
  for (const auto& [name, value] : token.labels) {
    TRY_VOID(store_.set_label(device.id, name, value));
  }
  std::size_t own = 0;
  for (const auto& [name, value] : request.labels()) {
    if (!name.starts_with("device.") || ++own > kMaxLabels) {
      return Error{Code::bad_argument, "a device may bring labels device.* only, at most 32",
                   "labels"};
    }
    TRY_VOID(check_label(name, value));
    TRY_VOID(store_.set_label(device.id, name, value));
  }
  v1::Event event;
  event.set_kind("device.enrolled");
  event.set_device(device.name);
  event.set_by(token.by);
  event.set_text(device.name + " is enrolled" +
                 (token.group.empty() ? "" : " in group " + token.group));
  TRY_VOID(work.tell(std::move(event), 0));
  TRY(const Subject subject, store_.subject(device.id));
  TRY_VOID(fleet_.join(work, subject));
  return device.id;
}

Result<std::string> Enrolment::free_name(const v1::EnrollRequest& request, const std::string& id) {
  if (request.name().empty()) return "device-" + id.substr(0, 6);
  TRY_VOID(check_name("name", request.name()));
  TRY(const std::optional<DeviceRow> taken, store_.device_by_name(request.name()));
  if (!taken) return request.name();
  return Error{Code::already_exists,
               "a device named " + request.name() +
                   " is enrolled already; take another name, or revoke it first: fleetctl device "
                   "remove " +
                   request.name(),
               "name"};
}

Result<Enrolment::Issued> Enrolment::issue(std::string_view csr_der, const std::string& device_id,
                                           std::int64_t now_ms) {
  Issued out;
  const proto::Issuer issuer{authority_.certificate_pem, authority_.key};
  const proto::Validity validity{now_ms, kDeviceCertificateDays};
  TRY(out.pem, proto::issue_device_certificate(issuer, csr_der, device_id, validity));
  TRY(const proto::CertificateFacts facts, proto::read_certificate(out.pem));
  out.until_ms = facts.not_after_ms;
  return out;
}

Result<v1::EnrollReply> Enrolment::reply(const std::string& device_id, const Issued& issued) {
  TRY(const Subject subject, store_.subject(device_id));
  TRY(const std::vector<v1::DesiredApp> desired, store_.desired(device_id));
  v1::EnrollReply out;
  out.set_device_id(device_id);
  out.set_name(subject.name);
  out.set_certificate_pem(issued.pem);
  out.set_certificate_until_ms(static_cast<std::uint64_t>(issued.until_ms));
  for (const std::string& group : subject.groups) out.add_groups(group);
  for (const v1::DesiredApp& each : desired) *out.add_desired() = each;
  return out;
}

Result<std::string> Enrolment::renew(const std::string& device_id, std::string_view csr_der,
                                     std::int64_t now_ms) {
  TRY(const proto::CsrFacts csr, proto::check_csr(csr_der));
  TRY(const Issued issued, issue(csr_der, device_id, now_ms));
  TRY_VOID(store_.set_certificate(device_id, csr.public_key_sha256, issued.until_ms));
  proto::log_info("certificate.renewed", {{"device", device_id}});
  return issued.pem;
}

}  // namespace controller
