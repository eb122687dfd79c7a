// Bridge, table and routing of one host (or one network namespace).
#include "agent/launcher/host.h"

#include <sys/random.h>
#include <unistd.h>

#include <sstream>

#include "agent/launcher/bypasses.h"
#include "agent/launcher/nft_rules.h"
#include "agent/launcher/system.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;
using proto::Status;

constexpr char kIpForward[] = "/proc/sys/net/ipv4/ip_forward";
constexpr char kPingGroups[] = "/proc/sys/net/ipv4/ping_group_range";
constexpr int kTapPatience = 200;  // times 10 ms, for taps of processes that are dying

MacAddress random_mac() {
  MacAddress mac;
  const ssize_t got = ::getrandom(mac.bytes.data(), mac.bytes.size(), 0);
  FLEET_ASSERT(got == static_cast<ssize_t>(mac.bytes.size()));
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfc) | 0x02);
  return mac;
}

}  // namespace

Status Host::remove_old_links() {
  // Cables stay with nobody: what they joined must be apart before anything else goes on.
  TRY(const std::vector<Link> before, links_.list());
  for (const Link& link : before) {
    const bool cable = link.kind == "veth" && is_cable_name(link.name, conf_.tap_prefix);
    if (cable) TRY_VOID(links_.remove(link.name));
  }
  // Taps vanish with their processes; wait for those, remove what is left all the same.
  for (int tries = 0; tries <= kTapPatience; ++tries) {
    TRY(const std::vector<Link> links, links_.list());
    bool left = false;
    for (const Link& link : links) {
      const bool our_tap =
          link.ours && link.kind == "tun" && link.name.rfind(conf_.tap_prefix, 0) == 0;
      if (!our_tap) continue;
      left = true;
      if (tries == kTapPatience) TRY_VOID(links_.remove(link.name));
    }
    if (!left) break;
    ::usleep(10000);
  }
  TRY(const std::optional<Link> bridge, links_.find(conf_.bridge));
  if (!bridge) return {};
  if (!bridge->ours || bridge->kind != "bridge") {
    return Error{Code::conflict,
                 "link " + conf_.bridge + " exists and is not ours; name another bridge in "
                 "launcher.conf",
                 ""};
  }
  TRY(const std::vector<Link> links, links_.list());
  for (const Link& link : links) {
    if (link.master == bridge->index) {
      return Error{Code::conflict,
                   link.name + " sits on our bridge " + conf_.bridge + "; take it off", ""};
    }
  }
  return links_.remove(conf_.bridge);
}

Status Host::set_up() {
  leftovers_.kill_processes();
  TRY_VOID(nft_.run(no_rules()));
  TRY_VOID(remove_old_links());
  TRY(const std::string other, links_.route_into(conf_.subnet, conf_.bridge));
  if (!other.empty()) {
    return Error{Code::conflict,
                 "subnet " + to_string(conf_.subnet) + " is routed over " + other +
                     " already; set another subnet in launcher.conf",
                 ""};
  }
  bridge_made_ = true;  // also half made
  TRY_VOID(links_.make_bridge(
      {conf_.bridge, conf_.gateway(), conf_.subnet.prefix, random_mac()}));
  TRY(const std::optional<Link> bridge, links_.find(conf_.bridge));
  if (!bridge) return Error{Code::launcher, "the bridge vanished after it was made", ""};
  mtu_ = bridge->mtu;
  const auto forwarding = leftovers_.setting_before(kIpForward);
  if (!forwarding) return forwarding.error();
  TRY_VOID(nft_.run(base_rules(conf_, *forwarding != "0")));
  TRY_VOID(leftovers_.change_setting(kIpForward, "1"));
  return allow_echo_requests();
}

// The agent asks guests for an echo (health: icmp) without any right but this. A range that
// somebody set stays as it is: the probe says if the agent is not in it.
Status Host::allow_echo_requests() {
  TRY(const std::string range, leftovers_.setting_before(kPingGroups));
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::istringstream(range) >> first >> last;
  if (first <= last) return {};
  const std::string group = std::to_string(conf_.agent_gid);
  return leftovers_.change_setting(kPingGroups, group + "\t" + group);
}

void Host::take_down() {
  if (const Status done = nft_.run(no_rules()); !done) {
    log_line("error", "table.kept", "why=\"" + done.error().what + "\"");
  }
  if (!bridge_made_) return;
  if (const Status done = links_.remove(conf_.bridge); !done) {
    log_line("error", "bridge.kept", "why=\"" + done.error().what + "\"");
  }
  leftovers_.restore_settings();
}

}  // namespace launcher
