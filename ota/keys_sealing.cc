#include "ota/keys_sealing.h"

#include <sodium.h>

#include <algorithm>

namespace ota {
namespace {

static_assert(crypto_box_PUBLICKEYBYTES == 32 && crypto_box_SECRETKEYBYTES == 32);
static_assert(crypto_box_SEALBYTES == 48);

constexpr std::string_view kHead = "unifleet secret 1\n";

const std::uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// What stands before the value: compared as a whole, so that nothing of it is ever parsed.
std::string head_of(const SecretPlace& place) {
  std::string head(kHead);
  for (const std::string_view part : {place.device_id, place.app, place.variable}) {
    FLEET_ASSERT(part.find('\n') == std::string_view::npos);
    head += part;
    head += '\n';
  }
  return head;
}

}  // namespace

SealingKey SealingKey::generate() {
  SealingKey key;
  key.secret_ = Secret(crypto_box_SECRETKEYBYTES);
  crypto_box_keypair(key.public_.data(), key.secret_.data());
  return key;
}

Result<SealingKey> SealingKey::from_file(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != crypto_box_SECRETKEYBYTES) {
    return Error{Code::bad_argument, "is no sealing key of 64 hex digits", ""};
  }
  SealingKey key;
  key.secret_ = Secret(crypto_box_SECRETKEYBYTES);
  std::copy(bytes->begin(), bytes->end(), key.secret_.data());
  sodium_memzero(bytes->data(), bytes->size());
  if (crypto_scalarmult_base(key.public_.data(), key.secret_.data()) != 0) {
    return Error{Code::bad_argument, "is no X25519 key", ""};
  }
  return key;
}

Secret SealingKey::to_file() const {
  std::string text = to_hex(std::span(secret_.data(), secret_.size())) + "\n";
  Secret out(text);
  wipe(text);
  return out;
}

Result<Secret> SealingKey::open(std::string_view sealed, const SecretPlace& place) const {
  const Error refused{Code::unauthenticated,
                      std::string(place.variable) + ": is not sealed for this device and variable; "
                      "set it again with fleetctl config set", std::string(place.variable)};
  const std::string head = head_of(place);
  if (sealed.size() < crypto_box_SEALBYTES + head.size()) return refused;
  Secret plain(sealed.size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(plain.data(), as_bytes(sealed), sealed.size(), public_.data(),
                           secret_.data()) != 0) {
    return refused;
  }
  if (!plain.view().starts_with(head)) return refused;
  return Secret(plain.view().substr(head.size()));
}

Result<std::string> seal(std::string_view public_key, const SecretPlace& place,
                         const Secret& value) {
  if (public_key.size() != crypto_box_PUBLICKEYBYTES) {
    return Error{Code::bad_argument, "a device's sealing key is 32 bytes", ""};
  }
  const std::string head = head_of(place);
  Secret plain(head.size() + value.size());
  std::copy(head.begin(), head.end(), plain.data());
  std::copy(value.data(), value.data() + value.size(), plain.data() + head.size());
  std::string sealed(plain.size() + crypto_box_SEALBYTES, '\0');
  if (crypto_box_seal(reinterpret_cast<std::uint8_t*>(sealed.data()), plain.data(), plain.size(),
                      as_bytes(public_key)) != 0) {
    return Error{Code::bad_argument, "the device's sealing key is no X25519 key", ""};
  }
  return sealed;
}

}  // namespace ota
