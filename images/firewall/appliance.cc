#include "images/firewall/appliance.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "images/firewall/firewall.h"
#include "images/firewall/log_lines.h"
#include "images/firewall/metrics.h"
#include "images/firewall/options.h"
#include "images/firewall/rule_parser.h"
#include "images/runtime/console.h"
#include "images/runtime/net/http_page.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"

namespace images::firewall {
namespace {

using runtime::print;

constexpr std::string_view kRulesPath = "/rules";
constexpr int kExitRefused = 1;

/// The two sides of the bridge, and what goes through it.
struct Bridge {
  std::array<std::string_view, runtime::platform::kMaxPorts> names{};      // forwarded
  std::array<std::string_view, runtime::platform::kMaxPorts> addressed{};  // the others
  std::array<std::size_t, 2> ports{};
  std::array<std::uint64_t, runtime::platform::kMaxPorts> received{};
  std::array<std::uint64_t, runtime::platform::kMaxPorts> lost{};  // the host had no room
  RuleSet rules;
  Firewall firewall;
  LogLines log;
};

Bridge bridge;

void on_frame(void*, std::size_t port, std::span<std::uint8_t> frame, std::uint64_t now_ms) {
  const std::size_t out = port == bridge.ports[0] ? bridge.ports[1] : bridge.ports[0];
  ++bridge.received[port];
  const Outcome outcome = bridge.firewall.judge(frame, port, out, now_ms);
  if (is_forwarded(outcome.reason) && !runtime::send_frame(out, frame)) ++bridge.lost[out];
  if (!outcome.has_log) return;
  bridge.log.write(outcome, bridge.firewall.packet(), bridge.names[port], bridge.names[out],
                   now_ms);
}

bool on_own_frame(void*, std::size_t port, std::span<const std::uint8_t> frame,
                  std::uint64_t now_ms) {
  return bridge.firewall.admits(frame, port, now_ms);
}

bool find_ports(const runtime::Config& config) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < config.interfaces(); ++i) {
    const runtime::InterfaceConfig& interface = config.interface(i);
    if (!interface.present) continue;
    if (!interface.is_frame_port()) {
      bridge.addressed[i] = interface.name;
      runtime::filter_frames(i, on_own_frame, nullptr);
      continue;
    }
    if (interface.name.empty()) {
      print("firewall: net", i, " has no name in the config: rules could not speak of it");
      return false;
    }
    bridge.names[i] = interface.name;
    if (count < bridge.ports.size()) bridge.ports[count] = i;
    ++count;
  }
  if (count == bridge.ports.size()) return true;
  print("firewall: it forwards between two interfaces with `address: none`; there are ", count);
  return false;
}

bool read_rules(const runtime::Config& config, runtime::Arena& memory) {
  const runtime::ConfigFile* file = config.find_file(kRulesPath);
  if (file == nullptr) {
    print("firewall: none of the app's files is ", kRulesPath);
    return false;
  }
  const RulesFault fault = parse_rules(file->text, {bridge.names, bridge.addressed}, memory,
                                       bridge.rules);
  if (!fault.failed()) return true;
  const char* before_word = fault.word.empty() ? "" : ": ";
  print("firewall: ", kRulesPath, ":", fault.line, ": ", fault.what, before_word, fault.word);
  return false;
}

bool start_firewall(const Options& options, runtime::Arena& memory) {
  FirewallOptions sizes;
  sizes.flows = options.flows;
  sizes.adopt_until_ms = std::uint64_t{options.adopt_seconds} * 1000;
  const HashKey key{runtime::random_u64(), runtime::random_u64()};
  if (bridge.firewall.create(sizes, bridge.rules, key, memory)) return true;
  print("firewall: too little memory for ", options.flows, " flows: give the app more");
  return false;
}

runtime::net::HttpBody write_figures(std::span<char> out) {
  std::array<PortCounts, 2> counts;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t port = bridge.ports[i];
    counts[i] = {bridge.names[port], bridge.received[port], bridge.lost[port]};
  }
  return {write_metrics(bridge.firewall, counts, out), 200};
}

constexpr std::array<runtime::net::HttpPage, 2> kPages{
    {{"/metrics", runtime::net::kMetricsType, write_figures},
     runtime::net::kHealthPage}};

bool serve_figures(std::uint32_t port, runtime::Arena& memory) {
  if (port == 0) return true;
  if (runtime::net::serve_pages(static_cast<std::uint16_t>(port), kPages, memory)) return true;
  print("firewall: port ", port, " could not be opened");
  return false;
}

}  // namespace

int set_up(const runtime::Config& config, runtime::Arena& memory) {
  Options options;
  std::string_view bad;
  const char* what = parse_options(config.args(), options, bad);
  if (what != nullptr) {
    print("firewall: ", bad, ": ", what);
    return kExitRefused;
  }
  if (!find_ports(config) || !read_rules(config, memory) || !start_firewall(options, memory)) {
    return kExitRefused;
  }
  if (!serve_figures(options.metrics_port, memory)) return kExitRefused;
  for (const std::size_t port : bridge.ports) {
    RUNTIME_ASSERT(runtime::take_frames(port, on_frame, nullptr));
  }
  print("firewall: forwarding between ", bridge.names[bridge.ports[0]], " and ",
        bridge.names[bridge.ports[1]], ": ", bridge.rules.forward.rules.size(), " rules, room for ",
        options.flows, " flows");
  return 0;
}

}  // namespace images::firewall
