#include "agent/tenders/options.h"

namespace tenders {
namespace {

namespace abi = images::abi;
using proto::Code;

constexpr std::uint64_t kMaxMemoryMib = 1024 * 1024;
constexpr std::uint64_t kMaxDescriptor = 1023;
constexpr std::uint64_t kMaxGraceMs = 600'000;

/// "--name[:device][=value]" in its parts; views into the word.
struct Option {
  std::string_view word;
  std::string_view name;
  std::string_view device;
  std::string_view value;
  bool has_value = false;
};

Option split(std::string_view word) {
  Option option{word, word, {}, {}, false};
  const std::size_t equals = word.find('=');
  if (equals != std::string_view::npos) {
    option.name = std::string_view(word.data(), equals);
    option.value = word;
    option.value.remove_prefix(equals + 1);
    option.has_value = true;
  }
  const std::size_t colon = option.name.find(':');
  if (colon != std::string_view::npos) {
    option.device = option.name;
    option.device.remove_prefix(colon + 1);
    option.name = std::string_view(option.name.data(), colon);
  }
  return option;
}

/// "@7" is a descriptor, everything else a path ("./@7" for a file of that name).
bool parse_source(std::string_view text, Source& source) {
  if (text.empty()) return false;
  if (text[0] != '@') {
    source.path = text;
    return true;
  }
  std::uint64_t number = 0;
  text.remove_prefix(1);
  if (!parse_number(text, kMaxDescriptor, number)) return false;
  source.descriptor = static_cast<int>(number);
  return true;
}

/// The record of a device, made if it is not there. nullptr: too many.
DeviceOption* device_of(Options& options, std::string_view name, std::uint32_t kind) {
  for (std::size_t i = 0; i < options.device_count; ++i) {
    DeviceOption& device = options.devices[i];
    if (device.name == name && device.kind == kind) return &device;
  }
  if (options.device_count == options.devices.size()) return nullptr;
  DeviceOption& device = options.devices[options.device_count++];
  device.name = name;
  device.kind = kind;
  return &device;
}

bool take_net(DeviceOption& device, const Option& option, Failure& failure) {
  std::uint64_t number = 0;
  if (option.name == "--net") {
    if (device.source.is_given()) {
      return failure.because(Code::bad_argument, Foreign{option.word}, ": ", Foreign{device.name},
                             " is attached twice");
    }
    if (parse_source(option.value, device.source)) return true;
  } else if (option.name == "--net-mac") {
    const bool parsed = parse_mac(option.value, device.mac);
    // All zero is as if it were not given, as in Solo5's tenders.
    device.has_mac = parsed && device.mac != decltype(device.mac){};
    if (parsed && (device.mac[0] & 1) == 0) return true;
    return failure.because(Code::bad_argument, Foreign{option.word},
                           ": a unicast address like 52:54:00:12:34:56 is expected");
  } else if (parse_number(option.value, 65535, number) && number >= 68) {
    device.mtu = static_cast<std::uint16_t>(number);
    return true;
  }
  return failure.because(Code::bad_argument, Foreign{option.word},
                         ": --net:NAME=TAP, --net:NAME=@FD or --net-mtu:NAME=68..65535");
}

bool take_block(DeviceOption& device, const Option& option, Failure& failure) {
  std::uint64_t number = 0;
  if (option.name == "--block") {
    if (device.source.is_given()) {
      return failure.because(Code::bad_argument, Foreign{option.word}, ": ", Foreign{device.name},
                             " is attached twice");
    }
    if (parse_source(option.value, device.source)) return true;
  } else if (option.name == "--block-sector-size") {
    const bool is_number = parse_number(option.value, 1U << 30, number);
    if (is_number && number >= 512 && number <= 32768 && (number & (number - 1)) == 0) {
      device.sector_bytes = static_cast<std::uint32_t>(number);
      return true;
    }
    return failure.because(Code::bad_argument, Foreign{option.word},
                           ": Block size must be a multiple of 2 greater than or equal 512"
                           " (a power of two, at most 32768)");
  } else if (option.value == "always" || option.value == "never") {
    device.sync = option.value == "always" ? BlockSync::always : BlockSync::never;
    return true;
  }
  return failure.because(Code::bad_argument, Foreign{option.word},
                         ": --block:NAME=FILE, --block:NAME=@FD or --block-sync:NAME=always|never");
}

bool take_device_option(Options& options, const Option& option, Failure& failure) {
  const bool is_net = option.name.starts_with("--net");
  const std::uint32_t kind = is_net ? abi::kDeviceNet : abi::kDeviceBlock;
  if (option.device.empty() || !option.has_value || option.device.size() >= abi::kDeviceNameBytes) {
    return failure.because(Code::bad_argument, Foreign{option.word}, ": ", option.name,
                           ":NAME=VALUE is expected, NAME of 1 to 67 characters");
  }
  DeviceOption* device = device_of(options, option.device, kind);
  if (device == nullptr) {
    return failure.because(Code::bad_argument, "more than ", options.devices.size(), " devices");
  }
  return is_net ? take_net(*device, option, failure) : take_block(*device, option, failure);
}

bool take_descriptor(int& out, const Option& option, Failure& failure) {
  Source source;
  if (!parse_source(option.value, source) || source.descriptor < 0) {
    return failure.because(Code::bad_argument, Foreign{option.word}, ": ", option.name,
                           "=@FD is expected, an inherited descriptor");
  }
  out = source.descriptor;
  return true;
}

bool take_option(Options& options, const Option& option, Failure& failure) {
  const std::string_view name = option.name;
  if (name == "--net" || name == "--net-mac" || name == "--net-mtu" || name == "--block" ||
      name == "--block-sector-size" || name == "--block-sync") {
    return take_device_option(options, option, failure);
  }
  std::uint64_t number = 0;
  if (option.device.empty() && option.has_value) {
    if (name == "--mem") {
      if (parse_number(option.value, kMaxMemoryMib, options.memory_mib)) return true;
      return failure.because(Code::bad_argument, Foreign{option.word}, ": --mem=MB is expected");
    }
    if (name == "--exit-report") return take_descriptor(options.report_descriptor, option, failure);
    if (name == "--stats") return take_descriptor(options.stats_descriptor, option, failure);
    if (name == "--kvm") return take_descriptor(options.kvm_descriptor, option, failure);
    if (name == "--stop-grace-ms" && parse_number(option.value, kMaxGraceMs, number)) {
      options.stop_grace_ms = static_cast<std::uint32_t>(number);
      return true;
    }
  }
  if (option.word == "--x-exec-heap") {
    options.exec_heap = true;
    return true;
  }
  if (option.word == "--help" || option.word == "-h") {
    options.action = Action::show_help;
    return true;
  }
  if (option.word == "--version") {
    options.action = Action::show_version;
    return true;
  }
  return failure.because(Code::bad_argument, Foreign{option.word},
                         ": no such option, or not with this value; see --help");
}

/// The guest's words, joined by one blank.
bool join(std::span<const char* const> words, Options& options, Failure& failure) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word(words[i]);
    const std::size_t blank = i == 0 ? 0 : 1;
    if (word.size() + blank > options.command_line.size() - 1 - size) {
      return failure.because(Code::too_large, "the guest's arguments are longer than ",
                             abi::kMaxCommandLineBytes - 1, " characters");
    }
    if (blank != 0) options.command_line[size++] = ' ';
    for (const char c : word) options.command_line[size++] = c;
  }
  options.command_line[size] = '\0';
  options.command_line_bytes = size;
  return true;
}

}  // namespace

bool parse_options(std::span<const char* const> words, Options& options, Failure& failure) {
  std::size_t next = 0;
  for (; next < words.size(); ++next) {
    const std::string_view word(words[next]);
    if (word == "--") {
      ++next;
      break;
    }
    if (word.empty() || word[0] != '-') break;
    if (!take_option(options, split(word), failure)) return false;
    if (options.action != Action::run) return true;
  }
  if (next == words.size()) {
    return failure.because(Code::bad_argument, "no image is named; see --help");
  }
  options.image_name = words[next];
  if (!parse_source(options.image_name, options.image)) {
    return failure.because(Code::bad_argument, Foreign{options.image_name},
                           ": a file or @FD is expected as the image");
  }
  return join(words.subspan(next + 1), options, failure);
}

Text usage(std::string_view program) {
  Text text;
  text.add_all(
      "usage: ", program, " [OPTION]... [--] IMAGE [ARGUMENT]...\n"
      "IMAGE, FILE and TAP may be @FD, a descriptor that was inherited.\n"
      "  --mem=MB                         the guest's memory (512)\n"
      "  --net:NAME=TAP                   attach a tap interface\n"
      "  --net-mac:NAME=MAC               its address in the guest\n"
      "  --net-mtu:NAME=N                 its MTU (the host's)\n"
      "  --block:NAME=FILE                attach a file or disk\n"
      "  --block-sector-size:NAME=N       512 to 32768 (512)\n"
      "  --block-sync:NAME=always|never   write through to the disk (never)\n"
      "  --stop-grace-ms=N                after SIGTERM, let the guest end by itself so long (0)\n"
      "  --kvm=@FD                        /dev/kvm, opened by who started us (hvt)\n"
      "  --exit-report=@FD                at the end a line of JSON: why, and a trap's registers\n"
      "  --stats=@FD                      and one of figures; spt: time and memory alone, as its\n"
      "                                   guest makes its transfers itself\n"
      "  --help, --version\n");
  return text;
}

}  // namespace tenders
