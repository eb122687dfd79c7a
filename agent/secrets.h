// Secrets: this device's sealing key, and what is sealed to it. The key is made here and never
// leaves the device; the controller is told its public half in every Hello.
#pragma once

#include <string>
#include <string_view>

#include "ota/disk.h"
#include "ota/keys_sealing.h"
#include "proto/result.h"

namespace agent {

inline constexpr const char* kSealingKeyFile = "sealing.key";  // below the state directory, 0600

class Secrets {
 public:
  /// Reads the key, or makes one: state directories of before have none. One that cannot be read is
  /// replaced, and what was sealed to it must be set again.
  /// errors no_space | io
  static proto::Result<Secrets> load(ota::Disk& disk, std::string device_id);

  /// 32 bytes.
  std::string public_key() const;
  /// The same as hex digits, for people who compare.
  std::string public_hex() const;
  /// errors unauthenticated (not sealed for this variable of this app on this device)
  proto::Result<ota::Secret> open(std::string_view app, std::string_view variable,
                                  std::string_view sealed) const;

 private:
  Secrets(ota::SealingKey key, std::string device_id)
      : key_(std::move(key)), device_id_(std::move(device_id)) {}

  ota::SealingKey key_;
  std::string device_id_;
};

}  // namespace agent
