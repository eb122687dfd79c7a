#include "agent/credentials.h"

#include <span>
#include <utility>

#include "ota/hash.h"
#include "ota/json.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::size_t kMaxFileBytes = 64 * proto::kKiB;
constexpr std::string_view kCertificateBegins = "-----BEGIN CERTIFICATE-----";

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Result<std::string> read_text(ota::Disk& disk, const char* path) {
  TRY(const auto bytes, disk.read_file(path, kMaxFileBytes));
  std::string text(bytes.size(), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) text[i] = static_cast<char>(bytes[i]);
  return text;
}

Result<std::string> member(const ota::Json& json, const char* key) {
  const ota::Json* value = json.find(key);
  if (value == nullptr || !value->is_string() || value->as_string().empty()) {
    return Error{Code::bad_argument,
                 std::string(kIdentityFile) + " has no \"" + key + "\"; enrol the device anew",
                 ""};
  }
  return value->as_string();
}

}  // namespace

Result<Identity> load_identity(ota::Disk& disk) {
  auto text = read_text(disk, kIdentityFile);
  if (!text && text.error().code == Code::not_found) {
    return Error{Code::not_found,
                 "this device is not enrolled; make a bootstrap file with `fleetctl enroll-token` "
                 "and run `fleet-agent enroll --bootstrap FILE`", ""};
  }
  if (!text) return text.error();
  TRY(const ota::Json json, ota::parse_json(*text));
  Identity identity;
  TRY(identity.device_id, member(json, "device_id"));
  TRY(identity.name, member(json, "name"));
  TRY(identity.address, member(json, "address"));
  TRY(identity.host_name, member(json, "host_name"));
  TRY(identity.ca_pem, read_text(disk, kCaFile));
  TRY(identity.device_pem, read_text(disk, kDeviceFile));
  return identity;
}

Status store_identity(ota::Disk& disk, const Identity& identity) {
  TRY_VOID(disk.replace_file(kCaFile, as_bytes(identity.ca_pem)));
  TRY_VOID(disk.replace_file(kDeviceFile, as_bytes(identity.device_pem)));
  const ota::Json json = ota::Json::object({{"device_id", identity.device_id},
                                            {"name", identity.name},
                                            {"address", identity.address},
                                            {"host_name", identity.host_name}});
  return disk.replace_file(kIdentityFile, as_bytes(ota::pretty_json(json)));
}

Status check_certificate(const std::string& certificate_pem, const std::string& ca_pem,
                         const std::string& device_id, const proto::PrivateKey& key) {
  TRY_VOID(proto::check_issued_by(certificate_pem, ca_pem));
  TRY(const proto::CertificateFacts facts, proto::read_certificate(certificate_pem));
  if (facts.common_name != device_id) {
    return Error{Code::unauthenticated,
                 "the certificate is for " + facts.common_name + ", not " + device_id, ""};
  }
  if (facts.public_key_sha256 != key.public_key_sha256()) {
    return Error{Code::unauthenticated, "the certificate is for another key", ""};
  }
  return {};
}

Status DiskCredentials::read(const std::string& device_pem) {
  const std::size_t at = device_pem.find(kCertificateBegins);
  if (at == std::string::npos) {
    return Error{Code::bad_argument, "device.pem holds no certificate; enrol the device anew", ""};
  }
  std::string certificate = device_pem.substr(at);
  TRY(facts_, proto::read_certificate(certificate));
  device_pem_ = device_pem;
  certificate_pem_ = std::move(certificate);
  return {};
}

Result<std::unique_ptr<DiskCredentials>> DiskCredentials::load(ota::Disk& disk,
                                                               const Identity& identity) {
  std::unique_ptr<DiskCredentials> out(new DiskCredentials(disk, identity));
  TRY_VOID(out->read(identity.device_pem));
  return out;
}

Result<std::string> DiskCredentials::make_request() {
  TRY(proto::PrivateKey key, proto::PrivateKey::generate());
  TRY(std::string request, proto::make_csr(key, identity_.device_id));
  pending_ = std::move(key);
  return request;
}

Status DiskCredentials::install(const std::string& certificate_pem) {
  if (!pending_) return Error{Code::conflict, "a certificate that was not asked for", ""};
  TRY_VOID(check_certificate(certificate_pem, identity_.ca_pem, identity_.device_id, *pending_));
  const std::string both = pending_->to_pem() + certificate_pem;
  TRY_VOID(disk_.replace_file(kDeviceFile, as_bytes(both)));
  TRY_VOID(read(both));
  pending_.reset();
  ++version_;
  return {};
}

}  // namespace agent
