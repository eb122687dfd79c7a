// launcher.conf: a strict line parser, a table of keys, and the check of who may have written it.
#include "agent/launcher/conf.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <set>

#include "agent/launcher/fd.h"
#include "agent/launcher/messages.h"
#include "agent/launcher/serial.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::size_t kMaxConfBytes = 64 * 1024;

Error bad(std::string_view what) { return Error{Code::bad_argument, std::string(what), ""}; }

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!(text = trimmed(text)).empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

Status read_number(std::string_view text, std::uint32_t min, std::uint32_t max,
                   std::uint32_t& out) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min || number > max) {
    return bad("\"" + std::string(text) + "\" must be a number from " + std::to_string(min) +
               " to " + std::to_string(max));
  }
  out = number;
  return {};
}

Status read_bool(std::string_view text, bool& out) {
  if (text != "yes" && text != "no") return bad("must be yes or no");
  out = text == "yes";
  return {};
}

Status read_path(std::string_view text, std::string& out) {
  const bool plain = !text.empty() && text.front() == '/' && text.size() < 100 &&
                     text.find("..") == std::string_view::npos;
  if (!plain) return bad("must be an absolute path below 100 bytes, without ..");
  out = std::string(text);
  return {};
}

/// "22 80 1000-2000"
Status read_ports(std::string_view text, std::vector<PortRange>& out) {
  out.clear();
  for (const std::string_view word : words_of(text)) {
    const std::size_t dash = word.find('-');
    std::uint32_t first = 0;
    TRY_VOID(read_number(word.substr(0, dash), 1, 65535, first));
    std::uint32_t last = first;
    if (dash != std::string_view::npos) {
      TRY_VOID(read_number(word.substr(dash + 1), first, 65535, last));
    }
    out.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)});
    if (out.size() > kMaxDeniedRanges / 2) return bad("more than 32 ports and ranges");
  }
  return {};
}

Status read_name(std::string_view text, std::size_t max, std::string& out) {
  if (!is_interface_name(text) || text.size() > max) {
    return bad("must be letters, digits and -, at most " + std::to_string(max) + " characters");
  }
  out = std::string(text);
  return {};
}

Status read_subnet(std::string_view text, Subnet& out) {
  TRY(const Subnet subnet, parse_subnet(text));
  if (subnet.prefix < 16 || subnet.prefix > 29) return bad("the prefix must be 16 to 29");
  if (!is_unicast(subnet.address)) return bad("must be a unicast network");
  out = subnet;
  return {};
}

Status read_bridges(std::string_view text, std::vector<std::string>& out) {
  out.clear();
  for (const std::string_view word : words_of(text)) {
    std::string name;
    TRY_VOID(read_name(word, kInterfaceNameBytes - 1, name));
    out.push_back(std::move(name));
  }
  return {};
}

/// "br-wan:br-lan br-a:br-b"
Status read_bypasses(std::string_view text, std::vector<BridgePair>& out) {
  out.clear();
  for (const std::string_view word : words_of(text)) {
    const std::size_t colon = word.find(':');
    if (colon == std::string_view::npos) return bad("write two bridges with : between them");
    std::string one;
    std::string other;
    TRY_VOID(read_name(word.substr(0, colon), kInterfaceNameBytes - 1, one));
    TRY_VOID(read_name(word.substr(colon + 1), kInterfaceNameBytes - 1, other));
    if (one == other) return bad(one + " cannot be joined to itself");
    out.push_back(bridge_pair(one, other));
    if (out.size() > kMaxBypasses) return bad("more than 16 pairs of bridges");
  }
  return {};
}

/// "/dev/ttyUSB0 /dev/ttyAMA0:9600"
Status read_serial_lines(std::string_view text, std::vector<SerialPort>& out) {
  out.clear();
  for (const std::string_view word : words_of(text)) {
    const std::size_t colon = word.find(':');
    SerialPort port;
    TRY_VOID(read_path(word.substr(0, colon), port.path));
    if (!port.path.starts_with("/dev/") || port.path.size() >= kDevicePathBytes) {
      return bad("must be below /dev, shorter than 64 bytes");
    }
    if (colon != std::string_view::npos) {
      TRY_VOID(read_number(word.substr(colon + 1), 1, 921600, port.baud));
    }
    if (!is_baud(port.baud)) return bad("is no speed of a serial line, as 9600 or 115200");
    out.push_back(std::move(port));
    if (out.size() > kMaxLentLines) return bad("more than 16 lines");
  }
  return {};
}

Status read_user(std::string_view text, std::string& out) {
  if (text.empty() || text.size() > 32) return bad("must be a user's name");
  out = std::string(text);
  return {};
}

/// The jail shows /usr of the host, and nothing else with programs in it.
Status read_program(std::string_view text, std::string& out) {
  TRY_VOID(read_path(text, out));
  if (text.rfind("/usr/", 0) != 0) return bad("must be below /usr");
  return {};
}

Status set_key(Conf& conf, std::string_view key, std::string_view value) {
  if (key == "agent_user") return read_user(value, conf.agent_user);
  if (key == "agent_uid") return read_number(value, 0, 0x7fffffff, conf.agent_uid);
  if (key == "socket") return read_path(value, conf.socket);
  if (key == "bridge") return read_name(value, kInterfaceNameBytes - 1, conf.bridge);
  if (key == "subnet") return read_subnet(value, conf.subnet);
  if (key == "host_bridges") return read_bridges(value, conf.host_bridges);
  if (key == "bypasses") return read_bypasses(value, conf.bypasses);
  if (key == "serial_lines") return read_serial_lines(value, conf.serial_lines);
  if (key == "uid_first") return read_number(value, 1000, 0x7fff0000, conf.uid_first);
  if (key == "memory_max_mib") return read_number(value, 16, 1 << 24, conf.memory_max_mib);
  if (key == "cpu_percent_max") return read_number(value, 0, 25600, conf.cpu_percent_max);
  if (key == "allowed_ports") return read_ports(value, conf.allowed_ports);
  if (key == "denied_ports") return read_ports(value, conf.denied_ports);
  if (key == "allow_kvm") return read_bool(value, conf.allow_kvm);
  if (key == "qemu") return read_program(value, conf.qemu);
  if (key == "spt") return read_path(value, conf.spt);
  if (key == "hvt") return read_path(value, conf.hvt);
  // Six characters leave room for "255-7" and the NUL within IFNAMSIZ.
  if (key == "tap_prefix") return read_name(value, 6, conf.tap_prefix);
  return Error{Code::not_found, "unknown key; every key is in the commented example", ""};
}

Status check_whole(const Conf& conf, bool agent_named, const std::string& name) {
  if (!agent_named) return bad(name + ": agent_user or agent_uid is missing");
  const auto& others = conf.host_bridges;
  if (std::find(others.begin(), others.end(), conf.bridge) != others.end()) {
    return bad(name + ": host_bridges may not name the managed bridge " + conf.bridge);
  }
  for (const BridgePair& pair : conf.bypasses) {
    for (const std::string& bridge : {pair.first, pair.second}) {
      if (std::find(others.begin(), others.end(), bridge) != others.end()) continue;
      return bad(name + ": bypasses: " + bridge + " is not one of host_bridges");
    }
  }
  return {};
}

}  // namespace

bool Conf::may_publish(std::uint16_t port) const {
  const auto holds = [port](const PortRange& range) { return range.contains(port); };
  return std::any_of(allowed_ports.begin(), allowed_ports.end(), holds) &&
         std::none_of(denied_ports.begin(), denied_ports.end(), holds);
}

std::vector<PortRange> Conf::refused_ports() const {
  std::vector<PortRange> refused;
  for (std::uint32_t port = 1; port <= 65535; ++port) {
    const auto number = static_cast<std::uint16_t>(port);
    if (may_publish(number)) continue;
    if (!refused.empty() && refused.back().last + 1u == port) {
      refused.back().last = number;
    } else {
      refused.push_back({number, number});
    }
  }
  return refused;
}

Result<Conf> parse_conf(std::string_view text, const std::string& name) {
  Conf conf;
  std::set<std::string, std::less<>> seen;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.empty() || line.front() == '#') continue;
    const std::string place = name + ":" + std::to_string(line_number);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return bad(place + ": write key = value");
    const std::string_view key = trimmed(line.substr(0, equals));
    const std::string_view value = trimmed(line.substr(equals + 1));
    if (!seen.insert(std::string(key)).second) {
      return bad(place + ": " + std::string(key) + " is set twice");
    }
    if (const Status set = set_key(conf, key, value); !set) {
      return bad(place + ": " + std::string(key) + ": " + set.error().what);
    }
  }
  const bool agent_named = seen.count("agent_user") + seen.count("agent_uid") == 1;
  TRY_VOID(check_whole(conf, agent_named, name));
  return conf;
}

namespace {

Result<std::string> read_root_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) {
    return Error{Code::not_found, path + " is missing; copy the example and set agent_user", ""};
  }
  if (!fd) return Error{Code::io, path + ": " + std::strerror(errno), ""};
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return Error{Code::io, path + ": " + std::strerror(errno), ""};
  if (!S_ISREG(info.st_mode)) return Error{Code::forbidden, path + " is no regular file", ""};
  if (info.st_uid != 0 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Error{Code::forbidden,
                 path + " could have been written by others than root; chown root, chmod 0644", ""};
  }
  std::string text(kMaxConfBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0) return Error{Code::io, path + ": " + std::strerror(errno), ""};
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxConfBytes) return bad(path + " is larger than 64 KiB");
  text.resize(size);
  return text;
}

}  // namespace

Result<Conf> load_conf(const std::string& path) {
  TRY(const std::string text, read_root_file(path));
  TRY(Conf conf, parse_conf(text, path));
  if (!conf.agent_user.empty()) {
    const struct passwd* entry = ::getpwnam(conf.agent_user.c_str());
    if (entry == nullptr) {
      return bad(path + ": agent_user " + conf.agent_user + " does not exist; adduser --system " +
                 conf.agent_user);
    }
    conf.agent_uid = entry->pw_uid;
    conf.agent_gid = entry->pw_gid;
  } else {
    conf.agent_gid = conf.agent_uid;
  }
  std::error_code ignored;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  if (conf.spt.empty()) conf.spt = (folder / "fleet-spt").string();
  if (conf.hvt.empty()) conf.hvt = (folder / "fleet-hvt").string();
  return conf;
}

}  // namespace launcher
