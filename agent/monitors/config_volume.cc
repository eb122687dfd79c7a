// The config volume's writer: ustar headers by hand, because the format is one block and the
// guest's reader shares its struct.
#include "agent/monitors/config_volume.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "images/abi/config_volume.h"
#include "proto/limits.h"

namespace monitors {
namespace {

namespace abi = images::abi;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

/// Octal digits that fill a numeric field but for its final NUL.
template <std::size_t N>
void put_octal(char (&field)[N], std::size_t value) {
  for (std::size_t i = N - 1; i-- > 0;) {
    field[i] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
  field[N - 1] = '\0';
}

/// Splits a long path at a slash into prefix and name, as ustar says.
Status put_path(const std::string& path, abi::UstarHeader& header) {
  std::size_t name_at = 0;
  if (path.size() > sizeof header.name) {
    const std::size_t slash = path.find('/', path.size() - sizeof header.name - 1);
    const bool fits = slash != std::string::npos && slash > 0 && slash <= sizeof header.prefix &&
                      slash + 1 < path.size();
    if (!fits) {
      return Error{Code::bad_argument,
                   "files: " + path + ": more than 100 bytes without a folder to split at", ""};
    }
    path.copy(header.prefix, slash);
    name_at = slash + 1;
  }
  path.copy(header.name, sizeof header.name, name_at);
  return {};
}

Status add_entry(std::string& archive, const std::string& path, const std::string& bytes) {
  abi::UstarHeader header{};
  TRY_VOID(put_path(path, header));
  put_octal(header.mode, 0444);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, bytes.size());
  put_octal(header.mtime, 0);
  header.type = '0';
  std::memcpy(header.magic, "ustar", sizeof header.magic);
  std::memcpy(header.version, "00", sizeof header.version);
  std::memset(header.checksum, ' ', sizeof header.checksum);
  std::size_t sum = 0;
  const auto* raw = reinterpret_cast<const unsigned char*>(&header);
  for (std::size_t i = 0; i < sizeof header; ++i) sum += raw[i];
  char digits[7];  // six digits and NUL, then the space that stands there already
  put_octal(digits, sum);
  std::memcpy(header.checksum, digits, sizeof digits);
  archive.append(reinterpret_cast<const char*>(&header), sizeof header);
  archive += bytes;
  archive.resize((archive.size() + abi::kUstarBlockBytes - 1) / abi::kUstarBlockBytes *
                 abi::kUstarBlockBytes);
  return {};
}

std::string hex(const std::string& bytes) {
  std::string text;
  char digits[3];
  for (const char c : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
    text += digits;
  }
  return text;
}

Status check_value(const std::string& value, const char* what) {
  if (value.find_first_of(std::string("\n\0", 2)) == std::string::npos) return {};
  return Error{Code::bad_argument, std::string(what) + " may hold no line break and no NUL", ""};
}

Result<std::string> config_text(const GuestConfig& config) {
  TRY_VOID(check_value(config.hostname, "hostname"));
  if (config.seed.size() != abi::kSeedBytes) {
    return Error{Code::bad_argument, "the guest's seed must be 32 random bytes", ""};
  }
  std::string text = std::string(abi::kVersionKey) + "=" + abi::kConfigVersion + "\n";
  text += std::string(abi::kHostnameKey) + "=" + config.hostname + "\n";
  text += std::string(abi::kSeedKey) + "=" + hex(config.seed) + "\n";
  for (std::size_t i = 0; i < config.interfaces.size(); ++i) {
    const GuestInterface& interface = config.interfaces[i];
    const std::string key = "net" + std::to_string(i) + ".";
    TRY_VOID(check_value(interface.name, "network: name"));
    if (!interface.name.empty()) text += key + "name=" + interface.name + "\n";
    text += key + "mac=" + to_string(interface.mac) + "\n";
    if (interface.dhcp) text += key + "address=dhcp\n";
    if (!interface.address6.is_none()) {
      text += key + "address6=" + to_string(interface.address6) + "/64\n";
    }
    if (!interface.gateway6.is_none()) {
      text += key + "gateway6=" + to_string(interface.gateway6) + "\n";
    }
    if (interface.address.value != 0) {
      text += key + "address=" + to_string(interface.address) + "/" +
              std::to_string(interface.prefix) + "\n";
    }
    if (interface.gateway.value != 0) {
      text += key + "gateway=" + to_string(interface.gateway) + "\n";
    }
    if (!interface.dns.empty()) text += key + "dns=" + to_string(interface.dns.front()) + "\n";
  }
  return text;
}

Result<std::string> with_ends(const std::vector<std::string>& words, const char* what) {
  std::string text;
  for (const std::string& word : words) {
    if (word.find('\0') != std::string::npos) {
      return Error{Code::bad_argument, std::string(what) + " may hold no NUL", ""};
    }
    text += word;
    text += '\0';
  }
  return text;
}

/// "/zones/a.zone": absolute, plain, within what the guest accepts.
Status check_guest_path(const std::string& path) {
  const bool absolute = path.size() > 1 && path.front() == '/' && path.back() != '/';
  const std::string framed = path + "/";
  const bool plain = framed.find("//") == std::string::npos &&
                     framed.find("/./") == std::string::npos &&
                     framed.find("/../") == std::string::npos &&
                     path.find('\0') == std::string::npos;
  if (absolute && plain && path.size() + sizeof abi::kFilesPrefix <= abi::kMaxGuestPathBytes) {
    return {};
  }
  return Error{Code::bad_argument,
               "files: " + path + ": must be an absolute guest path without . and .., of at most " +
                   std::to_string(abi::kMaxGuestPathBytes - sizeof abi::kFilesPrefix) + " bytes",
               ""};
}

Status check_counts(const GuestConfig& config) {
  const char* what = nullptr;
  if (config.args.size() > abi::kMaxVolumeArgs) what = "args: more than 128";
  if (config.env.size() > abi::kMaxVolumeEnv) what = "env: more than 128";
  if (config.files.size() > abi::kMaxVolumeFiles) what = "files: more than 128";
  if (config.interfaces.size() > abi::kMaxVolumeInterfaces) what = "network: more than 8";
  if (what == nullptr) return {};
  return Error{Code::too_large, what, ""};
}

}  // namespace

Result<std::string> config_volume(const GuestConfig& config) {
  TRY_VOID(check_counts(config));
  std::string archive;
  TRY(const std::string text, config_text(config));
  TRY_VOID(add_entry(archive, abi::kConfigEntry, text));
  TRY(const std::string args, with_ends(config.args, "args"));
  TRY_VOID(add_entry(archive, abi::kArgsEntry, args));
  std::vector<std::string> pairs;
  for (const auto& [name, value] : config.env) pairs.push_back(name + "=" + value);
  TRY(const std::string env, with_ends(pairs, "env"));
  TRY_VOID(add_entry(archive, abi::kEnvEntry, env));
  std::size_t total = 0;
  for (const auto& [path, bytes] : config.files) {
    TRY_VOID(check_guest_path(path));
    total += bytes.size();
    if (bytes.size() > proto::kMaxFileBytes || total > proto::kMaxFilesBytes) {
      return Error{Code::too_large, "files: " + path + ": over 1 MiB, or over 4 MiB in all", ""};
    }
    TRY_VOID(add_entry(archive, abi::kFilesPrefix + path.substr(1), bytes));
  }
  archive.resize(archive.size() + 2 * abi::kUstarBlockBytes);
  return archive;
}

Result<agent::Fd> memory_file(const std::string& name, const std::string& bytes) {
  const auto failed = [&name] {
    return Error{Code::io, "memory file " + name + ": " + std::strerror(errno), ""};
  };
  const agent::Fd writer(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!writer) return failed();
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(writer.get(), bytes.data() + done, bytes.size() - done);
    if (wrote <= 0) return failed();
    done += static_cast<std::size_t>(wrote);
  }
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (::fchmod(writer.get(), 0444) != 0 || ::fcntl(writer.get(), F_ADD_SEALS, kSeals) != 0) {
    return failed();
  }
  // The launcher takes only descriptors that cannot write.
  const std::string path = "/proc/self/fd/" + std::to_string(writer.get());
  agent::Fd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader) return failed();
  return reader;
}

}  // namespace monitors
