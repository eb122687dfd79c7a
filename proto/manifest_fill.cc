// What a person wrote, with the defaults of UX A for what they did not.
#include <charconv>

#include "fleet/v1/manifest_file.pb.h"
#include "proto/limits.h"
#include "proto/manifest.h"
#include "proto/manifest_internal.h"
#include "proto/units.h"

namespace proto {

using fleet::v1::AppManifest;
using fleet::v1::ApplicationDocument;

namespace {

using namespace manifest_detail;

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kMinuteMs = 60 * kSecondMs;
constexpr std::uint64_t kHourMs = 60 * kMinuteMs;

template <typename T>
T or_default(bool given, T value, T otherwise) {
  return given ? value : otherwise;
}

void fill_limits(const ApplicationDocument& in, AppManifest& out) {
  out.set_memory_bytes(in.memory_bytes());  // 0: what the image asks for
  out.set_cpus(or_default(in.has_cpus(), in.cpus(), 1U));
  out.set_cpu_limit_percent(in.cpu_limit_percent());
  out.set_log_rate_bytes(or_default<std::uint64_t>(in.has_log_rate_bytes_per_second(),
                                                   in.log_rate_bytes_per_second(), 16 * kKiB));
}

void fill_vars(const ApplicationDocument& in, AppManifest& out) {
  for (const auto& [name, var] : in.vars()) {
    auto& to = (*out.mutable_vars())[name];
    to.set_type(var.type());
    to.set_from(var.from());
    to.set_default_(var.default_());
    to.set_required(or_default(var.has_required(), var.required(), !var.has_default_()));
    if (var.has_min()) to.set_min(var.min());
    if (var.has_max()) to.set_max(var.max());
    *to.mutable_values() = var.values();
    to.set_pattern(var.pattern());
    to.set_max_length(var.max_length());
  }
}

void fill_storage(const ApplicationDocument& in, AppManifest& out) {
  for (const auto& volume : in.volumes()) {
    auto& to = *out.add_volumes();
    to.set_name(volume.name());
    to.set_size_bytes(volume.size_bytes());
    to.set_sync(volume.has_sync() ? volume.sync() : "periodic");
    to.set_keep(or_default(volume.has_keep(), volume.keep(), true));
    to.set_on_revert(volume.has_on_revert() ? volume.on_revert() : "keep");
  }
  *out.mutable_devices() = in.devices();
}

void fill_network(const ApplicationDocument& in, AppManifest& out) {
  for (const auto& interface : in.network()) {
    auto& to = *out.add_network();
    to.set_name(interface.name());
    to.set_bridge(interface.has_bridge() ? interface.bridge() : "fleet0");
    to.set_vlan(interface.vlan());
    to.set_address(interface.has_address() ? interface.address() : "auto");
    to.set_gateway(interface.gateway());
    *to.mutable_dns() = interface.dns();
    to.set_address6(interface.address6());
    to.set_gateway6(interface.gateway6());
    to.set_mac(interface.mac());
    to.set_mtu(interface.mtu());
    to.set_promiscuous(interface.promiscuous());
    to.mutable_egress()->set_any(!interface.has_egress());
    for (const std::string& entry : interface.egress().list()) {
      if (entry == "any") {
        to.mutable_egress()->set_any(true);
      } else {
        to.mutable_egress()->add_allow(entry);
      }
    }
  }
  if (in.network_size() != 0) return;
  auto& only = *out.add_network();
  only.set_bridge("fleet0");
  only.set_address("auto");
  only.mutable_egress()->set_any(true);
}

void fill_health(const fleet::v1::HealthDocument& in, fleet::v1::Health& out) {
  out.set_type(or_default(in.has_type(), in.type(), fleet::v1::HEALTH_PROCESS));
  const bool is_http = out.type() == fleet::v1::HEALTH_HTTP;
  const bool is_dns = out.type() == fleet::v1::HEALTH_DNS;
  out.set_query(in.query());
  out.set_path(in.has_path() || !is_http ? in.path() : "/");
  out.set_status(or_default(in.has_status(), in.status(), is_http ? 200U : 0U));
  const std::uint32_t usual_port = is_http ? 80 : is_dns ? 53 : 0;
  out.set_port(or_default(in.has_port(), in.port(), usual_port));
  out.set_interface(in.interface());
  out.set_line(in.line());
  const auto set = [](bool given, std::uint64_t value, std::uint64_t otherwise) {
    return given ? value : otherwise;
  };
  out.set_grace_ms(in.grace_ms());
  out.set_start_interval_ms(set(in.has_start_interval_ms(), in.start_interval_ms(), 50));
  out.set_interval_ms(set(in.has_interval_ms(), in.interval_ms(), kSecondMs));
  out.set_timeout_ms(set(in.has_timeout_ms(), in.timeout_ms(), kSecondMs));
  out.set_healthy_after(or_default(in.has_healthy_after(), in.healthy_after(), 3U));
  out.set_unhealthy_after(or_default(in.has_unhealthy_after(), in.unhealthy_after(), 3U));
  out.set_deadline_ms(set(in.has_deadline_ms(), in.deadline_ms(), 30 * kSecondMs));
}

// "5 in 10m"
Status read_crash_loop(const std::string& text, fleet::v1::Restart& out) {
  const std::size_t in = text.find(" in ");
  const std::string count_text = text.substr(0, in);
  unsigned count = 0;
  const char* end = count_text.data() + count_text.size();
  const auto [stop, error] = std::from_chars(count_text.data(), end, count);
  if (in == std::string::npos || error != std::errc() || stop != end) {
    return broken("restart.crash_loop", "\"" + text.substr(0, 40) +
                                            "\" is no limit; write COUNT in TIME, like 5 in 10m");
  }
  const auto window = parse_duration_ms(text.substr(in + 4));
  if (!window) return broken("restart.crash_loop", window.error().what);
  out.set_crash_loop_count(count);
  out.set_crash_loop_window_ms(*window);
  return Status();
}

Status fill_restart(const fleet::v1::RestartDocument& in, fleet::v1::Restart& out) {
  out.set_policy(or_default(in.has_policy(), in.policy(), fleet::v1::ALWAYS));
  out.set_backoff_ms(or_default<std::uint64_t>(in.has_backoff_ms(), in.backoff_ms(), 100));
  out.set_backoff_max_ms(
      or_default<std::uint64_t>(in.has_backoff_max_ms(), in.backoff_max_ms(), 30 * kSecondMs));
  out.set_spare(in.spare());  // 0 is none
  return read_crash_loop(in.has_crash_loop() ? in.crash_loop() : "5 in 10m", out);
}

void fill_update(const fleet::v1::UpdateDocument& in, fleet::v1::UpdatePolicy& out) {
  const auto set = [](bool given, std::uint64_t value, std::uint64_t otherwise) {
    return given ? value : otherwise;
  };
  out.set_handover(in.handover());  // 0 is auto
  out.set_tries(or_default(in.has_tries(), in.tries(), 2U));
  out.set_drain_ms(set(in.has_drain_ms(), in.drain_ms(), 10 * kSecondMs));
  out.set_fallback_window_ms(set(in.has_fallback_window_ms(), in.fallback_window_ms(),
                                 24 * kHourMs));
  out.set_watch_ms(set(in.has_watch_ms(), in.watch_ms(), 10 * kMinuteMs));
  out.set_uplink_ms(in.uplink_ms());
  out.set_stop_grace_ms(set(in.has_stop_grace_ms(), in.stop_grace_ms(), 2 * kSecondMs));
  out.set_max_bytes(in.max_bytes());
  out.set_download_rate_bytes(in.download_rate_bytes_per_second());
  out.set_download(in.has_download() ? in.download() : "any");
  out.set_apply(in.has_apply() ? in.apply() : "any");
}

Status fill_publish(const ApplicationDocument& in, AppManifest& out) {
  for (int i = 0; i < in.publish_size(); ++i) {
    auto port = parse_published_port(in.publish(i));
    if (!port) return broken(indexed("publish", i), port.error().what);
    *out.add_publish() = *port;
  }
  return Status();
}

Status fill_head(const ApplicationDocument& in, AppManifest& out) {
  out.set_version(1);
  out.set_name(in.name());
  out.set_description(in.description());
  const std::string run = in.has_run() ? in.run() : "vm";
  if (run != "vm" && run != "bare") {
    return broken("run", "\"" + run.substr(0, 40) + "\" is not known here; one of vm, bare");
  }
  out.set_run(run == "vm" ? fleet::v1::VM : fleet::v1::BARE_BOARD);
  *out.mutable_monitors() = in.monitors();
  if (in.has_needs()) *out.mutable_needs() = in.needs();
  *out.mutable_args() = in.args();
  *out.mutable_env() = in.env();
  out.set_hostname(in.has_hostname() ? in.hostname() : in.name());
  out.set_on_down(in.on_down());
  if (in.has_rollout()) *out.mutable_rollout() = in.rollout();
  return Status();
}

}  // namespace

namespace manifest_detail {

Status fill_manifest(const ApplicationDocument& in, AppManifest& out) {
  TRY_VOID(fill_head(in, out));
  fill_limits(in, out);
  fill_vars(in, out);
  fill_storage(in, out);
  fill_network(in, out);
  TRY_VOID(fill_publish(in, out));
  fill_health(in.health(), *out.mutable_health());
  TRY_VOID(fill_restart(in.restart(), *out.mutable_restart()));
  fill_update(in.update(), *out.mutable_update());
  return Status();
}

}  // namespace manifest_detail
}  // namespace proto
