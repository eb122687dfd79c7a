#include "controller/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace controller {
namespace {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;

CounterFamily& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

GaugeFamily& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

// "apps.dns" as people read it everywhere: "apps/dns".
std::string role_label(std::string role) {
  if (role.starts_with("apps.")) role[4] = '/';
  return role;
}

}  // namespace

// A counter exists from the start, so that its first rise is seen as one.
struct Metrics::Families {
  prometheus::Registry registry;
  CounterFamily& renewals =
      counters(registry, "fleet_metadata_renewals_total",
               "Renewals of the online roles by the controller, by result.");
  prometheus::Counter& renewed = renewals.Add({{"result", "success"}});
  prometheus::Counter& not_renewed = renewals.Add({{"result", "failure"}});
  CounterFamily& pushes = counters(registry, "fleet_pushes_total",
                                   "Pushes that operators sent, by result.");
  prometheus::Counter& accepted = pushes.Add({{"result", "accepted"}});
  prometheus::Counter& refused = pushes.Add({{"result", "refused"}});
  GaugeFamily& devices = gauges(registry, "fleet_devices", "Devices of the fleet, by their link.");
  prometheus::Gauge& online = devices.Add({{"link", "online"}});
  prometheus::Gauge& offline = devices.Add({{"link", "offline"}});
  prometheus::Gauge& rollouts =
      gauges(registry, "fleet_rollouts_running", "Rollouts without a verdict yet.").Add({});
  prometheus::Gauge& start = gauges(registry, "fleet_controller_start_time_seconds",
                                    "When the controller started, Unix time.").Add({});
  prometheus::Gauge& info =
      gauges(registry, "fleet_controller_info", "The controller's version; always 1.")
          .Add({{"version", FLEET_VERSION}});
};

Metrics::Metrics() : families_(std::make_unique<Families>()) { families_->info.Set(1); }
Metrics::~Metrics() = default;

void Metrics::count_renewal(bool succeeded) {
  (succeeded ? families_->renewed : families_->not_renewed).Increment();
}

void Metrics::count_push(bool accepted) {
  (accepted ? families_->accepted : families_->refused).Increment();
}

std::string Metrics::text(const FleetFigures& now) {
  families_->online.Set(static_cast<double>(now.online));
  families_->offline.Set(static_cast<double>(now.devices - now.online));
  families_->rollouts.Set(static_cast<double>(now.rollouts_running));
  families_->start.Set(static_cast<double>(now.started_ms) / 1000.0);
  // Roles come and go with apps, so their gauges are made anew for each question.
  prometheus::Registry of_roles;
  GaugeFamily& expiry = gauges(of_roles, "fleet_metadata_expiry_timestamp_seconds",
                               "When the signature of a published role ends, Unix time.");
  for (const fleet::v1::RoleExpiry& role : now.expiries) {
    expiry.Add({{"role", role_label(role.role())}})
        .Set(static_cast<double>(role.expires_ms()) / 1000.0);
  }
  const prometheus::TextSerializer serializer;
  return serializer.Serialize(families_->registry.Collect()) +
         serializer.Serialize(of_roles.Collect());
}

}  // namespace controller
