#include "controller/enrolment.h"

#include <algorithm>
#include <utility>

#include "controller/windows.h"
#include "ota/hash.h"
#include "proto/limits.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::uint64_t kDefaultTtlMs = 24ull * 3600 * 1000;
constexpr std::uint64_t kMaxTtlMs = 365ull * 24 * 3600 * 1000;
constexpr std::uint32_t kMaxUses = 100000;
constexpr std::int64_t kDayMs = 24ll * 3600 * 1000;

Error bad(std::string what) { return {Code::bad_argument, std::move(what), ""}; }

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > proto::kMaxNameLength) return false;
  if (text.front() == '-' || text.back() == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Status check_label(std::string_view name, std::string_view value) {
  if (name == kZoneLabel) return check_zone(value);
  const bool name_good = !name.empty() && name.size() <= 63 &&
                         std::all_of(name.begin(), name.end(), [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                                  c == '.' || c == '_';
                         });
  if (!name_good) return bad("label " + std::string(name) + ": names are of a-z 0-9 - . _");
  const bool value_good = !value.empty() && value.size() <= 63 &&
                          std::all_of(value.begin(), value.end(), [](char c) {
                            return c > ' ' && c < 0x7f && c != ',' && c != '(' && c != ')' &&
                                   c != '=' && c != '!';
                          });
  if (!value_good) {
    return bad("label " + std::string(name) + ": values are 1 to 63 printable characters without" +
               " blank , ( ) = !");
  }
  return {};
}

Enrolment::Enrolment(Store& store, Fleet& fleet, const DataDir& data, Endpoint endpoint,
                     proto::Clock& clock)
    : store_(store), fleet_(fleet), data_(data), endpoint_(std::move(endpoint)), clock_(clock) {}

Result<v1::EnrollToken> Enrolment::make_token(const v1::EnrollTokenRequest& request,
                                              const std::string& by) {
  if (!request.group().empty() && (!is_name(request.group()) || request.group() == "all")) {
    return bad("group " + request.group() + ": a group is a name of a-z 0-9 -, not `all`");
  }
  for (const auto& [name, value] : request.labels()) TRY_VOID(check_label(name, value));
  if (request.uses() > kMaxUses) return bad("uses: at most " + std::to_string(kMaxUses));
  if (request.ttl_ms() > kMaxTtlMs) return bad("ttl: at most a year");
  TRY(const auto root, store_.metadata("root"));
  if (!root) {
    return Error{Code::unavailable,
                 "there is no trust root yet, so a device could trust nothing; make it with:"
                 " fleetctl keys init", ""};
  }
  const std::uint64_t ttl_ms = request.ttl_ms() == 0 ? kDefaultTtlMs : request.ttl_ms();
  std::string token = ota::random_token();
  EnrollTokenRow row;
  row.id = ota::random_id();
  row.hash = ota::hash_token(token).hex();
  row.group = request.group();
  row.labels.insert(request.labels().begin(), request.labels().end());
  row.uses = std::max<std::uint32_t>(request.uses(), 1);
  row.created_ms = clock_.wall_ms();
  row.expires_ms = row.created_ms + static_cast<std::int64_t>(ttl_ms);
  row.by = by;
  Store::Transaction transaction(store_);
  TRY_VOID(store_.add_enroll_token(row));
  TRY_VOID(fleet_.audit().record({by, "enroll_token.made", row.id,
                                  (row.group.empty() ? "" : "group " + row.group + ", ") +
                                      std::string("uses ") + std::to_string(row.uses)}));
  TRY_VOID(transaction.commit());
  v1::EnrollToken out;
  out.set_id(row.id);
  out.set_expires_ms(static_cast<std::uint64_t>(row.expires_ms));
  v1::Bootstrap* bootstrap = out.mutable_bootstrap();
  bootstrap->set_version(1);
  bootstrap->set_address(endpoint_.address);
  bootstrap->set_host_name(endpoint_.host_name);
  bootstrap->set_ca_pem(data_.ca_pem);
  bootstrap->set_tuf_root(*root);
  bootstrap->set_token(token);
  bootstrap->set_group(row.group);
  ota::wipe(token);
  return out;
}

Result<std::string> Enrolment::issue(std::string_view csr_der, const std::string& device_id) {
  return proto::issue_device_certificate({data_.ca_pem, data_.ca_key}, csr_der, device_id,
                                         {clock_.wall_ms(), kDeviceDays});
}

Result<std::string> Enrolment::choose_name(const std::string& wished, const std::string& id) {
  if (wished.empty()) return "device-" + id.substr(0, 8);
  if (!is_name(wished) || wished == "all") {
    return bad("device name " + wished + ": a name is at most 40 of a-z 0-9 -, not `all`");
  }
  TRY(const auto other, store_.device_by_name(wished));
  if (other) {
    return Error{Code::already_exists,
                 "there is a device " + wished + " already; choose another --name, or remove it:"
                 " fleetctl device remove " + wished, wished};
  }
  return wished;
}

// One transaction: the device, its groups and labels, what the fleet wants of it, the used token.
Result<std::string> Enrolment::add(const EnrollTokenRow& token, const v1::EnrollRequest& request,
                                   const std::string& public_key, const std::string& from) {
  TRY(const std::int64_t uses, store_.enroll_use_count(token.id));
  if (uses >= token.uses) {
    return Error{Code::token_used,
                 "this token is used up (good for " + std::to_string(token.uses) +
                     (token.uses == 1 ? " device" : " devices") +
                     "); make a new one: fleetctl enroll-token", ""};
  }
  if (clock_.wall_ms() >= token.expires_ms) {
    return Error{Code::token_used,
                 "this token is too old to be used; make a new one: fleetctl enroll-token", ""};
  }
  DeviceRow row;
  row.id = ota::random_id();
  TRY(row.name, choose_name(request.name(), row.id));
  row.public_key = public_key;
  row.enrolled_ms = clock_.wall_ms();
  row.certificate_until_ms = row.enrolled_ms + kDeviceDays * kDayMs;
  *row.facts.mutable_inventory() = request.inventory();
  Store::Transaction transaction(store_);
  TRY_VOID(store_.add_device(row));
  TRY_VOID(store_.add_enroll_use(token.id, public_key, row.id));
  if (!token.group.empty()) TRY_VOID(store_.add_group(row.id, token.group));
  for (const auto& [name, value] : request.labels()) {
    TRY_VOID(check_label(name, value));
    if (name.rfind("device.", 0) != 0) {
      return bad("label " + name + ": a device may only set labels that begin with device.");
    }
    TRY_VOID(store_.set_label(row.id, name, value));
  }
  for (const auto& [name, value] : token.labels) TRY_VOID(store_.set_label(row.id, name, value));
  TRY(const Subject subject, store_.subject(row.id));
  TRY_VOID(fleet_.join(subject));
  TRY_VOID(fleet_.note("device.enrolled", row.name + " joined" +
                       (token.group.empty() ? "" : " group " + token.group), token.by, row.name));
  TRY_VOID(fleet_.audit().record({"device:" + row.name, "device.enrolled", row.name,
                                  "with enrolment token " + token.id + " of " + token.by +
                                      (token.group.empty() ? "" : ", group " + token.group),
                                  from}));
  TRY_VOID(transaction.commit());
  fleet_.committed();
  proto::log_info("device.enrolled",
                  {{"device", row.name}, {"id", row.id}, {"group", token.group}});
  return row.id;
}

Result<v1::EnrollReply> Enrolment::reply(const std::string& device_id, std::string_view csr_der) {
  TRY(std::string certificate, issue(csr_der, device_id));
  TRY(const auto device, store_.device(device_id));
  if (!device || device->revoked) {
    return Error{Code::forbidden, "this device was removed from the fleet", ""};
  }
  v1::EnrollReply out;
  out.set_device_id(device_id);
  out.set_name(device->name);
  out.set_certificate_pem(std::move(certificate));
  out.set_certificate_until_ms(
      static_cast<std::uint64_t>(clock_.wall_ms() + kDeviceDays * kDayMs));
  TRY(const Subject subject, store_.subject(device_id));
  for (const std::string& group : subject.groups) out.add_groups(group);
  TRY(auto desired, store_.desired(device_id));
  for (v1::DesiredApp& app : desired) *out.add_desired() = std::move(app);
  return out;
}

Result<v1::EnrollReply> Enrolment::enroll(const v1::EnrollRequest& request,
                                           const std::string& from) {
  TRY(const proto::CsrFacts csr, proto::check_csr(request.csr_der()));
  TRY(const auto token, store_.enroll_token(ota::hash_token(request.token()).hex()));
  if (!token) {
    return Error{Code::unauthenticated,
                 "this token is not known here; make one: fleetctl enroll-token", ""};
  }
  TRY(const auto before, store_.enroll_use(token->id, csr.public_key_sha256));
  if (before) return reply(*before, request.csr_der());
  TRY(const std::string id, add(*token, request, csr.public_key_sha256, from));
  return reply(id, request.csr_der());
}

Result<std::string> Enrolment::renew(const std::string& device_id, std::string_view csr_der) {
  TRY(const proto::CsrFacts csr, proto::check_csr(csr_der));
  TRY(const auto device, store_.device(device_id));
  if (!device || device->revoked) {
    return Error{Code::forbidden, "this device was removed from the fleet", ""};
  }
  TRY(std::string certificate, issue(csr_der, device_id));
  Store::Transaction transaction(store_);
  TRY_VOID(store_.set_certificate(device_id, csr.public_key_sha256,
                                  clock_.wall_ms() + kDeviceDays * kDayMs));
  TRY_VOID(fleet_.audit().record({"device:" + device->name, "certificate.renewed",
                                  device->name}));
  TRY_VOID(transaction.commit());
  return certificate;
}

}  // namespace controller
