// Figures of guests as devices run them: started by the launcher in their jails. The first answer
// of a cold DNS guest beside QEMU's, and how many DNS guests of which size one host starts and
// holds, with the limit that ends it. Needs root. launcher_bench [REPEATS]
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "agent/monitors/qemu.h"
#include "agent/monitors/tender.h"
#include "tests/bench/bench.h"
#include "tests/e2e/launcher_world.h"

namespace {

using bench::Figure;
using monitors::Boot;

constexpr agent::Ipv4 kGuest{0x0ad54d02};  // 10.213.77.2
constexpr std::uint32_t kLastGuest = 0x0ad54dfe;
constexpr std::uint16_t kFirstPort = 10'000;
constexpr char kAnswer[] = "192.0.2.10";

std::string must_start(agent::Launcher& launcher, const monitors::Monitor& monitor, Boot boot) {
  const std::string id = e2e::new_id();
  auto request = monitor.command(e2e::dns_launch(id, kGuest, kAnswer, boot));
  if (!request || !launcher.start(std::move(*request))) std::abort();
  return id;
}

void must_end(agent::Launcher& launcher, const std::string& id) {
  if (!launcher.stop(id, 0)) std::abort();
  e2e::wait_exit(launcher, id);
  if (!launcher.remove(id)) std::abort();
}

double time_answer(agent::Launcher& launcher, const monitors::Monitor& monitor, Boot boot,
                   const agent::Fd& socket) {
  const auto begin = bench::Clock::now();
  const std::string id = must_start(launcher, monitor, boot);
  while (e2e::ask(socket, e2e::kDeviceAddress, 53, 2).empty()) {
    if (bench::ms_since(begin) > 20'000) std::abort();
  }
  const double took = bench::ms_since(begin);
  must_end(launcher, id);
  return took;
}

void compare_answers(agent::Launcher& launcher, int repeats) {
  const monitors::TenderMonitor tender(monitors::Target::spt);
  const monitors::QemuMonitor qemu(monitors::Accelerator::tcg);
  if (!launcher.publish({{{}, agent::Protocol::udp, 53, kGuest, 53}})) std::abort();
  const agent::Fd socket = e2e::client_socket(0);
  std::vector<double> by_spt;
  std::vector<double> by_qemu;
  for (int i = 0; i < repeats; ++i) {
    by_spt.push_back(time_answer(launcher, tender, Boot::spt, socket));
    by_qemu.push_back(time_answer(launcher, qemu, Boot::pvh, socket));
  }
  bench::show("dns in its jail, start to first answer", "ms",
              {{"spt", bench::median(by_spt)}, {"qemu/tcg", bench::median(by_qemu)}});
}

double available_mib() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  double kib = 0;
  for (std::string rest; file >> key >> kib; std::getline(file, rest)) {
    if (key == "MemAvailable:") break;
  }
  return kib / 1024;
}

// Guests of one size until no more can be had; each has to answer.
void fill_host(agent::Launcher& launcher, std::uint64_t memory_mib) {
  const monitors::TenderMonitor tender(monitors::Target::spt);
  std::vector<std::string> ids;
  std::vector<agent::PublishedPort> ports;
  std::string limit = "the subnet has no further address";
  const double before_mib = available_mib();
  const auto begin = bench::Clock::now();
  for (std::uint32_t address = kGuest.value; address <= kLastGuest; ++address) {
    const std::string id = e2e::new_id();
    monitors::Launch launch = e2e::dns_launch(id, agent::Ipv4{address}, kAnswer, Boot::spt);
    launch.memory_bytes = memory_mib << 20;
    auto request = tender.command(std::move(launch));
    if (!request) std::abort();
    if (const auto started = launcher.start(std::move(*request)); !started) {
      limit = started.error().what;
      break;
    }
    ids.push_back(id);
    const auto port = static_cast<std::uint16_t>(kFirstPort + ids.size());
    ports.push_back({{}, agent::Protocol::udp, port, agent::Ipv4{address}, 53});
  }
  const double started_ms = bench::ms_since(begin);
  if (!launcher.publish(ports)) std::abort();
  const agent::Fd socket = e2e::client_socket(0);
  int answered = 0;
  for (const agent::PublishedPort& port : ports) {
    const std::string said = e2e::ask_patiently(socket, e2e::kDeviceAddress, port.host_port);
    answered += said == kAnswer ? 1 : 0;
  }
  const double used_mib = before_mib - available_mib();
  for (const std::string& id : ids) must_end(launcher, id);
  const auto count = static_cast<double>(ids.size());
  const std::string of = "dns guests of " + std::to_string(memory_mib) + " MiB: ";
  bench::show(of + "started per second", "", {{"spt", count * 1000 / started_ms}});
  bench::show(of + "run and answer at once", "", {{"spt", static_cast<double>(answered)}});
  bench::show(of + "the host's memory for each", "MiB", {{"spt", used_mib / count}});
  std::fprintf(stderr, "  what ended it: %s\n", limit.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 10;
  e2e::enter_namespaces();
  e2e::LauncherProcess process;
  if (!process.start()) std::abort();
  agent::SocketLauncher launcher(process.socket());
  compare_answers(launcher, repeats);
  for (const std::uint64_t memory_mib : {2, 4, 16}) fill_host(launcher, memory_mib);
  return 0;
}
