#include "agent/secrets.h"

#include <span>
#include <utility>

#include "proto/log.h"

namespace agent {
namespace {

using proto::Code;
using proto::Result;

constexpr std::size_t kMaxKeyFileBytes = 256;

Result<ota::SealingKey> read_key(ota::Disk& disk) {
  TRY(auto bytes, disk.read_file(kSealingKeyFile, kMaxKeyFileBytes));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto key = ota::SealingKey::from_file(text);
  for (std::byte& byte : bytes) byte = std::byte{0};
  return key;
}

}  // namespace

Result<Secrets> Secrets::load(ota::Disk& disk, std::string device_id) {
  auto key = read_key(disk);
  if (key) return Secrets(std::move(*key), std::move(device_id));
  const Code why = key.error().code;
  if (why == Code::bad_argument || why == Code::too_large) {
    proto::log_error("sealing_key.replaced", {{"why", key.error().what}});
  } else if (why != Code::not_found) {
    return key.error();
  }
  ota::SealingKey made = ota::SealingKey::generate();
  const ota::Secret text = made.to_file();
  TRY_VOID(disk.replace_file(kSealingKeyFile,
                             std::as_bytes(std::span(text.data(), text.size()))));
  return Secrets(std::move(made), std::move(device_id));
}

std::string Secrets::public_key() const {
  const auto& bytes = key_.public_bytes();
  return std::string(bytes.begin(), bytes.end());
}

std::string Secrets::public_hex() const { return ota::to_hex(key_.public_bytes()); }

Result<ota::Secret> Secrets::open(std::string_view app, std::string_view variable,
                                  std::string_view sealed) const {
  return key_.open(sealed, {device_id_, app, variable});
}

}  // namespace agent
