#include "deploy/fleetctl/verdict.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "deploy/fleetctl/rollout_view.h"
#include "deploy/fleetctl/text.h"
#include "proto/cause.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::AppManifest;
using fleet::v1::Reason;
using fleet::v1::Rollout;
using fleet::v1::RolloutDevice;

constexpr std::size_t kFaultsShown = 3;
constexpr int kConsoleLinesShown = 8;

struct Fault {
  const RolloutDevice* first = nullptr;
  std::size_t devices = 0;
};

// One entry per fingerprint, those of most devices first.
std::vector<Fault> faults_of(const Rollout& rollout) {
  std::map<std::string, Fault> by_fingerprint;
  for (const RolloutDevice& device : rollout.devices()) {
    if (device_succeeded(device) || !device.has_why() || !device_ended(device)) continue;
    if (device.state() == fleet::v1::SUPERSEDED) continue;
    const Reason& why = device.why();
    const std::string key = why.fingerprint().empty()
                                ? std::to_string(why.code()) + why.text() : why.fingerprint();
    Fault& fault = by_fingerprint[key];
    if (fault.first == nullptr || device.device() < fault.first->device()) fault.first = &device;
    ++fault.devices;
  }
  std::vector<Fault> faults;
  for (const auto& [key, fault] : by_fingerprint) faults.push_back(fault);
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.devices > b.devices; });
  return faults;
}

// The image, not the device, is at fault: the device refuses these bytes from now on.
bool is_image_fault(const Reason& why) {
  return why.code() >= fleet::v1::CODE_GUEST_EXIT && why.code() <= fleet::v1::CODE_CRASH_LOOP;
}

unsigned health_port(const AppManifest& manifest) {
  const auto& health = manifest.health();
  if (health.port() != 0) return health.port();
  if (health.type() == fleet::v1::HEALTH_DNS) return 53;
  if (health.type() == fleet::v1::HEALTH_HTTP) return 80;
  return 0;
}

std::string cause_line(const Reason& why, const AppManifest* manifest) {
  const std::string exit = why.exit().empty() ? "" : " with " + visible(why.exit());
  const std::string after =
      why.up_ms() > 0 ? " after " + proto::format_elapsed_ms(why.up_ms()) : std::string();
  switch (why.code()) {
    case fleet::v1::CODE_NO_ANSWER: {
      if (why.probes_passed() > 0) {
        return "image: the guest ran " + how_it_ran(why, manifest) +
               " and was never healthy for long enough: " + std::to_string(why.probes_passed()) +
               " of " + std::to_string(why.probes_total()) + " probes passed";
      }
      const bool dns = manifest != nullptr && manifest->health().type() == fleet::v1::HEALTH_DNS;
      const unsigned port = manifest != nullptr ? health_port(*manifest) : 0;
      const std::string what = port == 0 ? "passed its health check"
          : "answered port " + std::to_string(port) + (dns ? "/udp" : "/tcp");
      return "image: the guest ran " + how_it_ran(why, manifest) + " and never " + what;
    }
    case fleet::v1::CODE_UNHEALTHY:
      return "image: the guest ran " + how_it_ran(why, manifest) + " and failed its health check";
    case fleet::v1::CODE_GUEST_EXIT: return "image: the guest ended by itself" + exit + after;
    case fleet::v1::CODE_GUEST_ABORT:
      return why.text().empty() ? "image: the guest crashed" + exit + after
                                : "image: " + visible(why.text());
    case fleet::v1::CODE_CRASH_LOOP:
      return "image: the guest crashed again and again" + exit + " " + how_it_ran(why, manifest);
    case fleet::v1::CODE_KILLED_BY_LIMIT:
      return "image: the guest was killed at a limit" +
             (manifest != nullptr
                  ? " (memory " + proto::format_size_bytes(manifest->memory_bytes()) + ")" : "") +
             after;
    case fleet::v1::CODE_MONITOR_FAULT: return "monitor: it died" + exit + after;
    case fleet::v1::CODE_TIMEOUT: return "device: no verdict in time: " + reason_text(why);
    default:
      return std::string(proto::word_of_cause(proto::cause_of(why.code()))) + ": " +
             reason_text(why);
  }
}

void add_cause(const Fault& fault, const VerdictInput& input, bool name_devices,
               std::vector<std::string>& lines) {
  const Reason& why = fault.first->why();
  const std::string who =
      !name_devices ? "" : visible(fault.first->device()) +
          (fault.devices > 1 ? " and " + std::to_string(fault.devices - 1) + " more: " : ": ");
  lines.push_back("  cause     " + who + cause_line(why, input.manifest));
  const std::vector<std::string> console(why.console_tail().begin(), why.console_tail().end());
  const unsigned said = listening_port(console);
  const unsigned asked = input.manifest != nullptr ? health_port(*input.manifest) : 0;
  if (why.code() == fleet::v1::CODE_NO_ANSWER && said != 0 && asked != 0 && said != asked) {
    lines.push_back("            its console says it listens on " + std::to_string(said) +
                    "; health asks " + std::to_string(asked) +
                    (input.health_place.empty() ? "" : " (" + input.health_place + ")"));
  }
  if (console.empty()) return;
  const int from = std::max(0, why.console_tail_size() - kConsoleLinesShown);
  lines.push_back("  console   " + visible(fault.first->device()) + ", last " +
                  count_text(static_cast<std::uint64_t>(why.console_tail_size() - from), "line"));
  for (int i = from; i < why.console_tail_size(); ++i) {
    lines.push_back("            | " + visible(why.console_tail(i)));
  }
}

struct Tally {
  std::size_t all = 0, succeeded = 0, reverted = 0, failed = 0, offline = 0, held = 0, other = 0;
};

Tally tally_of(const Rollout& rollout) {
  Tally tally;
  for (const RolloutDevice& device : rollout.devices()) {
    ++tally.all;
    if (device_succeeded(device)) ++tally.succeeded;
    else if (device.state() == fleet::v1::REVERTED) ++tally.reverted;
    else if (device.state() == fleet::v1::FAILED) ++tally.failed;
    else if (!device.online()) ++tally.offline;
    else if (device.state() == fleet::v1::HELD) ++tally.held;
    else ++tally.other;
  }
  return tally;
}

std::string rest_of(const Tally& tally, std::string_view before) {
  std::vector<std::string> parts;
  const auto add = [&parts](std::size_t count, const char* word) {
    if (count > 0) parts.push_back(std::to_string(count) + " " + word);
  };
  add(tally.reverted, "reverted");
  add(tally.failed, "failed");
  add(tally.held, "held");
  add(tally.other, "not ended");
  add(tally.offline, "offline");
  return parts.empty() ? "" : std::string(before) + join(parts, ", ");
}

std::string subject(const Rollout& rollout) {
  return visible(rollout.app()) +
         (rollout.release() != 0 ? " " + std::to_string(rollout.release()) : "");
}

// What was wanted, as a fact: "dns 1 is live on", "dns is stopped on".
std::string success_words(const Rollout& rollout) {
  const std::string app = visible(rollout.app());
  switch (rollout.kind()) {
    case fleet::v1::KIND_REVERT: return app + " went back to its release before on";
    case fleet::v1::KIND_STOP: return app + " is stopped on";
    case fleet::v1::KIND_START: return app + " runs on";
    case fleet::v1::KIND_RESTART: return app + " was restarted on";
    case fleet::v1::KIND_DELETE: return app + " is deleted from";
    case fleet::v1::KIND_STAGE: return subject(rollout) + " is staged on";
    case fleet::v1::KIND_CONFIG: return app + " runs with its new values on";
    default: return subject(rollout) + " is live on";
  }
}

// "All 3 devices run dns 1." of those that did not take it.
std::string what_runs(const Rollout& rollout) {
  std::map<std::uint64_t, std::size_t> running;
  std::size_t known = 0;
  for (const RolloutDevice& device : rollout.devices()) {
    if (!device_ended(device)) continue;
    ++running[device.live_release()];
    ++known;
  }
  std::vector<std::string> parts;
  const std::string app = visible(rollout.app());
  for (auto at = running.rbegin(); at != running.rend(); ++at) {
    const auto& [release, count] = *at;
    const std::string who = count == known && count > 1
                                ? (parts.empty() ? "All " : "all ") + count_text(count, "device")
                                : count_text(count, "device");
    if (release != 0) {
      parts.push_back(who + (count == 1 ? " runs " : " run ") + app + " " +
                      std::to_string(release));
    } else {
      parts.push_back(who + (count == 1 ? " keeps " : " keep ") + app +
                      " stopped: there is no release to go back to");
    }
  }
  return parts.empty() ? "" : " " + join(parts, "; ") + ".";
}

std::string next_line(const Rollout& rollout, const std::vector<Fault>& faults) {
  std::size_t refused = 0;
  for (const Fault& fault : faults) {
    if (is_image_fault(fault.first->why())) refused += fault.devices;
  }
  const std::string again = "push again (it becomes " + visible(rollout.app()) + " " +
                            std::to_string(rollout.release() + 1) + ")";
  if (refused == 0) return "mend what is named above and " + again;
  return "mend and " + again + "; " +
         (refused == 1 ? "this device" : "these " + count_text(refused, "device")) +
         " will not try " + subject(rollout) + " again";
}

void add_failure(const VerdictInput& input, std::vector<std::string>& lines) {
  const Rollout& rollout = input.rollout;
  const std::vector<Fault> faults = faults_of(rollout);
  for (std::size_t i = 0; i < std::min(faults.size(), kFaultsShown); ++i) {
    add_cause(faults[i], input, faults.size() > 1, lines);
  }
  if (faults.size() > kFaultsShown) {
    lines.push_back("            and " + count_text(faults.size() - kFaultsShown, "other fault"));
  }
  const bool push = rollout.kind() == fleet::v1::KIND_PUSH ||
                    rollout.kind() == fleet::v1::KIND_ROLLBACK;
  std::string hints = "fleetctl rollout show " + visible(rollout.id());
  if (!faults.empty()) {
    // A fault with a fingerprint has a flight record.
    const RolloutDevice& first = *faults.front().first;
    const char* command = first.why().fingerprint().empty() ? "logs" : "flights";
    hints += "     fleetctl " + std::string(command) + " " + visible(rollout.app()) +
             " --device " + visible(first.device());
    if (rollout.release() != 0) hints += " --release " + std::to_string(rollout.release());
  }
  const bool mend = push && rollout.state() != fleet::v1::ROLLOUT_ABORTED && !faults.empty();
  if (mend) lines.push_back("  next      " + next_line(rollout, faults));
  lines.push_back((mend ? "            " : "  next      ") + hints);
}

}  // namespace

std::string how_it_ran(const Reason& why, const AppManifest* manifest) {
  std::vector<std::string> parts;
  if (why.up_ms() > 0) parts.push_back("up " + proto::format_elapsed_ms(why.up_ms()));
  if (why.memory_bytes() > 0) {
    std::string memory = size_of_text(why.memory_bytes(),
                                      manifest != nullptr ? manifest->memory_bytes() : 0);
    if (const std::size_t slash = memory.find('/'); slash != std::string::npos) {
      memory.replace(slash, 1, " of ");
    }
    parts.push_back(memory);
  }
  parts.push_back(count_text(why.restarts(), "restart"));
  return "(" + join(parts, ", ") + ")";
}

unsigned listening_port(const std::vector<std::string>& console) {
  unsigned found = 0;
  for (const std::string& line : console) {
    const std::size_t at = line.find("listening on ");
    if (at == std::string::npos) continue;
    const std::string_view rest = std::string_view(line).substr(at);
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos) continue;
    unsigned port = 0;
    const auto [end, error] = std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(),
                                              port);
    if (error == std::errc() && port > 0 && port <= 65535) found = port;
  }
  return found;
}

std::string try_it_hint(const Rollout& rollout, const AppManifest& manifest) {
  const auto device = std::find_if(
      rollout.devices().begin(), rollout.devices().end(), [](const RolloutDevice& d) {
        return device_succeeded(d) && !d.address().empty() && d.ports_size() > 0;
      });
  if (device == rollout.devices().end()) return "";
  const std::string address = visible(device->address());
  const std::string port = visible(device->ports(0).substr(0, device->ports(0).find('/')));
  if (manifest.health().type() == fleet::v1::HEALTH_DNS) {
    const std::string name =
        manifest.health().query().substr(0, manifest.health().query().find(' '));
    return "dig @" + address + (port == "53" ? "" : " -p " + port) + " " + visible(name);
  }
  if (manifest.health().type() == fleet::v1::HEALTH_HTTP) {
    return "curl http://" + address + (port == "80" ? "" : ":" + port) +
           visible(manifest.health().path());
  }
  return "";
}

std::vector<std::string> verdict_lines(const VerdictInput& input) {
  const Rollout& rollout = input.rollout;
  const Tally tally = tally_of(rollout);
  const std::string took =
      rollout.ended_ms() > rollout.created_ms()
          ? " (" + proto::format_elapsed_ms(rollout.ended_ms() - rollout.created_ms()) + ")" : "";
  std::vector<std::string> lines;
  if (rollout.state() == fleet::v1::ROLLOUT_SUCCEEDED) {
    const std::size_t reachable = tally.all - tally.offline;
    lines.push_back("OK  " + success_words(rollout) + " " + std::to_string(tally.succeeded) +
                    " of " + std::to_string(reachable) + (tally.offline > 0 ? " reachable" : "") +
                    (reachable == 1 ? " device" : " devices") + took + rest_of(tally, "; "));
    if (tally.reverted + tally.failed + tally.held > 0) {
      lines.push_back("    within max_failed " + visible(rollout.policy().max_failed()) +
                      "     fleetctl rollout show " + visible(rollout.id()) +
                      "     fleetctl rollout retry " + visible(rollout.id()));
    }
    if (input.require_all && tally.succeeded != tally.all) {
      lines.push_back("    but not on all of them, and --require-all was given");
    }
    const bool runs = rollout.kind() != fleet::v1::KIND_STOP &&
                      rollout.kind() != fleet::v1::KIND_DELETE &&
                      rollout.kind() != fleet::v1::KIND_STAGE;
    const std::string hint =
        runs && input.manifest != nullptr ? try_it_hint(rollout, *input.manifest) : "";
    if (rollout.kind() == fleet::v1::KIND_STAGE) {
      lines.push_back("    start it: fleetctl push " + visible(rollout.app()) + " --to " +
                      visible(rollout.selector()) + " (the same bytes: none of them is fetched)");
    }
    if (runs) {
      lines.push_back("    " + (hint.empty() ? "" : hint + "     ") + "fleetctl logs " +
                      visible(rollout.app()) + " -f");
    }
    return lines;
  }
  const char* word = rollout.state() == fleet::v1::ROLLOUT_ABORTED ? "ABORTED"
                     : rollout.state() == fleet::v1::ROLLOUT_SUPERSEDED ? "SUPERSEDED" : "FAILED";
  const bool about_health = rollout.kind() == fleet::v1::KIND_PUSH ||
                            rollout.kind() == fleet::v1::KIND_ROLLBACK;
  lines.push_back(std::string(word) + "  " + subject(rollout) + ": " +
                  std::to_string(tally.succeeded) + (about_health ? " healthy" : " done") +
                  rest_of(tally, ", ") + "." + what_runs(rollout));
  if (!rollout.halted_why().empty()) {
    lines.push_back("  stopped   " + visible(rollout.halted_why()));
  }
  if (tally.all == 0 && !rollout.verdict().empty()) {
    lines.push_back("  cause     " + visible(rollout.verdict()));
  }
  add_failure(input, lines);
  return lines;
}

ExitCode exit_code_of(const Rollout& rollout, bool require_all) {
  if (rollout.state() != fleet::v1::ROLLOUT_SUCCEEDED) return ExitCode::rollout_failed;
  if (!require_all && !rollout.require_all()) return ExitCode::ok;
  const bool all = std::all_of(rollout.devices().begin(), rollout.devices().end(),
                               [](const RolloutDevice& d) { return device_succeeded(d); });
  return all ? ExitCode::ok : ExitCode::rollout_failed;
}

}  // namespace fleetctl
