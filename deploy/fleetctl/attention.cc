#include "deploy/fleetctl/attention.h"

#include <algorithm>
#include <map>
#include <set>

#include "deploy/fleetctl/expiry.h"
#include "deploy/fleetctl/text.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::Device;

constexpr std::uint64_t kDayMs = 24ull * 3'600'000;
// A device renews when a third of its 90 days is left.
constexpr std::uint64_t kCertificateCareMs = 21 * kDayMs;
constexpr std::uint64_t kLowMemoryBytes = 16ull << 20;

// A trouble that a device may have: `about` tells those of one kind together.
struct Trouble {
  std::string about;  // "offline"
  std::string text;   // "offline for 3h12m"
  std::string each;   // what to do about one; the device's name goes behind it
  std::string all;    // about many
};

std::string why_of(const fleet::v1::AppStatus& app) {
  const fleet::v1::SlotStatus& a = app.a();
  const fleet::v1::SlotStatus& b = app.b();
  for (const auto* slot : {&a, &b}) {
    if (slot->state() == fleet::v1::BAD && !slot->why().text().empty()) {
      return ": " + visible(slot->why().text());
    }
  }
  return "";
}

void add_link_troubles(const Device& device, std::uint64_t now_ms, std::vector<Trouble>& out) {
  if (device.has_ahead()) {
    out.push_back({"are ahead of the controller, and left alone",
                   visible(device.ahead().text()), "fleetctl device accept ",
                   "fleetctl device accept --to all"});
  }
  if (device.audit_strange()) {
    out.push_back({"saw an audit log that is not this one",
                   "saw entry " + std::to_string(device.audit_head().sequence()) +
                       " of another audit log: rewritten, or an older backup",
                   "", "fleetctl audit verify"});
  }
  if (!device.online()) {
    out.push_back({"offline",
                   device.seen_ms() == 0
                       ? "never connected"
                       : "offline for " +
                             age_text(now_ms > device.seen_ms() ? now_ms - device.seen_ms() : 0),
                   "fleetctl why ", "fleetctl devices --state offline"});
  }
  const std::uint64_t until_ms = device.certificate_until_ms();
  if (until_ms != 0 && until_ms < now_ms + kCertificateCareMs) {
    out.push_back({"do not renew their certificates",
                   until_ms > now_ms ? "its certificate ends in " + age_text(until_ms - now_ms)
                                     : std::string("its certificate has ended"),
                   "fleetctl device show ", "fleetctl devices"});
  }
}

std::vector<Trouble> troubles_of(const Device& device, std::uint64_t now_ms) {
  std::vector<Trouble> out;
  if (device.revoked()) return out;
  for (const auto& app : device.apps()) {
    const bool bad = app.state() == fleet::v1::FAILED || app.state() == fleet::v1::HELD;
    if (!bad) continue;
    const std::string word = visible(app.app()) + " " + proto::word_of(app.state());
    out.push_back({word, word + why_of(app), "fleetctl why ",
                   "fleetctl flights " + visible(app.app())});
  }
  add_link_troubles(device, now_ms, out);
  if (!device.online()) return out;
  const auto& held = device.inventory().metadata();
  if (held.has_why()) {
    out.push_back({"take nothing new", "takes nothing new: " + visible(held.why().text()),
                   "fleetctl why ", "fleetctl keys list"});
  }
  const std::uint64_t free = device.inventory().memory_free_bytes();
  if (free != 0 && free < kLowMemoryBytes) {
    out.push_back({"are short of memory", proto::format_size_bytes(free) + " free",
                   "fleetctl ps --to ", "fleetctl ps"});
  }
  return out;
}

// "2 devices run agent 0.2.1 (300 want 0.3.0)": other than most of them.
void add_agents(const StatusInput& input, std::vector<Attention>& out) {
  std::map<std::string, std::vector<std::string>> devices;
  for (const Device& device : input.devices.devices()) {
    if (device.revoked() || device.agent_version().empty()) continue;
    devices[device.agent_version()].push_back(visible(device.name()));
  }
  const std::string& ours = input.server.version();
  for (const auto& [version, names] : devices) {
    if (version == ours) continue;
    out.push_back({count_text(names.size(), "device"),
                   (names.size() == 1 ? "runs agent " : "run agent ") + visible(version) +
                       ", the controller is " + visible(ours),
                   names.size() == 1 ? "fleetctl device show " + names.front()
                                     : "fleetctl devices"});
  }
}

void add_rollouts(const StatusInput& input, std::uint64_t now_ms, std::vector<Attention>& out) {
  std::set<std::string> apps;  // the newest rollout of each app counts
  for (const fleet::v1::Rollout& rollout : input.rollouts.rollouts()) {
    if (!apps.insert(rollout.app()).second) continue;
    const bool recent = rollout.ended_ms() + kDayMs > now_ms;
    if (rollout.state() != fleet::v1::ROLLOUT_FAILED || !recent) continue;
    out.push_back({visible(rollout.id()),
                   visible(rollout.app()) + " " + std::to_string(rollout.release()) +
                       " failed: " + counts_text(rollout),
                   "fleetctl rollout show " + visible(rollout.id())});
  }
}

}  // namespace

std::vector<Attention> attention_of(const StatusInput& input, std::uint64_t now_ms) {
  std::vector<Attention> out;
  add_rollouts(input, now_ms, out);
  std::vector<RoleExpiry> roles;
  for (const auto& role : input.server.expiries()) {
    roles.push_back({role.role(), static_cast<std::int64_t>(role.expires_ms() / 1000)});
  }
  for (const std::string& note : expiry_notes(roles, static_cast<std::int64_t>(now_ms / 1000))) {
    out.push_back({"keys", note, ""});
  }
  // The kinds in the order in which they came up; a kind of many devices is one line.
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, Trouble>>>> kinds;
  for (const Device& device : input.devices.devices()) {
    for (Trouble& trouble : troubles_of(device, now_ms)) {
      auto kind = std::find_if(kinds.begin(), kinds.end(),
                               [&trouble](const auto& one) { return one.first == trouble.about; });
      if (kind == kinds.end()) kind = kinds.insert(kinds.end(), {trouble.about, {}});
      kind->second.emplace_back(visible(device.name()), std::move(trouble));
    }
  }
  for (const auto& [about, devices] : kinds) {
    if (devices.size() > kNamedDevices) {
      out.push_back({count_text(devices.size(), "device"), about, devices.front().second.all});
      continue;
    }
    for (const auto& [name, trouble] : devices) {
      out.push_back(
          {name, trouble.text, trouble.each.empty() ? trouble.all : trouble.each + name});
    }
  }
  add_agents(input, out);
  return out;
}

std::size_t devices_in_need(const StatusInput& input, std::uint64_t now_ms) {
  const auto& devices = input.devices.devices();
  return static_cast<std::size_t>(
      std::count_if(devices.begin(), devices.end(), [now_ms](const Device& device) {
        return !troubles_of(device, now_ms).empty();
      }));
}

}  // namespace fleetctl
