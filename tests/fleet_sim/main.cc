// fleet-sim: thousands of devices over the real link, for figures and for planning. It enrols them
// with one token, keeps their links, and obeys what is wanted; a line of JSON each second says how
// it goes. SIGTERM ends it.
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

#include "agent/enroll.h"
#include "ota/metadata.h"
#include "proto/log.h"
#include "tests/fleet_sim/device.h"

namespace fleet_sim {
namespace {

using proto::Status;

constexpr std::int64_t kEachMs = 1000;
constexpr int kEnrolAtOnce = 16;
constexpr std::int64_t kConnectEveryMs = 2;  // a fleet that is switched on, not a storm

struct Options {
  std::string bootstrap;
  std::string names = "sim-";
  int devices = 100;
};

class Fleet {
 public:
  Fleet(boost::asio::io_context& loop, proto::Clock& clock, const Behaviour& behaviour,
        const Options& options)
      : loop_(loop), clock_(clock), behaviour_(behaviour), tasks_(loop) {
    for (int i = 1; i <= options.devices; ++i) {
      devices_.push_back(std::make_unique<Device>(loop, clock, behaviour, counts_,
                                                  options.names + std::to_string(i)));
    }
  }

  proto::awaitable<void> run() {
    proto::TlsClientOptions options;
    options.ca_pem = behaviour_.bootstrap.ca_pem();
    auto context = proto::TlsContext::make_client(options);
    if (!context) {
      proto::log_error("sim.no_context", {{"why", context.error().what}});
      co_return;
    }
    tasks_.spawn("counts", tell());
    proto::TaskGroup enrolling(loop_);
    for (int i = 0; i < kEnrolAtOnce; ++i) enrolling.spawn("enrol", enrol_some(*context));
    co_await enrolling.join();
    for (const auto& device : devices_) {
      tasks_.spawn("device", device->run());
      co_await proto::sleep_ms(clock_, kConnectEveryMs);
    }
  }

 private:
  proto::awaitable<void> enrol_some(std::shared_ptr<proto::TlsContext> context) {
    while (next_ < devices_.size()) {
      Device& device = *devices_[next_++];
      const Status enrolled = co_await device.enrol(context);
      if (enrolled) continue;
      proto::log_error("sim.not_enrolled", {{"why", enrolled.error().what}});
      next_ = devices_.size();
    }
  }

  proto::awaitable<void> tell() {
    while (true) {
      const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
      std::cout << ota::canonical_json(ota::Json::object({
                       {"ms", clock_.wall_ms()},
                       {"enrolled", number(counts_.enrolled)},
                       {"online", number(counts_.online)},
                       {"links", number(counts_.links)},
                       {"refused_links", number(counts_.refused_links)},
                       {"reports", number(counts_.reports)},
                       {"healthy", number(counts_.healthy)},
                       {"reverted", number(counts_.reverted)},
                       {"failed_downloads", number(counts_.failed_downloads)},
                       {"downloaded_bytes", number(counts_.downloaded_bytes)},
                   }))
                << std::endl;
      co_await proto::sleep_ms(clock_, kEachMs);
    }
  }

  boost::asio::io_context& loop_;
  proto::Clock& clock_;
  const Behaviour& behaviour_;
  Counts counts_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::size_t next_ = 0;
  proto::TaskGroup tasks_;
};

int run(const Options& options, Behaviour behaviour) {
  std::ifstream file(options.bootstrap);
  std::ostringstream text;
  text << file.rdbuf();
  auto bootstrap = agent::read_bootstrap(text.str());
  if (!bootstrap) {
    std::cerr << "error: " << options.bootstrap << ": " << bootstrap.error().what << "\n";
    return 1;
  }
  behaviour.bootstrap = std::move(*bootstrap);
  boost::asio::io_context loop(1);
  proto::RealClock clock(loop);
  Fleet fleet(loop, clock, behaviour, options);
  proto::TaskGroup tasks(loop);
  tasks.spawn("fleet", fleet.run());
  proto::run_loop(loop);  // until a signal ends the process
  return 0;
}

}  // namespace
}  // namespace fleet_sim

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  fleet_sim::Options options;
  fleet_sim::Behaviour behaviour;
  bool only_link = false;
  CLI::App app("Thousands of devices over the real link, for figures and for planning.",
               "fleet-sim");
  app.add_option("--bootstrap", options.bootstrap, "of `fleetctl enroll-token --uses N`")
      ->required();
  app.add_option("--devices", options.devices, "how many")->check(CLI::Range(1, 19000));
  app.add_option("--names", options.names, "what their names begin with");
  app.add_option("--trial-ms", behaviour.trial_ms, "from a guest's start to its verdict");
  app.add_option("--fails-permille", behaviour.fails_permille, "so many trials revert");
  app.add_flag("--only-link", only_link, "download nothing");
  app.footer("\nExample:\n"
             "  fleetctl enroll-token --group sim --uses 1000 -o sim.boot\n"
             "  fleet-sim --bootstrap sim.boot --devices 1000");
  CLI11_PARSE(app, argc, argv);
  behaviour.downloads = !only_link;
  return fleet_sim::run(options, std::move(behaviour));
}
