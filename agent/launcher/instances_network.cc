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
        {name, mac_of(wire), Ipv4{wire.address}, wire.promiscuous == 0, managed});
  }
  if (entry.taps.empty()) return {};
  TRY_VOID(parts_.nft.run(add_guest_rules(entry.rules)));
  entry.rules_loaded = true;
  for (const std::string& name : entry.tap_names) {
    if (entry.ports_up) TRY_VOID(parts_.links.set_up(name, true));
  }
  return {};
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
  for (const std::string& name : entry->tap_names) TRY_VOID(parts_.links.set_up(name, up));
  entry->ports_up = up;
  return {};
}

}  // namespace launcher
