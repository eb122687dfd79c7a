#include "agent/metrics.h"

#include <utility>
#include <vector>

#include "proto/document.h"

namespace agent {
namespace {

// 1234567 ms as "1234.567".
std::string seconds(std::uint64_t ms) {
  std::string thousandths = std::to_string(ms % 1000);
  thousandths.insert(0, 3 - thousandths.size(), '0');
  return std::to_string(ms / 1000) + "." + thousandths;
}

std::string quoted(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

// One family: its name, what it is, and its samples.
class Family {
 public:
  Family(std::string& out, std::string name, const char* type, const char* help)
      : out_(out), name_(std::move(name)) {
    head_ = "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }
  void add(const std::string& labels, const std::string& value) {
    out_ += std::exchange(head_, "") + name_ + (labels.empty() ? "" : "{" + labels + "}") + " " +
            value + "\n";
  }
  void add(const std::string& labels, std::uint64_t value) { add(labels, std::to_string(value)); }

 private:
  std::string& out_;
  std::string name_;
  std::string head_;  // once, and only with a sample
};

void say(std::string& out, const char* name, const char* help, const std::string& value) {
  Family(out, name, "gauge", help).add("", value);
}

struct AppFigure {
  const char* name;
  const char* type;
  const char* help;
  std::string (*value)(const fleet::v1::AppStatus& app);
};

bool runs(const fleet::v1::AppStatus& app) {
  return !app.instance().id().empty() && !app.stopped();
}

const std::vector<AppFigure>& app_figures() {
  using App = fleet::v1::AppStatus;
  static const std::vector<AppFigure> all = {
      {"fleet_app_up", "gauge", "1 if an instance of the app runs.",
       [](const App& app) { return std::string(runs(app) ? "1" : "0"); }},
      {"fleet_app_healthy", "gauge", "1 if its last health probes passed.",
       [](const App& app) {
         return std::string(runs(app) && app.instance().healthy() ? "1" : "0");
       }},
      {"fleet_app_release", "gauge", "The release of the live slot; 0: none.",
       [](const App& app) { return std::to_string(app.live_release()); }},
      {"fleet_app_uptime_seconds", "gauge", "How long the instance runs.",
       [](const App& app) { return seconds(app.instance().up_ms()); }},
      {"fleet_app_memory_bytes", "gauge", "Memory that the instance takes.",
       [](const App& app) { return std::to_string(app.instance().memory_bytes()); }},
      {"fleet_app_memory_limit_bytes", "gauge", "Memory that it may take; 0: no limit.",
       [](const App& app) { return std::to_string(app.instance().memory_limit_bytes()); }},
      {"fleet_app_cpu_ratio", "gauge", "Share of one core over the last interval.",
       [](const App& app) { return seconds(app.instance().cpu_permille()); }},
      {"fleet_app_restarts_total", "counter", "Restarts of the live release's instance.",
       [](const App& app) { return std::to_string(app.instance().restarts()); }},
  };
  return all;
}

void say_slots(std::string& out, const fleet::v1::Device& device) {
  Family slots(out, "fleet_app_slot_release", "gauge",
               "The release in a slot, by what became of it there.");
  for (const fleet::v1::AppStatus& app : device.apps()) {
    for (const auto& [name, slot] : {std::pair{"A", &app.a()}, std::pair{"B", &app.b()}}) {
      if (slot->release() == 0) continue;
      slots.add("app=" + quoted(app.app()) + ",slot=" + quoted(name) + ",state=" +
                    quoted(proto::word_of(slot->state())) + ",live=" +
                    quoted(app.live_slot() == name ? "yes" : "no"),
                slot->release());
    }
  }
}

}  // namespace

std::string metrics_text(const fleet::v1::Device& device, const ReportCounts& reports) {
  std::string out;
  Family(out, "fleet_agent_info", "gauge", "The agent and its device; always 1.")
      .add("device=" + quoted(device.name()) + ",version=" + quoted(device.agent_version()), 1);
  say(out, "fleet_agent_link_up", "1 while the link to the controller is up.",
      device.online() ? "1" : "0");
  say(out, "fleet_agent_generation", "The generation of the controller's wishes that it obeys.",
      std::to_string(device.generation()));
  say(out, "fleet_agent_certificate_expiry_timestamp_seconds",
      "When the device's certificate ends, Unix time.", seconds(device.certificate_until_ms()));
  const fleet::v1::Inventory& inventory = device.inventory();
  say(out, "fleet_agent_metadata_expiry_timestamp_seconds",
      "When the signed metadata that it holds is fresh no more, Unix time.",
      seconds(inventory.metadata().fresh_until_ms()));
  say(out, "fleet_agent_clock_synchronised", "1 if the kernel calls its clock synchronised.",
      inventory.clock_synchronised() ? "1" : "0");
  say(out, "fleet_agent_memory_free_bytes", "Memory of the device that is free.",
      std::to_string(inventory.memory_free_bytes()));
  say(out, "fleet_agent_disk_free_bytes", "Free bytes where the agent keeps its state.",
      std::to_string(inventory.disk_free_bytes()));
  say(out, "fleet_agent_flight_records", "Flight records of guests that failed, kept here.",
      std::to_string(device.flights()));
  say(out, "fleet_agent_audit_sequence", "The entry of the controller's audit log last seen.",
      std::to_string(device.audit_head().sequence()));
  for (const AppFigure& figure : app_figures()) {
    Family family(out, figure.name, figure.type, figure.help);
    for (const fleet::v1::AppStatus& app : device.apps()) {
      family.add("app=" + quoted(app.app()), figure.value(app));
    }
  }
  say_slots(out, device);
  Family told(out, "fleet_app_reports_total", "counter",
              "What the app came to since the agent started, by state: reverted, healthy ...");
  for (const auto& [key, count] : reports) {
    told.add("app=" + quoted(key.first) + ",state=" + quoted(proto::word_of(key.second)), count);
  }
  return out;
}

}  // namespace agent
