// fleet-agent: verifies, stages, tries and keeps what the operators signed, or goes back by itself.
// Only wiring here: flags, the real ports, the loop.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "agent/agent.h"
#include "agent/credentials.h"
#include "agent/enroll.h"
#include "agent/health.h"
#include "agent/http_metrics.h"
#include "agent/inventory.h"
#include "agent/metrics.h"
#include "agent/real_ports.h"
#include "agent/secrets.h"
#include "agent/status.h"
#include "proto/json.h"
#include "proto/log.h"

namespace {

using proto::Error;
using proto::Result;
using proto::Status;

struct Options {
  std::string state_dir = "/var/lib/fleet-agent";
  std::string bootstrap;
  std::string name;
  std::string board;
  std::string launcher = "/run/fleet/launcher.sock";
  std::string metrics_listen;
  bool json = false;
};

int fail(const Error& error) {
  std::cerr << "error: " << error.what << "\n";
  return 1;
}

// Tells the service manager; without one it does nothing.
void notify_manager(const std::string& text) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || path[0] == '\0') return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::min(std::strlen(path), sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path, length);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const proto::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  ::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
}

// While the loop turns. A service manager that hears nothing for its WatchdogSec starts us again.
proto::awaitable<void> feed_watchdog(proto::Clock& clock) {
  const char* text = std::getenv("WATCHDOG_USEC");
  const std::int64_t patience_ms = text == nullptr ? 0 : std::strtoll(text, nullptr, 10) / 1000;
  if (patience_ms < 2) co_return;
  while (true) {
    notify_manager("WATCHDOG=1");
    co_await proto::sleep_ms(clock, patience_ms / 2);
  }
}

Result<std::unique_ptr<ota::RealDisk>> open_disk(const std::string& state_dir, bool make) {
  if (make) ::mkdir(state_dir.c_str(), S_IRWXU);
  auto disk = ota::RealDisk::open(state_dir);
  if (!disk) return disk.error().with("state directory " + state_dir);
  return disk;
}

// Runs one coroutine to its end on a loop of its own.
template <typename Value>
proto::awaitable<void> keep(proto::awaitable<Value> task, Value& into) {
  into = co_await std::move(task);
}

int enroll(const Options& options) {
  std::ifstream file(options.bootstrap);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    return fail({proto::Code::not_found, options.bootstrap + ": cannot be read", ""});
  }
  auto bootstrap = agent::read_bootstrap(text.str());
  if (!bootstrap) return fail(bootstrap.error().with(options.bootstrap));
  auto disk = open_disk(options.state_dir, true);
  if (!disk) return fail(disk.error());
  auto machine = agent::make_machine({options.board, options.launcher, nullptr});
  if (!machine) return fail(machine.error());
  boost::asio::io_context loop(1);
  proto::RealClock clock(loop);
  proto::TaskGroup tasks(loop);
  agent::EnrollOptions wish;
  wish.name = options.name;
  wish.inventory = (*machine)->inventory();
  Result<agent::Enrolled> enrolled;
  tasks.spawn("enroll", keep(agent::enroll(clock, **disk, std::move(*bootstrap), std::move(wish)),
                             enrolled));
  proto::run_loop(loop);
  if (!enrolled) return fail(enrolled.error());
  std::cout << agent::describe(*enrolled);
  return 0;
}

proto::awaitable<void> stop_on_signal(agent::Agent& agent) {
  const int number = co_await proto::wait_for_stop_signal();
  if (number == 0) co_return;
  proto::log_info("agent.stopping", {{"signal", number}});
  notify_manager("STOPPING=1");
  agent.stop();
}

proto::awaitable<void> serve(boost::asio::io_context& loop, agent::Agent& agent,
                             const agent::Identity& identity, std::string socket_path) {
  const Status served =
      co_await agent::serve_status(loop, agent, identity, std::move(socket_path));
  if (!served) proto::log_error("status.not_served", {{"why", served.error().what}});
}

proto::awaitable<void> tell_metrics(boost::asio::io_context& loop, agent::Agent& agent,
                                    const agent::Identity& identity, std::string address) {
  auto text = [&agent, &identity] {
    return agent::metrics_text(agent::describe_device(agent, identity),
                               agent.device().state.report_counts());
  };
  const Status served = co_await agent::serve_metrics(loop, agent.device().ports.clock,
                                                      std::move(address), std::move(text));
  if (!served) proto::log_error("metrics.not_served", {{"why", served.error().what}});
}

proto::awaitable<void> run_agent(agent::Agent& agent, proto::TaskGroup& helpers) {
  auto ready = [] {
    notify_manager("READY=1");
    proto::log_info("agent.ready", {{"version", FLEET_VERSION}});
  };
  co_await agent.run(std::move(ready));
  helpers.cancel();
}

int run(const Options& options) {
  auto disk = open_disk(options.state_dir, false);
  if (!disk) return fail(disk.error());
  auto identity = agent::load_identity(**disk);
  if (!identity) return fail(identity.error());
  auto credentials = agent::DiskCredentials::load(**disk, *identity);
  if (!credentials) return fail(credentials.error());
  auto secrets = agent::Secrets::load(**disk, identity->device_id);
  if (!secrets) return fail(secrets.error());
  auto state = agent::State::open(options.state_dir + "/agent.db");
  if (!state) return fail(state.error());
  auto machine = agent::make_machine({options.board, options.launcher, disk->get()});
  if (!machine) return fail(machine.error());

  boost::asio::io_context loop(1);
  proto::RealClock clock(loop);
  proto::BlockingPool fetch_pool("fetch");
  proto::BlockingPool disk_pool("disk");
  agent::SocketLauncher launcher(options.launcher);
  agent::NetworkProber prober(loop, clock);
  agent::RealFetch fetches(*identity, options.state_dir);
  agent::RealLink link(clock, *identity, **credentials);
  agent::Ports ports{loop,  clock,    **disk,       launcher,   prober,   fetches,
                     link,  **machine, **credentials, fetch_pool, disk_pool};
  agent::Agent agent(ports, **state, FLEET_BUILD_TIME);
  agent.device().secrets = std::move(*secrets);
  proto::TaskGroup helpers(loop);
  proto::TaskGroup tasks(loop);
  helpers.spawn("signals", stop_on_signal(agent));
  helpers.spawn("watchdog", feed_watchdog(clock));
  helpers.spawn("status", serve(loop, agent, *identity,
                                options.state_dir + "/" + agent::kStatusSocket));
  if (!options.metrics_listen.empty()) {
    helpers.spawn("metrics", tell_metrics(loop, agent, *identity, options.metrics_listen));
  }
  tasks.spawn("agent", run_agent(agent, helpers));
  proto::run_loop(loop);
  ::unlink((options.state_dir + "/" + agent::kStatusSocket).c_str());
  return 0;
}

int status(const Options& options) {
  auto asked = agent::ask_status(options.state_dir);
  const bool running = asked.has_value();
  if (!running && asked.error().code != proto::Code::unreachable) return fail(asked.error());
  if (!running) {
    auto disk = open_disk(options.state_dir, false);
    if (!disk) return fail(disk.error());
    auto identity = agent::load_identity(**disk);
    if (!identity) return fail(identity.error());
    asked = agent::stored_status(options.state_dir, *identity);
    if (!asked) return fail(asked.error());
  }
  if (!options.json) {
    std::cout << agent::describe(*asked, running);
    return 0;
  }
  const auto json = proto::to_json(*asked, {true, true});
  if (!json) return fail(json.error());
  std::cout << *json << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  CLI::App app("One device's agent: enrols it, runs its apps, says how they are.", "fleet-agent");
  app.set_version_flag("--version", FLEET_VERSION);
  app.require_subcommand(1);
  app.footer("\nExample:\n"
             "  fleet-agent enroll --bootstrap edge-1.boot && fleet-agent run");
  CLI::App* enroll_command = app.add_subcommand("enroll", "Give this device its identity");
  enroll_command->add_option("--bootstrap", options.bootstrap, "file of `fleetctl enroll-token`")
      ->required();
  enroll_command->add_option("--name", options.name, "the name that you wish for it");
  CLI::App* run_command = app.add_subcommand("run", "Keep running what is wanted");
  run_command->add_option("--board", options.board, "a board file of your own");
  run_command->add_option("--launcher", options.launcher, "the launcher's socket");
  run_command->add_option("--metrics-listen", options.metrics_listen,
                          "a loopback ADDRESS:PORT for Prometheus, 127.0.0.1:9105; else none");
  CLI::App* status_command = app.add_subcommand("status", "Say how the apps are");
  status_command->add_flag("--json", options.json, "one JSON document");
  for (CLI::App* command : {enroll_command, run_command, status_command}) {
    command->add_option("--state-dir", options.state_dir, "where the agent keeps its state")
        ->capture_default_str();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (enroll_command->parsed()) return enroll(options);
  if (run_command->parsed()) return run(options);
  return status(options);
}
