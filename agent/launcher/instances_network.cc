// What of the network belongs to an instance: taps and rules before its start, both away some time
// after its end.
#include <algorithm>

#include "agent/launcher/instances.h"
#include "agent/launcher/policy.h"
#include "agent/launcher/system.h"

namespace launcher {

using proto::Code;
using proto::Error;
using proto::Status;

Status Instances::make_network(const StartRequest& request, Entry& entry) {
  const Conf& conf = parts_.conf;
  entry.rules.slot = entry.slot;
  entry.rules.egress_any = (request.flags & kFlagEgressAny) != 0;
  entry.rules.egress.assign(request.egress, request.egress + request.egress_count);
  entry.ports_up = (request.flags & kFlagPortsDown) == 0;
  for (std::size_t i = 0; i < request.interface_count; ++i) {
    const WireInterface& wire = request.interfaces[i];
    const std::string bridge(field_text(wire.bridge));
    const bool managed = bridge == conf.bridge;
    const std::string name =
        conf.tap_prefix + std::to_string(entry.slot) + "-" + std::to_string(i);
    // Down until its filter stands, whatever was asked.
    const bool qemu = static_cast<ProgramId>(request.program) == ProgramId::qemu;
    TRY(Fd tap, parts_.links.make_tap({name, bridge, managed, false, qemu}));
    entry.taps.push_back(std::move(tap));
    entry.tap_names.push_back(name);
    entry.interfaces.push_back(wire);
    entry.rules.ports.push_back(
        {name, mac_of(wire), Ipv4{wire.address}, address6_of(wire), wire.promiscuous == 0,
         managed, wire.dhcp != 0});
  }
  if (entry.taps.empty()) return {};
  TRY_VOID(parts_.nft.run(add_guest_rules(entry.rules)));
  entry.rules_loaded = true;
  for (std::size_t i = 0; i < entry.tap_names.size(); ++i) {
    if (!is_led(entry, i)) TRY_VOID(parts_.links.set_up(entry.tap_names[i], true));
  }
  if (!entry.ports_up) return {};
  entry.ports_up = false;
  return raise_ports(entry);
}

bool Instances::is_led(const Entry& entry, std::size_t tap) const {
  const auto is_host = [](const GuestRules::Port& port) { return !port.managed; };
  const auto& ports = entry.rules.ports;
  return std::none_of(ports.begin(), ports.end(), is_host) || is_host(ports[tap]);
}

std::vector<std::string> Instances::frame_bridges(const Entry& entry) const {
  std::vector<std::string> bridges;
  for (std::size_t i = 0; i < entry.interfaces.size(); ++i) {
    const WireInterface& wire = entry.interfaces[i];
    const bool is_bare = wire.address == 0 && wire.dhcp == 0 && address6_of(wire).is_none();
    const bool takes_frames = !entry.rules.ports[i].managed && is_bare;
    if (takes_frames) bridges.emplace_back(field_text(entry.interfaces[i].bridge));
  }
  return bridges;
}

std::vector<BridgePair> Instances::forwarded() const {
  std::vector<BridgePair> pairs;
  for (const auto& entry : entries_) {
    if (entry->pid == 0 || !entry->ports_up) continue;
    const std::vector<std::string> bridges = frame_bridges(*entry);
    for (std::size_t i = 0; i < bridges.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) pairs.push_back(bridge_pair(bridges[i], bridges[j]));
    }
  }
  return pairs;
}

Status Instances::raise_ports(Entry& entry) {
  const std::vector<std::string> bridges = frame_bridges(entry);
  const auto has = [&bridges](const std::string& name) {
    return std::find(bridges.begin(), bridges.end(), name) != bridges.end();
  };
  for (const BridgePair& pair : entry.ports_up ? std::vector<BridgePair>() : forwarded()) {
    if (!has(pair.first) || !has(pair.second)) continue;
    return Error{Code::conflict,
                 "launcher: an instance forwards between " + to_string(pair) +
                     " already; another one would make a loop",
                 ""};
  }
  TRY_VOID(parts_.bypasses.part(bridges));
  entry.ports_up = true;
  for (std::size_t i = 0; i < entry.tap_names.size(); ++i) {
    if (!is_led(entry, i)) continue;
    const Status up = parts_.links.set_up(entry.tap_names[i], true);
    if (up) continue;
    [[maybe_unused]] const Status down = lower_ports(entry);
    return up;
  }
  return {};
}

Status Instances::lower_ports(Entry& entry) {
  Status done;
  for (std::size_t i = 0; i < entry.tap_names.size(); ++i) {
    if (!is_led(entry, i)) continue;
    const Status down = parts_.links.set_up(entry.tap_names[i], false);
    if (!down) done = down;
  }
  if (done) entry.ports_up = false;
  return done;
}

void Instances::drop_network(Entry& entry) {
  if (entry.rules_loaded) {
    // Before the taps: a chain whose device is gone cannot be named on every kernel.
    if (const Status done = parts_.nft.run(remove_guest_rules(entry.rules)); !done) {
      log_line("error", "rules.kept",
               "instance=" + entry.id + " why=\"" + done.error().what + "\"");
    }
    entry.rules_loaded = false;
  }
  entry.taps.clear();
  entry.ports_up = false;
}

void Instances::take_down(Entry& entry) {
  entry.take_down_at_ms = 0;
  drop_network(entry);
  parts_.cgroups.remove(entry.slot);
}

int Instances::tidy_one() {
  std::uint64_t next = 0;
  Entry* due = nullptr;
  const std::uint64_t now = now_ms();
  for (const auto& entry : entries_) {
    if (entry->take_down_at_ms == 0) continue;
    if (due == nullptr && entry->take_down_at_ms <= now) {
      due = entry.get();
    } else {
      next = next == 0 ? entry->take_down_at_ms : std::min(next, entry->take_down_at_ms);
    }
  }
  if (due != nullptr) take_down(*due);
  if (next == 0) return -1;
  return next <= now ? 0 : static_cast<int>(next - now);
}

Status Instances::set_ports(std::string_view id, bool up) {
  TRY(Entry* entry, known(id));
  if (entry->pid == 0) {
    return Error{Code::conflict, "launcher: instance " + std::string(id) + " has ended", ""};
  }
  return up ? raise_ports(*entry) : lower_ports(*entry);
}

Status Instances::hand_over(std::string_view from, std::string_view to) {
  TRY(Entry* old, known(from));
  TRY(Entry* next, known(to));
  if (next->pid == 0) {
    return Error{Code::conflict, "launcher: instance " + std::string(to) + " has ended", ""};
  }
  const bool had_ports = old->pid != 0 && old->ports_up;
  if (had_ports) TRY_VOID(lower_ports(*old));
  const Status raised = raise_ports(*next);
  if (raised || !had_ports) return raised;
  if (const Status back = raise_ports(*old); !back) return back;
  return raised;
}

}  // namespace launcher
