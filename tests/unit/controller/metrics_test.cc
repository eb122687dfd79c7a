// What /metrics says, and that it is Prometheus' format.
#include "controller/metrics.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

namespace controller {
namespace {

FleetFigures figures() {
  FleetFigures now;
  now.devices = 5;
  now.online = 3;
  now.silent_hour = 2;
  now.ahead = 2;
  now.certificates_ending = 1;
  now.first_certificate_ms = 1'850'000'000'000;
  fleet::v1::Rollout rollout;
  rollout.set_id("r-7");
  rollout.set_app("dns");
  rollout.set_created_ms(1'800'000'000'000);
  rollout.mutable_counts()->set_busy(2);
  now.running.push_back(rollout);
  now.rollouts_ended = {{"succeeded", 4}, {"failed", 1}};
  now.audit_sequence = 12;
  now.started_ms = 1'800'000'000'500;
  fleet::v1::RoleExpiry role;
  role.set_role("apps.dns");
  role.set_expires_ms(1'900'000'000'000);
  now.expiries.push_back(role);
  role.set_role("root");
  now.expiries.push_back(role);
  return now;
}

bool says(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, SayCountsAndFiguresUnderTheirNames) {
  Metrics metrics;
  metrics.count_renewal(true);
  metrics.count_renewal(false);
  metrics.count_renewal(false);
  metrics.count_push(true);
  metrics.count_link();
  metrics.count_report("reverted");
  metrics.count_batch(3, 0.004);
  metrics.count_request({"/v1/devices", "GET", 200, 0.02, false});
  metrics.count_request({"/v1/events", "GET", 200, 900, true});
  metrics.count_request({"other", "BREW", 404, 0.001, false});
  const std::string text = metrics.text(figures());
  for (const char* line : {"fleet_metadata_renewals_total{result=\"success\"} 1",
                           "fleet_metadata_renewals_total{result=\"failure\"} 2",
                           "fleet_pushes_total{result=\"accepted\"} 1",
                           "fleet_pushes_total{result=\"refused\"} 0",
                           "fleet_devices{link=\"online\"} 3", "fleet_devices{link=\"offline\"} 2",
                           "fleet_rollouts_running 1", "fleet_devices_silent{for=\"1h\"} 2",
                           "fleet_links_opened_total 1",
                           "fleet_reports_total{state=\"reverted\"} 1",
                           "fleet_reports_total{state=\"failed\"} 0",
                           "fleet_report_batch_size_bucket{le=\"2\"} 0",
                           "fleet_report_batch_size_bucket{le=\"4\"} 1",
                           "fleet_report_commit_seconds_bucket{le=\"0.005\"} 1",
                           "fleet_http_request_seconds_count 2",
                           "fleet_rollouts_ended{state=\"succeeded\"} 4",
                           "fleet_rollout_start_timestamp_seconds{app=\"dns\",rollout=\"r-7\"} "
                           "1800000000",
                           "fleet_rollout_devices{app=\"dns\",rollout=\"r-7\",state=\"busy\"} "
                           "2",
                           "fleet_devices_ahead 2", "fleet_device_certificates_ending 1",
                           "fleet_device_certificate_first_expiry_timestamp_seconds 1850000000",
                           "fleet_audit_sequence 12", "fleet_audit_strange_devices 0",
                           "fleet_controller_start_time_seconds 1800000000.5",
                           "fleet_metadata_expiry_timestamp_seconds{role=\"apps/dns\"} 1900000000",
                           "fleet_metadata_expiry_timestamp_seconds{role=\"root\"} 1900000000"}) {
    EXPECT_TRUE(says(text, line)) << line << "\nis not in\n" << text;
  }
}

TEST(Metrics, ARoleThatIsGoneIsNotSaidAnyMore) {
  Metrics metrics;
  FleetFigures now = figures();
  EXPECT_NE(metrics.text(now).find("apps/dns"), std::string::npos);
  now.expiries.clear();
  EXPECT_EQ(metrics.text(now).find("apps/dns"), std::string::npos);
}

// The rules of `promtool check metrics`: each sample belongs to a HELP and a TYPE said before, each
// said once; counters end in _total and nothing else does; names are in base units.
TEST(Metrics, KeepPrometheusRules) {
  Metrics metrics;
  metrics.count_request({"/v1/devices", "GET", 200, 0.02, false});
  std::istringstream lines(metrics.text(figures()));
  std::set<std::string> helped;
  std::set<std::string> counters;
  std::set<std::string> typed;
  const std::regex sample(
      "^([a-z_]+?)(_bucket|_sum|_count)?(\\{[a-z_]+=\"[^\"]*\"(,[a-z_]+=\"[^\"]*\")*\\})?"
      " [0-9.e+]+$");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, kind, name, type;
    if (line.rfind("# ", 0) == 0) {
      words >> hash >> kind >> name >> type;
      EXPECT_TRUE((kind == "HELP" ? helped : typed).insert(name).second) << line;
      if (kind == "TYPE" && type == "counter") counters.insert(name);
      continue;
    }
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
    EXPECT_EQ(helped.count(match[1]), 1u) << line;
    EXPECT_EQ(typed.count(match[1]), 1u) << line;
    EXPECT_EQ(counters.count(match[1]) == 1, match[1].str().ends_with("_total")) << line;
  }
  EXPECT_GE(helped.size(), 6u);
}

}  // namespace
}  // namespace controller
