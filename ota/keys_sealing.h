// Secrets on their way to one device: sealed by an operator to the device's X25519 key (libsodium's
// sealed boxes), carried by a controller that cannot open them, opened on the device.
// What is sealed says for which device, app and variable it is, so that nobody who carries it can
// hand it over as another. It does not say who sealed it: whoever knows the public key may seal.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "ota/hash.h"

namespace ota {

/// What a secret is for. None of them holds a line end.
struct SecretPlace {
  std::string_view device_id;
  std::string_view app;
  std::string_view variable;
};

/// The key pair of a device; its secret half is wiped when it goes. Movable, never copied.
class SealingKey {
 public:
  static SealingKey generate();
  /// Reads what to_file() wrote. errors bad_argument
  static Result<SealingKey> from_file(std::string_view text);
  /// The secret half, for a file of mode 600 on the device.
  Secret to_file() const;

  const std::array<std::uint8_t, 32>& public_bytes() const { return public_; }

  /// What seal() sealed for this place, and for no other.
  /// errors unauthenticated (sealed to another key, changed, or for another place)
  Result<Secret> open(std::string_view sealed, const SecretPlace& place) const;

 private:
  SealingKey() = default;

  Secret secret_;  // 32 bytes
  std::array<std::uint8_t, 32> public_{};
};

/// in     public_key: 32 bytes
/// errors bad_argument (no X25519 key)
Result<std::string> seal(std::string_view public_key, const SecretPlace& place,
                         const Secret& value);

/// How much longer than its value a sealed secret is at most.
inline constexpr std::size_t kSealedOverheadBytes = 48 + 18 + 3 * 42;

}  // namespace ota
