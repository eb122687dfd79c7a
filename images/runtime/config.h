// The guest's reader of its config volume (images/abi/config_volume.h): bounds-checked, without
// allocation, also compiled for the host to be tested and fuzzed. All views point into the volume.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/abi/config_volume.h"

namespace images::runtime {

/// One interface of the config. `present` is false for indexes that the config does not name.
struct InterfaceConfig {
  bool present = false;
  bool has_mac = false;
  bool has_address = false;   // a fixed IPv4 address
  bool has_address6 = false;  // a fixed IPv6 address, of a /64
  bool dhcp = false;          // its IPv4 address is asked for
  std::string_view name;      // the manifest's; empty: the host does not say
  std::array<std::uint8_t, 6> mac{};
  std::array<std::uint8_t, 4> address{};  // network order, as are the next two
  std::uint8_t prefix_bits = 0;           // 0..32
  std::array<std::uint8_t, 4> gateway{};  // 0.0.0.0 = none
  std::array<std::uint8_t, 4> dns{};      // 0.0.0.0 = none
  std::array<std::uint8_t, 16> address6{};
  std::array<std::uint8_t, 16> gateway6{};  // :: = none
  std::uint16_t mtu = 1500;                 // 576..1500, with an IPv6 address 1280..1500

  /// It forwards frames for the appliance and has no address of its own.
  bool is_frame_port() const { return !has_address && !has_address6 && !dhcp; }
};

/// One file of the manifest's `files`; its path is directory + '/' + name, as ustar splits it.
struct ConfigFile {
  std::string_view directory;  // "" or "/zones"
  std::string_view name;       // "zones/a.zone" or "a.zone"
  std::string_view text;

  /// The whole path, written into the buffer; empty if it is longer than the abi allows.
  std::string_view path(std::span<char, abi::kMaxGuestPathBytes + 1> buffer) const;
};

/// Why a volume was refused; `what == nullptr` means that it was not.
struct ConfigFault {
  const char* what = nullptr;
  std::size_t offset = 0;  // bytes from the start of the volume
  bool failed() const { return what != nullptr; }
};

class Config {
 public:
  /// Read the archive; it must outlive the config. On a fault the config must not be used.
  /// errors  too long | cut short | bad checksum, number, key or address | a missing or doubled
  ///         entry | wrong version | no seed | more of something than the abi allows
  [[nodiscard]] ConfigFault parse(std::span<const std::uint8_t> volume);

  std::string_view hostname() const { return hostname_; }
  const std::array<std::uint8_t, abi::kSeedBytes>& seed() const { return seed_; }
  std::span<const std::string_view> args() const { return {args_.data(), arg_count_}; }
  std::span<const std::string_view> env() const { return {env_.data(), env_count_}; }
  std::span<const ConfigFile> files() const { return {files_.data(), file_count_}; }
  /// The file of that path; nullptr: there is none.
  const ConfigFile* find_file(std::string_view path) const;
  /// index: 0..abi::kMaxVolumeInterfaces - 1.
  const InterfaceConfig& interface(std::size_t index) const { return interfaces_[index]; }

  /// The index of the interface that the manifest calls so; interfaces() if there is none.
  std::size_t find_interface(std::string_view name) const;
  /// One more than the highest index that the config names.
  std::size_t interfaces() const { return interface_count_; }

  /// The value of an environment variable; empty if it is not set.
  std::string_view variable(std::string_view name) const;

 private:
  ConfigFault take_entry(const abi::UstarHeader& header, std::string_view body, std::size_t offset);
  ConfigFault take_file(std::string_view directory, std::string_view name, std::string_view body,
                        std::size_t offset);
  ConfigFault take_config(std::string_view body, std::size_t offset);
  const char* take_key(std::string_view key, std::string_view value);
  const char* take_interface_key(std::string_view key, std::string_view value);
  const char* take_address_key(InterfaceConfig& net, std::string_view key, std::string_view value);
  ConfigFault check_interfaces(std::size_t offset) const;

  std::string_view hostname_;
  std::array<std::uint8_t, abi::kSeedBytes> seed_{};
  bool has_version_ = false;
  bool has_seed_ = false;
  bool has_config_ = false;
  bool has_args_ = false;
  bool has_env_ = false;
  std::array<std::string_view, abi::kMaxVolumeArgs> args_{};
  std::array<std::string_view, abi::kMaxVolumeEnv> env_{};
  std::array<ConfigFile, abi::kMaxVolumeFiles> files_{};
  std::array<InterfaceConfig, abi::kMaxVolumeInterfaces> interfaces_{};
  std::size_t interface_count_ = 0;
  std::size_t arg_count_ = 0;
  std::size_t env_count_ = 0;
  std::size_t file_count_ = 0;
};

}  // namespace images::runtime
