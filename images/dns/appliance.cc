#include "images/dns/appliance.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "images/dns/counters.h"
#include "images/dns/forward_tcp.h"
#include "images/dns/forward_udp.h"
#include "images/dns/net_address.h"
#include "images/dns/options.h"
#include "images/dns/rate_limit.h"
#include "images/dns/server.h"
#include "images/dns/zone.h"
#include "images/dns/zone_parser.h"
#include "images/runtime/address.h"
#include "images/runtime/console.h"
#include "images/runtime/net/http_page.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"

namespace images::dns {
namespace {

using runtime::print;

constexpr std::size_t kMaxZones = 64;

std::array<Zone, kMaxZones> zones;
Options options;
Counters counters;
Service service;

bool read_options(const runtime::Config& config) {
  const OptionFault of_arguments = read_arguments(config.args(), options);
  if (of_arguments.failed()) {
    print("dns: ", of_arguments.word, ": ", of_arguments.what);
    return false;
  }
  std::array<char, abi::kMaxGuestPathBytes + 1> buffer;
  for (const runtime::ConfigFile& file : config.files()) {
    if (file.path(buffer) != kOptionsPath) continue;
    const OptionFault fault = read_options_file(file.text, options);
    if (!fault.failed()) return true;
    print("dns: ", kOptionsPath, ":", fault.line, ": ", fault.what, ": ", fault.word);
    return false;
  }
  return true;
}

bool add_zone(const runtime::ConfigFile& file, std::string_view path, std::string_view origin,
              runtime::Arena& memory, std::size_t& count) {
  if (count == zones.size()) {
    print("dns: ", path, ": more than ", kMaxZones, " zones");
    return false;
  }
  const ZoneFault fault = parse_zone(file.text, origin, memory, zones[count]);
  if (fault.failed()) {
    runtime::print_fault("dns", path, fault.line, fault.what, fault.word);
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
    const std::string_view origin = zone_of_path(path);
    if (!origin.empty() && !add_zone(file, path, origin, memory, count)) return false;
  }
  if (count > 0 || options.forwards()) return true;
  print("dns: no zone: none of the app's files is /zones/NAME.zone");
  return false;
}

/// Forwarding to oneself would go round until all is full.
bool start_forwarding(const runtime::InterfaceConfig& interface, runtime::Arena& memory) {
  static Upstreams upstreams({options.upstreams.data(), options.upstream_count});
  const Endpoint own{Address::of_ipv4(interface.address), options.port};
  const Endpoint own6{{interface.address6}, options.port};
  for (std::size_t i = 0; i < upstreams.count(); ++i) {
    if (upstreams[i] != own && upstreams[i] != own6) continue;
    print("dns: a server to forward to is this one");
    return false;
  }
  if (!start_forward_udp(service, upstreams, memory) ||
      !start_forward_tcp(service, upstreams, memory)) {
    print("dns: no memory to forward: give the app more");
    return false;
  }
  print("dns: forwards the rest to ", upstreams.count(), " servers");
  return true;
}

/// 0.0.0.0: the one that DHCP will give.
void tell_addresses(const runtime::InterfaceConfig& interface) {
  if (interface.has_address6) {
    print("dns: listening on [", runtime::Ipv6{interface.address6}, "]:", options.port);
  }
  if (!interface.has_address && !interface.dhcp) return;
  const auto& address = interface.address;
  print("dns: listening on ", runtime::Ipv4{{address[0], address[1], address[2], address[3]}},
        ":", options.port);
}

runtime::net::HttpBody write_metrics(std::span<char> out) {
  return {counters.write(service.zones.size(), runtime::platform::monotonic_ms(), out), 200};
}

constexpr std::array<runtime::net::HttpPage, 2> kPages{
    {{"/metrics", runtime::net::kMetricsType, write_metrics},
     runtime::net::kHealthPage}};

}  // namespace

int set_up(const runtime::Config& config, runtime::Arena& memory) {
  std::size_t count = 0;
  if (!read_options(config)) return 1;
  if (!load_zones(config, memory, count)) return 1;
  const runtime::InterfaceConfig& interface = config.interface(0);
  if (interface.is_frame_port()) {
    print("dns: the first interface has no address");
    return 1;
  }
  service = {{zones.data(), count}, &options, nullptr, &counters};
  if (options.answers_per_second > 0) {
    service.rate_limit =
        memory.make<RateLimit>(options.answers_per_second, runtime::random_u64());
    if (service.rate_limit == nullptr) {
      print("dns: no memory for the rate limit: give the app more");
      return 1;
    }
  }
  if (options.forwards() && !start_forwarding(interface, memory)) return 1;
  if (!serve_udp(service, options.port) || !serve_tcp(service, options.port)) {
    print("dns: port ", options.port, " could not be opened");
    return 1;
  }
  if (options.metrics_port != 0 &&
      !runtime::net::serve_pages(options.metrics_port, kPages, memory)) {
    print("dns: no memory or no port ", options.metrics_port, " for metrics");
    return 1;
  }
  tell_addresses(interface);
  return 0;
}

}  // namespace images::dns
