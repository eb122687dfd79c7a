#include "deploy/fleetctl/attention.h"

#include <set>

#include "deploy/fleetctl/expiry.h"
#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/text.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::Device;
using fleet::v1::DeviceTrouble;

constexpr std::uint64_t kDayMs = 24ull * 3'600'000;

// What is said of a trouble, and the commands that go on from there.
struct Words {
  std::string about;  // many devices: "offline"
  std::string each;   // one; the device's name goes behind it
  std::string all;    // many
};

Words words_of(const DeviceTrouble& trouble) {
  const std::string& kind = trouble.kind();
  if (kind == "app") {
    return {visible(trouble.app()) + " " + proto::word_of(trouble.state()), "fleetctl why ",
            "fleetctl flights " + visible(trouble.app())};
  }
  if (kind == "ahead") {
    return {"are ahead of the controller, and left alone", "fleetctl device accept ",
            "fleetctl device accept --to all"};
  }
  if (kind == "audit") {
    return {"saw an audit log that is not this one", "", "fleetctl audit verify"};
  }
  if (kind == "offline") return {"offline", "fleetctl why ", "fleetctl devices --state offline"};
  if (kind == "certificate") {
    return {"do not renew their certificates", "fleetctl device show ", "fleetctl devices"};
  }
  if (kind == "metadata") return {"take nothing new", "fleetctl why ", "fleetctl keys list"};
  if (kind == "memory") return {"are short of memory", "fleetctl ps --to ", "fleetctl ps"};
  return {"need a look: " + visible(kind), "fleetctl why ", "fleetctl devices"};  // a newer word
}

std::string why_of(const Device& device, const std::string& name) {
  for (const auto& app : device.apps()) {
    if (app.app() != name) continue;
    for (const auto* slot : {&app.a(), &app.b()}) {
      if (slot->state() == fleet::v1::BAD && !slot->why().text().empty()) {
        return ": " + visible(slot->why().text());
      }
    }
  }
  return "";
}

// What one of the devices is told by.
std::string text_of(const DeviceTrouble& trouble, const Device& device, std::uint64_t now_ms) {
  const std::string& kind = trouble.kind();
  if (kind == "app") return words_of(trouble).about + why_of(device, trouble.app());
  if (kind == "ahead") return visible(device.ahead().text());
  if (kind == "audit") {
    return "saw entry " + std::to_string(device.audit_head().sequence()) +
           " of another audit log: rewritten, or an older backup";
  }
  if (kind == "offline") {
    const std::uint64_t seen_ms = device.seen_ms();
    return seen_ms == 0 ? "never connected"
                        : "offline for " + age_text(now_ms > seen_ms ? now_ms - seen_ms : 0);
  }
  if (kind == "certificate") {
    const std::uint64_t until_ms = device.certificate_until_ms();
    return until_ms > now_ms ? "its certificate ends in " + age_text(until_ms - now_ms)
                             : std::string("its certificate has ended");
  }
  if (kind == "metadata") {
    return "takes nothing new: " + visible(device.inventory().metadata().why().text());
  }
  if (kind == "memory") {
    return proto::format_size_bytes(device.inventory().memory_free_bytes()) + " free";
  }
  return words_of(trouble).about;
}

void add_troubles(const fleet::v1::ServerStatus& server, std::uint64_t now_ms,
                  std::vector<Attention>& out) {
  for (const DeviceTrouble& trouble : server.troubles()) {
    const Words words = words_of(trouble);
    if (trouble.named_size() == 0) {
      out.push_back({count_text(trouble.devices(), "device"), words.about, words.all});
    }
    for (const Device& device : trouble.named()) {
      const std::string name = visible(device.name());
      out.push_back({name, text_of(trouble, device, now_ms),
                     words.each.empty() ? words.all : words.each + name});
    }
  }
}

// "2 devices run agent 0.2.1, the controller is 0.3.0"
void add_agents(const fleet::v1::ServerStatus& server, std::vector<Attention>& out) {
  for (const auto& agents : server.agents()) {
    if (agents.version() == server.version()) continue;
    const bool one = agents.devices() == 1;
    out.push_back({count_text(agents.devices(), "device"),
                   (one ? "runs agent " : "run agent ") + visible(agents.version()) +
                       ", the controller is " + visible(server.version()),
                   one ? "fleetctl device show " + visible(agents.device())
                       : "fleetctl devices"});
  }
}

void add_rollouts(const fleet::v1::ServerStatus& server, std::uint64_t now_ms,
                  std::vector<Attention>& out) {
  std::set<std::string> apps;  // the newest rollout of each app counts
  for (const fleet::v1::Rollout& rollout : server.rollouts()) {
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

std::vector<Attention> attention_of(const fleet::v1::ServerStatus& server, std::uint64_t now_ms) {
  std::vector<Attention> out;
  add_rollouts(server, now_ms, out);
  std::vector<RoleExpiry> roles;
  for (const auto& role : server.expiries()) {
    roles.push_back({role.role(), static_cast<std::int64_t>(role.expires_ms() / 1000)});
  }
  for (const std::string& note : expiry_notes(roles, static_cast<std::int64_t>(now_ms / 1000))) {
    out.push_back({"keys", note, ""});
  }
  add_troubles(server, now_ms, out);
  add_agents(server, out);
  return out;
}

}  // namespace fleetctl
