#include "controller/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <utility>

namespace controller {
namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;
using Buckets = prometheus::Histogram::BucketBoundaries;
using Registry = prometheus::Registry;

CounterFamily& counters(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

GaugeFamily& gauges(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

void say(Registry& registry, const char* name, const char* help, double value) {
  gauges(registry, name, help).Add({}).Set(value);
}

prometheus::Histogram& histogram(Registry& registry, const char* name, const char* help,
                                 Buckets buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(
      {}, std::move(buckets));
}

// "apps.dns" as people read it everywhere: "apps/dns".
std::string role_label(std::string role) {
  if (role.starts_with("apps.")) role[4] = '/';
  return role;
}

double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000.0; }
double number(std::size_t count) { return static_cast<double>(count); }

// From a cached read to the deadline of a slow disk.
const Buckets kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
const Buckets kBatch = {1, 2, 4, 8, 16, 32, 64, 128, 256};

void say_rollouts(Registry& registry, const FleetFigures& now) {
  GaugeFamily& ended = gauges(registry, "fleet_rollouts_ended",
                              "Rollouts that have a verdict, ever, by it.");
  for (const auto& [state, count] : now.rollouts_ended) {
    ended.Add({{"state", state}}).Set(number(count));
  }
  GaugeFamily& began = gauges(registry, "fleet_rollout_start_timestamp_seconds",
                              "When a rollout that runs began, Unix time.");
  GaugeFamily& devices = gauges(registry, "fleet_rollout_devices",
                                "Devices of a rollout that runs, by state.");
  for (const fleet::v1::Rollout& rollout : now.running) {
    const prometheus::Labels labels = {{"rollout", rollout.id()}, {"app", rollout.app()}};
    began.Add(labels).Set(seconds(static_cast<std::int64_t>(rollout.created_ms())));
    const fleet::v1::RolloutCounts& counts = rollout.counts();
    const std::pair<const char*, std::uint32_t> states[] = {
        {"waiting", counts.waiting()},   {"busy", counts.busy()},
        {"healthy", counts.healthy()},   {"reverted", counts.reverted()},
        {"failed", counts.failed()},     {"held", counts.held()},
        {"superseded", counts.superseded()}};
    for (const auto& [state, count] : states) {
      prometheus::Labels with_state = labels;
      with_state["state"] = state;
      devices.Add(with_state).Set(count);
    }
  }
}

void say_roles(Registry& registry, const FleetFigures& now) {
  GaugeFamily& expiry = gauges(registry, "fleet_metadata_expiry_timestamp_seconds",
                               "When the signature of a published role ends, Unix time.");
  GaugeFamily& care =
      gauges(registry, "fleet_metadata_needs_care",
             "1 if nobody renewed the role although half of its time is over.");
  for (const fleet::v1::RoleExpiry& role : now.expiries) {
    const std::string label = role_label(role.role());
    expiry.Add({{"role", label}}).Set(seconds(static_cast<std::int64_t>(role.expires_ms())));
    care.Add({{"role", label}}).Set(role.needs_care() ? 1 : 0);
  }
}

void say_devices(Registry& registry, const FleetFigures& now) {
  GaugeFamily& devices = gauges(registry, "fleet_devices", "Devices of the fleet, by their link.");
  devices.Add({{"link", "online"}}).Set(number(now.online));
  devices.Add({{"link", "offline"}}).Set(number(now.devices - now.online));
  GaugeFamily& silent = gauges(registry, "fleet_devices_silent",
                               "Devices that were not heard for at least so long.");
  silent.Add({{"for", "1h"}}).Set(number(now.silent_hour));
  silent.Add({{"for", "24h"}}).Set(number(now.silent_day));
  say(registry, "fleet_devices_ahead",
      "Devices that obeyed a newer word than this controller knows, and are left alone.",
      number(now.ahead));
  say(registry, "fleet_device_certificates_ending",
      "Devices whose certificate ends in less than 21 days: they cannot renew it.",
      number(now.certificates_ending));
  if (now.first_certificate_ms != 0) {
    say(registry, "fleet_device_certificate_first_expiry_timestamp_seconds",
        "When the first certificate of a device ends, Unix time.",
        seconds(now.first_certificate_ms));
  }
}

}  // namespace

// A counter exists from the start, so that its first rise is seen as one.
struct Metrics::Families {
  Registry registry;
  CounterFamily& renewals = counters(registry, "fleet_metadata_renewals_total",
                                     "Renewals of the online roles by the controller, by result.");
  prometheus::Counter& renewed = renewals.Add({{"result", "success"}});
  prometheus::Counter& not_renewed = renewals.Add({{"result", "failure"}});
  CounterFamily& pushes = counters(registry, "fleet_pushes_total",
                                   "Pushes that operators sent, by result.");
  prometheus::Counter& accepted = pushes.Add({{"result", "accepted"}});
  prometheus::Counter& refused = pushes.Add({{"result", "refused"}});
  prometheus::Counter& links =
      counters(registry, "fleet_links_opened_total", "Links that devices opened.").Add({});
  CounterFamily& reports = counters(registry, "fleet_reports_total",
                                    "Reports of devices that were stored, by the state told.");
  prometheus::Counter& reverted = reports.Add({{"state", "reverted"}});
  prometheus::Counter& failed = reports.Add({{"state", "failed"}});
  prometheus::Counter& healthy = reports.Add({{"state", "healthy"}});
  prometheus::Histogram& batch_size = histogram(
      registry, "fleet_report_batch_size", "Reports that were stored in one transaction.", kBatch);
  prometheus::Histogram& batch_seconds =
      histogram(registry, "fleet_report_commit_seconds",
                "How long one transaction of reports took.", kSeconds);
  CounterFamily& requests = counters(registry, "fleet_http_requests_total",
                                     "Requests of operators, by route, method and status.");
  prometheus::Histogram& request_seconds =
      histogram(registry, "fleet_http_request_seconds",
                "How long an answer to an operator took; streams and uploads apart.", kSeconds);
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

void Metrics::count_renewal(bool succeeded) {
  (succeeded ? families_->renewed : families_->not_renewed).Increment();
}

void Metrics::count_push(bool accepted) {
  (accepted ? families_->accepted : families_->refused).Increment();
}

void Metrics::count_link() { families_->links.Increment(); }

void Metrics::count_report(const char* state) {
  families_->reports.Add({{"state", state}}).Increment();
}

void Metrics::count_batch(std::size_t reports, double took_s) {
  families_->batch_size.Observe(number(reports));
  families_->batch_seconds.Observe(took_s);
}

void Metrics::count_request(const CountedRequest& request) {
  const bool known = request.method == "GET" || request.method == "HEAD" ||
                     request.method == "POST" || request.method == "PUT" ||
                     request.method == "PATCH" || request.method == "DELETE";
  // A stranger must not make a series of each word that he sends as a method.
  families_->requests
      .Add({{"route", request.route},
            {"method", known ? request.method : "other"},
            {"code", std::to_string(request.status)}})
      .Increment();
  if (!request.streams) families_->request_seconds.Observe(request.took_s);
}

std::string Metrics::text(const FleetFigures& now) {
  // Roles, rollouts and devices come and go: their gauges are made anew for each question.
  Registry moment;
  say_devices(moment, now);
  say_rollouts(moment, now);
  say_roles(moment, now);
  say(moment, "fleet_rollouts_running", "Rollouts without a verdict yet.",
      number(now.running.size()));
  say(moment, "fleet_audit_sequence", "The number of the newest entry of the audit log.",
      static_cast<double>(now.audit_sequence));
  say(moment, "fleet_audit_strange_devices",
      "Devices whose audit head is not of this log: rewritten, or an older backup.",
      number(now.audit_strange));
  say(moment, "fleet_deltas", "Pairs of images that a delta was made of.",
      number(now.deltas_kept));
  say(moment, "fleet_deltas_bytes", "The bytes of all deltas that are kept.",
      static_cast<double>(now.deltas_bytes));
  say(moment, "fleet_controller_start_time_seconds", "When the controller started, Unix time.",
      seconds(now.started_ms));
  gauges(moment, "fleet_controller_info", "The controller's version; always 1.")
      .Add({{"version", FLEET_VERSION}}).Set(1);
  const prometheus::TextSerializer serializer;
  return serializer.Serialize(families_->registry.Collect()) +
         serializer.Serialize(moment.Collect());
}

}  // namespace controller
