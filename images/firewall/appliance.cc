#include "images/firewall/appliance.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "images/firewall/bridge.h"
#include "images/firewall/interfaces.h"
#include "images/firewall/log_lines.h"
#include "images/firewall/metrics.h"
#include "images/firewall/options.h"
#include "images/firewall/router.h"
#include "images/firewall/rule_parser.h"
#include "images/runtime/console.h"
#include "images/runtime/net/http_page.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"

namespace images::firewall {
namespace {

using runtime::print;

constexpr int kExitRefused = 1;
constexpr std::size_t kStations = 4096;
constexpr std::uint32_t kTickMs = 1000;

/// All there is: one of bridge and router is in use.
struct State {
  Interfaces interfaces;
  std::array<std::uint64_t, kMaxRouterPorts> received{};
  std::array<std::uint64_t, kMaxRouterPorts> lost{};  // the host had no room
  RuleSet rules;
  Firewall firewall;
  Bridge bridge;
  Router router;
  LogLines log;
};

constinit State state;

void send(std::size_t port, Bytes frame) {
  if (!runtime::send_frame(port, frame)) ++state.lost[port];
}

void log(const Outcome& outcome, std::size_t in_port, std::size_t out_port, std::uint64_t now_ms) {
  if (!outcome.has_log) return;
  const auto& names = state.interfaces.names;
  state.log.write(outcome, state.firewall.packet(), names[in_port], names[out_port], now_ms);
}

/// In the name of the receiver, back by the port that the frame came from.
void refuse(const Outcome& outcome, std::size_t port, Bytes frame, std::uint64_t now_ms) {
  if (outcome.reason != Reason::rule_rejects) return;
  ReplyBuffer reply;
  const std::size_t size =
      state.firewall.refuse(outcome.rejection, frame, nullptr, now_ms, reply);
  if (size > 0) send(port, Bytes(reply).first(size));
}

void bridge_frame(std::size_t port, Bytes frame, std::uint64_t now_ms) {
  const auto& ports = state.interfaces.ports;
  const std::size_t out = port == ports[0] ? ports[1] : ports[0];
  const Outcome outcome = state.bridge.judge(frame, port, out, now_ms);
  if (is_forwarded(outcome.reason)) send(out, frame);
  refuse(outcome, port, frame, now_ms);
  log(outcome, port, out, now_ms);
}

Reason route_frame(std::size_t port, std::span<std::uint8_t> frame, std::uint64_t now_ms) {
  const Router::Passed passed = state.router.take(port, frame, now_ms);
  log(passed.outcome, port, passed.out_port, now_ms);
  return passed.outcome.reason;
}

/// What waited for the frame that was passed just now.
void pass_early(std::uint64_t now_ms) {
  for (EarlyPieces::Frame early = state.firewall.next_early(); !early.bytes.empty();
       early = state.firewall.next_early()) {
    if (state.interfaces.is_routed) {
      route_frame(early.port, early.bytes, now_ms);
    } else {
      bridge_frame(early.port, early.bytes, now_ms);
    }
  }
}

void on_bridged_frame(void*, std::size_t port, std::span<std::uint8_t> frame,
                      std::uint64_t now_ms) {
  ++state.received[port];
  bridge_frame(port, frame, now_ms);
  pass_early(now_ms);
}

bool on_routed_frame(void*, std::size_t port, std::span<std::uint8_t> frame,
                     std::uint64_t now_ms) {
  ++state.received[port];
  const Reason reason = route_frame(port, frame, now_ms);
  pass_early(now_ms);
  return reason == Reason::own;
}

/// Of an interface that is not forwarded to.
bool on_own_frame(void*, std::size_t port, std::span<std::uint8_t> frame, std::uint64_t now_ms) {
  const Outcome outcome = state.firewall.admit(frame, port, now_ms);
  refuse(outcome, port, frame, now_ms);
  log(outcome, port, port, now_ms);
  return outcome.reason == Reason::own;
}

/// What the router says itself goes the way of what it forwards.
bool find_way(std::span<const std::uint8_t> address, runtime::Way& out) {
  Address to{};
  std::copy(address.begin(), address.end(), to.begin());
  const Route* route = state.router.way_to(to, address.size() == to.size());
  if (route == nullptr) return false;
  out = {route->port, route->has_gateway, route->gateway};
  return true;
}

bool read_rules(const runtime::Config& config, runtime::Arena& memory) {
  const runtime::ConfigFile* file = config.find_file(kRulesPath);
  if (file == nullptr) {
    print("firewall: none of the app's files is ", kRulesPath);
    return false;
  }
  const RulesFault fault =
      parse_rules(file->text, state.interfaces.rule_ports(), memory, state.rules);
  if (!fault.failed()) return true;
  const char* before_word = fault.word.empty() ? "" : ": ";
  print("firewall: ", kRulesPath, ":", fault.line, ": ", fault.what, before_word, fault.word);
  return false;
}

bool start_firewall(const Options& options, runtime::Arena& memory) {
  FirewallOptions sizes;
  sizes.flows = options.flows;
  sizes.adopt_until_ms = std::uint64_t{options.adopt_seconds} * 1000;
  sizes.replies = options.replies;
  const HashKey key{runtime::random_u64(), runtime::random_u64()};
  const auto routes = std::span(options.routes).first(options.route_count);
  const Router::Sender sender{
      nullptr, [](void*, std::size_t port, Bytes frame) { send(port, frame); }};
  const bool is_made =
      state.firewall.create(sizes, state.rules, key, memory) &&
      (state.interfaces.is_routed ? state.router.create(state.firewall, state.interfaces.routed,
                                                        routes, sender, key, memory)
                                  : state.bridge.create(state.firewall, kStations, key, memory));
  if (is_made) return true;
  print("firewall: too little memory for ", options.flows, " flows: give the app more");
  return false;
}

/// Says what of the routes cannot be. With DHCP it is not known yet.
bool check_routes(const Options& options) {
  const Interfaces& interfaces = state.interfaces;
  if (!interfaces.is_routed) {
    if (options.route_count == 0) return true;
    print("firewall: --route: a bridge has no routes: give the interfaces addresses");
    return false;
  }
  for (const RouterPort& port : interfaces.routed) {
    if (port.asks_dhcp) return true;
  }
  const std::size_t lost = state.router.first_lost_route();
  if (lost == options.route_count) return true;
  print("firewall: --route: the gateway of route ", lost + 1, " is on no interface's network");
  return false;
}

void tick(void*) {
  for (std::size_t i = 0; i < kMaxRouterPorts; ++i) {
    RouterPort& port = state.interfaces.routed[i];
    if (!port.asks_dhcp) continue;
    update_address(i, port);
    state.router.change_port(i, port);
  }
  state.router.tick(runtime::platform::monotonic_ms());
  runtime::call_after(kTickMs, tick, nullptr);
}

runtime::net::HttpBody write_figures(std::span<char> out) {
  std::array<PortCounts, kMaxRouterPorts> counts;
  const Interfaces& interfaces = state.interfaces;
  for (std::size_t i = 0; i < interfaces.count; ++i) {
    const std::size_t port = interfaces.ports[i];
    counts[i] = {interfaces.names[port], state.received[port], state.lost[port]};
  }
  const Delivery* delivery = interfaces.is_routed ? &state.router.delivery() : nullptr;
  const auto ports = std::span(counts).first(interfaces.count);
  return {write_metrics(state.firewall, ports, delivery, out), 200};
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

void take_interfaces() {
  for (std::size_t i = 0; i < kMaxRouterPorts; ++i) {
    switch (state.interfaces.uses[i]) {
      case InterfaceUse::none: break;
      case InterfaceUse::bridged:
        RUNTIME_ASSERT(runtime::take_frames(i, on_bridged_frame, nullptr));
        break;
      case InterfaceUse::routed:
        RUNTIME_ASSERT(runtime::filter_frames(i, on_routed_frame, nullptr));
        break;
      case InterfaceUse::own:
        RUNTIME_ASSERT(runtime::filter_frames(i, on_own_frame, nullptr));
        break;
    }
  }
  if (!state.interfaces.is_routed) return;
  runtime::find_ways(find_way);
  tick(nullptr);
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
  Interfaces& interfaces = state.interfaces;
  if (!find_interfaces(config, interfaces) || !read_rules(config, memory)) return kExitRefused;
  if (!start_firewall(options, memory) || !check_routes(options)) return kExitRefused;
  if (!serve_figures(options.metrics_port, memory)) return kExitRefused;
  take_interfaces();
  runtime::Line line;
  line.add("firewall: forwarding between ");
  for (std::size_t i = 0; i < interfaces.count; ++i) {
    if (i > 0) line.add(" and ");
    line.add(interfaces.names[interfaces.ports[i]]);
  }
  print(line.text(), interfaces.is_routed ? " as a router: " : " as a bridge: ",
        state.rules.forward.rules.size(), " rules, room for ", options.flows, " flows");
  return 0;
}

}  // namespace images::firewall
