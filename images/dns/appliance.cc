#include "images/dns/appliance.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "images/dns/rate_limit.h"
#include "images/dns/server.h"
#include "images/dns/zone.h"
#include "images/dns/zone_parser.h"
#include "images/runtime/address.h"
#include "images/runtime/console.h"
#include "images/runtime/random.h"

namespace images::dns {
namespace {

using runtime::print;

constexpr std::size_t kMaxZones = 64;
constexpr std::string_view kFolder = "/zones/";
constexpr std::string_view kEnding = ".zone";

struct Options {
  std::uint16_t port = 53;
  std::uint32_t answers_per_second = 0;  // per /24; 0 = no limit
};

std::array<Zone, kMaxZones> zones;

/// The value behind `--name=`; empty if the argument is another one.
std::string_view value_of(std::string_view argument, std::string_view name) {
  if (!argument.starts_with(name)) return {};
  argument.remove_prefix(name.size());
  return argument;
}

bool read_options(const runtime::Config& config, Options& options) {
  for (const std::string_view argument : config.args()) {
    std::uint64_t value = 0;
    const std::string_view port = value_of(argument, "--port=");
    const std::string_view limit = value_of(argument, "--rrl=");
    if (!port.empty()) {
      if (!runtime::parse_number(port, 65535, value) || value == 0) {
        print("dns: ", argument, ": not a port of 1..65535");
        return false;
      }
      options.port = static_cast<std::uint16_t>(value);
    } else if (!limit.empty()) {
      if (!runtime::parse_number(limit, 1'000'000, value)) {
        print("dns: ", argument, ": not a number of answers per second, 0..1000000");
        return false;
      }
      options.answers_per_second = static_cast<std::uint32_t>(value);
    } else {
      print("dns: ", argument, ": no such argument; there are --port=N and --rrl=N");
      return false;
    }
  }
  return true;
}

/// The zone's name in a path "/zones/NAME.zone"; empty for any other file.
std::string_view zone_of(std::string_view path) {
  if (!path.starts_with(kFolder) || !path.ends_with(kEnding)) return {};
  path.remove_prefix(kFolder.size());
  path.remove_suffix(kEnding.size());
  return path.find('/') == std::string_view::npos ? path : std::string_view{};
}

void tell_fault(std::string_view path, const ZoneFault& fault) {
  runtime::Line line;
  line.add("dns: ");
  line.add(path);
  if (fault.line > 0) {
    line.add(':');
    line.add(fault.line);
  }
  line.add(": ");
  line.add(fault.what);
  if (!fault.word.empty()) {
    line.add(": ");
    line.add(fault.word);
  }
  runtime::print_line(line);
}

bool add_zone(const runtime::ConfigFile& file, std::string_view path, std::string_view origin,
              runtime::Arena& memory, std::size_t& count) {
  if (count == zones.size()) {
    print("dns: ", path, ": more than ", kMaxZones, " zones");
    return false;
  }
  const ZoneFault fault = parse_zone(file.text, origin, memory, zones[count]);
  if (fault.failed()) {
    tell_fault(path, fault);
    return false;
  }
  const Zone& zone = zones[count];
  std::array<char, 300> text;
  const std::string_view name = name_text(zone.origin(), text);
  for (std::size_t i = 0; i < count; ++i) {
    if (!same_name(zones[i].origin(), zone.origin())) continue;
    print("dns: ", path, ": zone ", name, " is in another file too");
    return false;
  }
  ++count;
  print("dns: zone ", name, ": ", zone.records().size(), " records");
  return true;
}

bool load_zones(const runtime::Config& config, runtime::Arena& memory, std::size_t& count) {
  std::array<char, abi::kMaxGuestPathBytes + 1> buffer;
  for (const runtime::ConfigFile& file : config.files()) {
    const std::string_view path = file.path(buffer);
    const std::string_view origin = zone_of(path);
    if (!origin.empty() && !add_zone(file, path, origin, memory, count)) return false;
  }
  if (count == 0) print("dns: no zone: none of the app's files is /zones/NAME.zone");
  return count > 0;
}

}  // namespace

int set_up(const runtime::Config& config, runtime::Arena& memory) {
  Options options;
  std::size_t count = 0;
  if (!read_options(config, options)) return 1;
  if (!load_zones(config, memory, count)) return 1;
  if (config.interface(0).is_frame_port()) {
    print("dns: the first interface has no address");
    return 1;
  }
  static RateLimit rate_limit(options.answers_per_second, runtime::random_u64());
  if (!serve({{zones.data(), count}, options.port, &rate_limit})) {
    print("dns: port ", options.port, " could not be opened");
    return 1;
  }
  const auto& address = config.interface(0).address;
  print("dns: listening on ", runtime::Ipv4{{address[0], address[1], address[2], address[3]}},
        ":", options.port);
  return 0;
}

}  // namespace images::dns
