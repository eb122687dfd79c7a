// What the agent says to Prometheus.
#include "agent/metrics.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace agent {
namespace {

fleet::v1::Device device() {
  fleet::v1::Device out;
  out.set_name("edge-1");
  out.set_agent_version("1.2");
  out.set_online(true);
  out.set_certificate_until_ms(1'800'000'000'050);
  fleet::v1::AppStatus* app = out.add_apps();
  app->set_app("dns");
  app->set_live_release(4);
  app->set_live_slot("B");
  app->mutable_instance()->set_id("abc");
  app->mutable_instance()->set_healthy(true);
  app->mutable_instance()->set_up_ms(61'007);
  app->mutable_instance()->set_memory_bytes(3000);
  app->mutable_instance()->set_cpu_permille(4);
  app->mutable_instance()->set_restarts(2);
  app->mutable_a()->set_state(fleet::v1::BAD);
  app->mutable_a()->set_release(3);
  app->mutable_b()->set_state(fleet::v1::GOOD);
  app->mutable_b()->set_release(4);
  app = out.add_apps();
  app->set_app("we\"b");
  app->set_stopped(true);
  app->mutable_instance()->set_id("old");
  return out;
}

TEST(AgentMetrics, SayTheDeviceAndEachApp) {
  const std::string text = metrics_text(device(), {{{"dns", fleet::v1::REVERTED}, 1}});
  for (const char* line :
       {"fleet_agent_info{device=\"edge-1\",version=\"1.2\"} 1", "fleet_agent_link_up 1",
        "fleet_agent_certificate_expiry_timestamp_seconds 1800000000.050",
        "fleet_app_up{app=\"dns\"} 1", "fleet_app_up{app=\"we\\\"b\"} 0",
        "fleet_app_healthy{app=\"dns\"} 1", "fleet_app_healthy{app=\"we\\\"b\"} 0",
        "fleet_app_release{app=\"dns\"} 4", "fleet_app_uptime_seconds{app=\"dns\"} 61.007",
        "fleet_app_memory_bytes{app=\"dns\"} 3000", "fleet_app_cpu_ratio{app=\"dns\"} 0.004",
        "fleet_app_restarts_total{app=\"dns\"} 2",
        "fleet_app_slot_release{app=\"dns\",slot=\"A\",state=\"bad\",live=\"no\"} 3",
        "fleet_app_slot_release{app=\"dns\",slot=\"B\",state=\"good\",live=\"yes\"} 4",
        "fleet_app_reports_total{app=\"dns\",state=\"reverted\"} 1"}) {
    EXPECT_NE(("\n" + text).find("\n" + std::string(line) + "\n"), std::string::npos)
        << line << "\nis not in\n" << text;
  }
}

TEST(AgentMetrics, EachFamilyIsToldOnceBeforeItsSamples) {
  std::istringstream lines(metrics_text(device(), {}));
  std::set<std::string> typed;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, kind, name;
    words >> hash >> kind >> name;
    if (hash == "#" && kind == "TYPE") {
      EXPECT_TRUE(typed.insert(name).second) << line;
    }
    if (hash == "#") continue;
    EXPECT_EQ(typed.count(line.substr(0, line.find_first_of("{ "))), 1u) << line;
  }
  EXPECT_GE(typed.size(), 15u);
  EXPECT_EQ(typed.count("fleet_app_reports_total"), 0u) << "no sample, no family";
}

}  // namespace
}  // namespace agent
