// The rules of health, restart, update and rollout.
#include <charconv>

#include "proto/document.h"
#include "proto/limits.h"
#include "proto/manifest.h"
#include "proto/manifest_internal.h"
#include "proto/units.h"
#include "proto/waves.h"

namespace proto {

using fleet::v1::AppManifest;
using fleet::v1::Health;

namespace {

using namespace manifest_detail;

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kMinuteMs = 60 * kSecondMs;
constexpr std::uint64_t kHourMs = 60 * kMinuteMs;
constexpr std::uint64_t kDayMs = 24 * kHourMs;

bool probes_an_address(const Health& health) {
  return health.type() == fleet::v1::HEALTH_TCP || health.type() == fleet::v1::HEALTH_HTTP ||
         health.type() == fleet::v1::HEALTH_DNS || health.type() == fleet::v1::HEALTH_ICMP;
}

bool has_port(const Health& health) {
  return probes_an_address(health) && health.type() != fleet::v1::HEALTH_ICMP;
}

Status unfit(const char* field, const Health& health) {
  return broken(field, "does not belong to type " + word_of(health.type()));
}

Status check_dns_query(const std::string& query) {
  const std::size_t blank = query.find(' ');
  const std::string name = query.substr(0, blank);
  const std::string type = blank == std::string::npos ? "" : query.substr(blank + 1);
  static constexpr const char* kTypes[] = {"A",  "AAAA", "CNAME", "MX", "NS",
                                           "PTR", "SOA", "SRV",   "TXT"};
  bool known = false;
  for (const char* word : kTypes) known = known || type == word;
  if (known && (is_host_name(name) || name == ".")) return Status();
  return broken("health.query", "\"" + query.substr(0, 60) +
                                    "\" is no question; write NAME TYPE, like www.example.test A");
}

// Each field belongs to its types, and its types need it.
Status check_probe_fields(const Health& health) {
  const bool is_dns = health.type() == fleet::v1::HEALTH_DNS;
  const bool is_http = health.type() == fleet::v1::HEALTH_HTTP;
  const bool is_console = health.type() == fleet::v1::HEALTH_CONSOLE;
  if (is_dns) TRY_VOID(check_dns_query(health.query()));
  if (!is_dns && !health.query().empty()) return unfit("health.query", health);
  if (is_http) {
    const std::string& path = health.path();
    if (path.empty() || path[0] != '/' || path.size() > 1024 || !is_printable(path) ||
        path.find(' ') != std::string::npos) {
      return broken("health.path", "begins with / and has no blank");
    }
    TRY_VOID(check_range("health.status", health.status(), 100, 599));
  }
  if (!is_http && !health.path().empty()) return unfit("health.path", health);
  if (!is_http && health.status() != 0) return unfit("health.status", health);
  if (is_console && (health.line().empty() || health.line().size() > kConsoleLineBytes ||
                     !is_printable(health.line()))) {
    return broken("health.line", "is required for type console: plain text that a line holds");
  }
  if (!is_console && !health.line().empty()) return unfit("health.line", health);
  if (has_port(health)) TRY_VOID(check_range("health.port", health.port(), 1, 65535));
  if (!has_port(health) && health.port() != 0) return unfit("health.port", health);
  return Status();
}

Status check_probe_interface(const AppManifest& manifest) {
  const Health& health = manifest.health();
  if (!probes_an_address(health)) {
    return health.interface().empty() ? Status() : unfit("health.interface", health);
  }
  for (const auto& interface : manifest.network()) {
    if (!has_known_address(interface)) continue;
    if (health.interface().empty() || health.interface() == interface.name()) return Status();
  }
  if (health.interface().empty()) {
    return broken("health.type", word_of(health.type()) + " needs an interface whose address is "
                                     "known: auto or A.B.C.D/N; else write console or process");
  }
  return broken("health.interface",
                "\"" + health.interface() + "\" is not one of network with a known address");
}

Status check_window(const char* field, const std::string& text) {
  const auto window = parse_day_window(text);
  return window ? Status() : broken(field, window.error().what);
}

// A value with which two instances are there at once, and what to write where that cannot be.
struct Twofold {
  const char* field;
  std::string value;
  const char* instead;
};

Status check_one_writer(const AppManifest& manifest, const Twofold& wanted) {
  if (manifest.volumes_size() == 0 && manifest.devices_size() == 0) return Status();
  const std::string what = manifest.volumes_size() != 0 ? "a volume, which has one writer"
                                                        : "a device, which one guest holds";
  return broken(wanted.field, wanted.value + " is not possible with " + what + "; write " +
                                  wanted.instead);
}

Status check_own_address(const AppManifest& manifest, const Twofold& wanted) {
  if (widest_handover(manifest) == fleet::v1::BESIDE) return Status();
  return broken(wanted.field, wanted.value +
                                  " needs one interface on fleet0 with address: auto, for two "
                                  "instances cannot share an address or join bridges twice; "
                                  "write " +
                                  wanted.instead);
}

// Whether an interface has an address or MAC that is written down, which has one owner at a time.
bool holds_address(const AppManifest& manifest) {
  for (const auto& interface : manifest.network()) {
    const std::string& address = interface.address();
    const bool is_written = address != "auto" && address != "none";
    if (is_written || !interface.address6().empty() || !interface.mac().empty()) return true;
  }
  return false;
}

Status check_handover(const AppManifest& manifest) {
  const auto wanted = manifest.update().handover();
  if (wanted == fleet::v1::BESIDE || wanted == fleet::v1::SWAP) {
    TRY_VOID(check_one_writer(manifest,
                              {"update.handover", word_of(wanted), "stop-start or auto"}));
  }
  if (wanted == fleet::v1::SWAP && widest_handover(manifest) != fleet::v1::SWAP) {
    return broken("update.handover",
                  "swap is for ports on bridges of the host, with no address or MAC written down, "
                  "which one instance holds; write stop-start or auto");
  }
  if (wanted != fleet::v1::BESIDE) return Status();
  return check_own_address(manifest, {"update.handover", "beside", "auto"});
}

Status check_spare(const AppManifest& manifest) {
  if (manifest.restart().spare() != fleet::v1::SPARE_WARM) return Status();
  if (manifest.restart().policy() == fleet::v1::NEVER) {
    return broken("restart.spare",
                  "warm is for what shall run on after an end, and policy never lets it be; write "
                  "none, or policy: always");
  }
  const Twofold wanted{"restart.spare", "warm", "none"};
  TRY_VOID(check_one_writer(manifest, wanted));
  return check_own_address(manifest, wanted);
}

Status check_rollout(const fleet::v1::RolloutPolicy& rollout) {
  if (rollout.waves_size() > 32) return broken("rollout.waves", "more than 32");
  Share last;
  for (int i = 0; i < rollout.waves_size(); ++i) {
    const auto share = parse_share(rollout.waves(i));
    if (!share || share->number == 0) {
      return broken(indexed("rollout.waves", i), "\"" + rollout.waves(i).substr(0, 40) +
                                                     "\" is no wave; write 1 or 10%");
    }
    if (share->is_percent == last.is_percent && share->number <= last.number) {
      return broken(indexed("rollout.waves", i), "waves are running totals: each above the last");
    }
    last = *share;
  }
  if (!rollout.max_failed().empty() && !parse_share(rollout.max_failed())) {
    return broken("rollout.max_failed", "is a number or a percentage, like 3 or 2%");
  }
  TRY_VOID(check_duration("rollout.soak", rollout.soak_ms(), 0, 30 * kDayMs));
  TRY_VOID(check_duration("rollout.device_deadline", rollout.device_deadline_ms(), 0, 7 * kDayMs));
  if (rollout.has_max_unavailable()) {
    if (!is_name(rollout.max_unavailable().by())) {
      return broken("rollout.max_unavailable.by", "is the name of a label");
    }
    TRY_VOID(check_range("rollout.max_unavailable.count", rollout.max_unavailable().count(), 1,
                         1000000));
  }
  return Status();
}

Status check_restart(const fleet::v1::Restart& restart) {
  if (restart.policy() == fleet::v1::RESTART_POLICY_UNSPECIFIED) {
    return broken("restart.policy", "is always, on-failure or never");
  }
  TRY_VOID(check_duration("restart.backoff", restart.backoff_ms(), 10, kHourMs));
  TRY_VOID(check_duration("restart.backoff_max", restart.backoff_max_ms(), restart.backoff_ms(),
                          kDayMs));
  TRY_VOID(check_range("restart.crash_loop", restart.crash_loop_count(), 2, 1000));
  return check_duration("restart.crash_loop", restart.crash_loop_window_ms(), kSecondMs, kDayMs);
}

}  // namespace

fleet::v1::Handover widest_handover(const AppManifest& manifest) {
  if (manifest.volumes_size() != 0 || manifest.devices_size() != 0) return fleet::v1::STOP_START;
  if (manifest.network_size() == 1 && manifest.network(0).bridge() == "fleet0" &&
      manifest.network(0).address() == "auto" && manifest.network(0).mac().empty()) {
    return fleet::v1::BESIDE;
  }
  if (holds_address(manifest)) return fleet::v1::STOP_START;
  for (const auto& interface : manifest.network()) {
    if (interface.bridge() != "fleet0" && interface.bridge() != "user") return fleet::v1::SWAP;
  }
  return fleet::v1::STOP_START;
}

std::uint64_t standing_memory_bytes(const AppManifest& manifest) {
  return manifest.memory_bytes() * (manifest.restart().spare() == fleet::v1::SPARE_WARM ? 2 : 1);
}

namespace manifest_detail {

Status check_health(const AppManifest& manifest) {
  const Health& health = manifest.health();
  if (health.type() == fleet::v1::HEALTH_TYPE_UNSPECIFIED) {
    return broken("health.type", "is console, tcp, http, dns, icmp or process");
  }
  TRY_VOID(check_probe_fields(health));
  TRY_VOID(check_probe_interface(manifest));
  TRY_VOID(check_duration("health.start_interval", health.start_interval_ms(), 10, kMinuteMs));
  TRY_VOID(check_duration("health.interval", health.interval_ms(), 100, kHourMs));
  TRY_VOID(check_duration("health.timeout", health.timeout_ms(), 10, kMinuteMs));
  TRY_VOID(check_duration("health.deadline", health.deadline_ms(), 100, kHourMs));
  TRY_VOID(check_duration("health.grace", health.grace_ms(), 0, kHourMs));
  if (health.grace_ms() >= health.deadline_ms()) {
    return broken("health.grace", "is not before the deadline, so no probe could pass");
  }
  TRY_VOID(check_range("health.healthy_after", health.healthy_after(), 1, 1000));
  return check_range("health.unhealthy_after", health.unhealthy_after(), 1, 1000);
}

Status check_life(const AppManifest& manifest) {
  TRY_VOID(check_restart(manifest.restart()));
  TRY_VOID(check_spare(manifest));
  const auto& update = manifest.update();
  TRY_VOID(check_range("update.tries", update.tries(), 1, 10));
  TRY_VOID(check_duration("update.drain", update.drain_ms(), 0, kHourMs));
  TRY_VOID(check_duration("update.fallback_window", update.fallback_window_ms(), 0, 365 * kDayMs));
  TRY_VOID(check_duration("update.watch", update.watch_ms(), 0, 7 * kDayMs));
  TRY_VOID(check_duration("update.uplink", update.uplink_ms(), 0, kDayMs));
  TRY_VOID(check_duration("update.stop_grace", update.stop_grace_ms(), 0, 5 * kMinuteMs));
  if (update.download_rate_bytes() != 0) {
    // Slower would be slower than what counts as a dead server.
    TRY_VOID(check_size("update.download_rate", update.download_rate_bytes(), kKiB, 1024 * kMiB));
  }
  TRY_VOID(check_window("update.download", update.download()));
  TRY_VOID(check_window("update.apply", update.apply()));
  TRY_VOID(check_handover(manifest));
  return check_rollout(manifest.rollout());
}

}  // namespace manifest_detail
}  // namespace proto
