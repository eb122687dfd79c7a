#include "images/runtime/config.h"

#include <algorithm>

#include "images/runtime/address.h"

namespace images::runtime {
namespace {

using abi::kUstarBlockBytes;
using abi::UstarHeader;

constexpr std::uint64_t kPrefixBits6 = 64;  // lwIP takes every link for a /64
constexpr std::uint16_t kMinMtu6 = 1280;    // RFC 8200 section 5

/// The text of a fixed field: up to its first NUL, or all of it.
template <std::size_t N>
std::string_view field(const char (&bytes)[N]) {
  return {bytes, static_cast<std::size_t>(std::find(bytes, bytes + N, '\0') - bytes)};
}

/// Octal digits, then NULs or spaces to the end.
template <std::size_t N>
bool octal(const char (&bytes)[N], std::uint64_t& out) {
  out = 0;
  std::size_t i = 0;
  for (; i < N && bytes[i] >= '0' && bytes[i] <= '7'; ++i) {
    if (out > (UINT64_MAX >> 3)) return false;
    out = out * 8 + static_cast<std::uint64_t>(bytes[i] - '0');
  }
  if (i == 0) return false;
  return std::all_of(bytes + i, bytes + N, [](char c) { return c == '\0' || c == ' '; });
}

bool checksum_holds(std::span<const std::uint8_t> block, const UstarHeader& header) {
  std::uint64_t told = 0;
  if (!octal(header.checksum, told)) return false;
  std::uint64_t sum = 0;
  constexpr std::size_t kBegin = offsetof(UstarHeader, checksum);
  constexpr std::size_t kEnd = kBegin + sizeof(header.checksum);
  for (std::size_t i = 0; i < kUstarBlockBytes; ++i) {
    sum += i >= kBegin && i < kEnd ? std::uint8_t{' '} : block[i];
  }
  return sum == told;
}

/// Fills `out` with NUL-ended strings. nullptr = well.
template <std::size_t N>
const char* split_strings(std::string_view body, std::array<std::string_view, N>& out,
                          std::size_t& count) {
  while (!body.empty()) {
    std::string_view item;
    if (!cut(body, '\0', item)) return "args or env: the last string has no NUL";
    if (count == N) return "args or env: too many strings";
    out[count++] = item;
  }
  return nullptr;
}

}  // namespace

std::string_view ConfigFile::path(std::span<char, abi::kMaxGuestPathBytes + 1> buffer) const {
  const std::size_t size = directory.size() + 1 + name.size();
  if (size > abi::kMaxGuestPathBytes) return {};
  char* end = std::copy(directory.begin(), directory.end(), buffer.data());
  *end++ = '/';
  std::copy(name.begin(), name.end(), end);
  return {buffer.data(), size};
}

ConfigFault Config::parse(std::span<const std::uint8_t> volume) {
  *this = Config{};
  if (volume.size() > abi::kMaxVolumeBytes) return {"the volume is too long", 0};
  std::size_t offset = 0;
  for (;;) {
    if (volume.size() - offset < kUstarBlockBytes) return {"cut short: no end of archive", offset};
    const auto block = volume.subspan(offset, kUstarBlockBytes);
    if (std::all_of(block.begin(), block.end(), [](std::uint8_t b) { return b == 0; })) break;
    // All its members are char, so the block may be read in place and views into it stay valid.
    const auto& header = *reinterpret_cast<const UstarHeader*>(block.data());
    if (field(header.magic) != "ustar") return {"not a ustar header", offset};
    if (!checksum_holds(block, header)) return {"bad header checksum", offset};
    std::uint64_t size = 0;
    if (!octal(header.size, size)) return {"bad size", offset};
    const std::size_t left = volume.size() - offset - kUstarBlockBytes;
    if (size > left) return {"an entry is longer than the volume", offset};
    const auto* text = reinterpret_cast<const char*>(volume.data()) + offset + kUstarBlockBytes;
    const auto length = static_cast<std::size_t>(size);
    const ConfigFault fault = take_entry(header, {text, length}, offset);
    if (fault.failed()) return fault;
    const std::size_t blocks = (length + kUstarBlockBytes - 1) / kUstarBlockBytes;
    const std::size_t padded = blocks * kUstarBlockBytes;
    if (padded > left) return {"cut short inside an entry", offset};
    offset += kUstarBlockBytes + padded;
  }
  if (!has_config_) return {"no entry `config`", offset};
  if (!has_version_) return {"config has no version", offset};
  if (!has_seed_) return {"config has no seed", offset};
  return check_interfaces(offset);
}

ConfigFault Config::take_entry(const UstarHeader& header, std::string_view body,
                               std::size_t offset) {
  if (header.type != '0' && header.type != '\0') return {};
  const std::string_view prefix = field(header.prefix);
  const std::string_view name = field(header.name);
  constexpr std::size_t kFilesBytes = sizeof(abi::kFilesPrefix) - 2;  // "files", no '/'
  if (prefix == "files" || prefix.starts_with(abi::kFilesPrefix)) {
    const std::string_view directory(prefix.data() + kFilesBytes, prefix.size() - kFilesBytes);
    return take_file(directory, name, body, offset);
  }
  if (!prefix.empty()) return {};
  if (name.starts_with(abi::kFilesPrefix)) {
    std::string_view path = name;
    path.remove_prefix(sizeof(abi::kFilesPrefix) - 1);
    return take_file("", path, body, offset);
  }
  if (name == abi::kConfigEntry) return take_config(body, offset);
  if (name == abi::kArgsEntry) {
    if (has_args_) return {"a second entry `args`", offset};
    has_args_ = true;
    return {split_strings(body, args_, arg_count_), offset};
  }
  if (name == abi::kEnvEntry) {
    if (has_env_) return {"a second entry `env`", offset};
    has_env_ = true;
    return {split_strings(body, env_, env_count_), offset};
  }
  return {};
}

ConfigFault Config::take_file(std::string_view directory, std::string_view name,
                              std::string_view body, std::size_t offset) {
  if (name.empty()) return {"a file without a name", offset};
  if (file_count_ == files_.size()) return {"too many files", offset};
  files_[file_count_++] = {directory, name, body};
  return {};
}

ConfigFault Config::take_config(std::string_view body, std::size_t offset) {
  if (has_config_) return {"a second entry `config`", offset};
  has_config_ = true;
  while (!body.empty()) {
    std::string_view line = body;
    if (!cut(body, '\n', line)) body = {};
    if (line.empty()) continue;
    std::string_view key;
    if (!cut(line, '=', key)) return {"config: a line without '='", offset};
    const char* what = take_key(key, line);
    if (what != nullptr) return {what, offset};
  }
  return {};
}

const char* Config::take_key(std::string_view key, std::string_view value) {
  if (key == abi::kVersionKey) {
    if (value != abi::kConfigVersion) return "config: this image reads version 1 only";
    has_version_ = true;
    return nullptr;
  }
  if (key == abi::kHostnameKey) {
    hostname_ = value;
    return nullptr;
  }
  if (key == abi::kSeedKey) {
    if (!parse_hex(value, seed_)) return "config: seed is not 64 hex digits";
    has_seed_ = true;
    return nullptr;
  }
  if (key.starts_with("net")) {
    key.remove_prefix(3);
    return take_interface_key(key, value);
  }
  return nullptr;
}

const char* Config::take_interface_key(std::string_view key, std::string_view value) {
  std::string_view index_text;
  std::uint64_t index = 0;
  if (!cut(key, '.', index_text)) return nullptr;  // some later key that starts alike
  if (!parse_number(index_text, 999, index)) return nullptr;
  if (index >= abi::kMaxVolumeInterfaces) return "config: too many interfaces";
  InterfaceConfig& net = interfaces_[static_cast<std::size_t>(index)];
  net.present = true;
  interface_count_ = std::max(interface_count_, static_cast<std::size_t>(index) + 1);
  if (key == "mac") {
    net.has_mac = parse_mac(value, net.mac);
    return net.has_mac ? nullptr : "config: mac is not XX:XX:XX:XX:XX:XX";
  }
  if (key == "name") {
    net.name = value;
    return nullptr;
  }
  if (key == "mtu") {
    std::uint64_t mtu = 0;
    if (!parse_number(value, 1500, mtu) || mtu < 576) return "config: mtu is not 576..1500";
    net.mtu = static_cast<std::uint16_t>(mtu);
    return nullptr;
  }
  return take_address_key(net, key, value);
}

const char* Config::take_address_key(InterfaceConfig& net, std::string_view key,
                                     std::string_view value) {
  std::string_view address;
  std::uint64_t bits = 0;
  if (key == "address") {
    net.dhcp = value == "dhcp";
    if (net.dhcp) return nullptr;
    net.has_address = cut(value, '/', address) && parse_ipv4(address, net.address) &&
                      parse_number(value, 32, bits);
    net.prefix_bits = static_cast<std::uint8_t>(bits);
    return net.has_address ? nullptr : "config: address is not A.B.C.D/N";
  }
  if (key == "address6") {
    net.has_address6 = cut(value, '/', address) && parse_ipv6(address, net.address6) &&
                       parse_number(value, 128, bits);
    if (!net.has_address6) return "config: address6 is not an IPv6 address and /64";
    return bits == kPrefixBits6 ? nullptr : "config: address6 is not of a /64";
  }
  if (key == "gateway") {
    return parse_ipv4(value, net.gateway) ? nullptr : "config: gateway is not A.B.C.D";
  }
  if (key == "gateway6") {
    return parse_ipv6(value, net.gateway6) ? nullptr : "config: gateway6 is not an IPv6 address";
  }
  if (key == "dns") return parse_ipv4(value, net.dns) ? nullptr : "config: dns is not A.B.C.D";
  return nullptr;
}

/// What only shows once all keys are read.
ConfigFault Config::check_interfaces(std::size_t offset) const {
  for (const InterfaceConfig& net : interfaces_) {
    if (net.dhcp && net.has_address) return {"config: an address and dhcp", offset};
    if (net.has_address6 && net.mtu < kMinMtu6) {
      return {"config: mtu is below 1280, which address6 needs", offset};
    }
  }
  return {};
}

std::size_t Config::find_interface(std::string_view name) const {
  for (std::size_t i = 0; i < interface_count_; ++i) {
    if (interfaces_[i].present && interfaces_[i].name == name) return i;
  }
  return interface_count_;
}

const ConfigFile* Config::find_file(std::string_view path) const {
  std::array<char, abi::kMaxGuestPathBytes + 1> room;
  for (const ConfigFile& file : files()) {
    if (file.path(room) == path) return &file;
  }
  return nullptr;
}

std::string_view Config::variable(std::string_view name) const {
  for (std::string_view entry : env()) {
    std::string_view key;
    if (cut(entry, '=', key) && key == name) return entry;
  }
  return {};
}

}  // namespace images::runtime
