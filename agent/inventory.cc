#include "agent/inventory.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <utility>

#include "agent/monitors/probe.h"
#include "agent/monitors/probe_record.h"
#include "agent/monitors/qemu.h"
#include "agent/monitors/tender.h"
#include "boards/board.h"
#include "images/inspect.h"
#include "proto/log.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

std::string read_text(const char* path) {
  std::ifstream file(path);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

fleet::v1::Arch this_arch() {
#if defined(__x86_64__)
  return fleet::v1::X86_64;
#elif defined(__aarch64__)
  return fleet::v1::AARCH64;
#else
  return fleet::v1::ARCH_UNSPECIFIED;
#endif
}

// IPv4 and IPv6 addresses that others may reach the device by.
void add_addresses(fleet::v1::Inventory& out) {
  constexpr int kMostAddresses = 16;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return;
  for (const ifaddrs* one = all; one != nullptr && out.addresses_size() < kMostAddresses;
       one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET6_ADDRSTRLEN] = {};
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
      inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
    }
    if (text[0] != '\0') out.add_addresses(text);
  }
  freeifaddrs(all);
}

class RealMachine final : public Machine {
 public:
  RealMachine(MachineOptions options, boards::Board board)
      : options_(std::move(options)), board_(std::move(board)) {
    boot_id_ = read_text("/proc/sys/kernel/random/boot_id").substr(0, 36);
  }

  fleet::v1::Arch arch() const override { return this_arch(); }
  ota::BootTime boot_time() override { return {boot_id_, agent::boottime_ms()}; }
  std::uint64_t boottime_ms() override { return agent::boottime_ms(); }

  bool clock_synchronised() override {
    timex state{};
    const int seen = adjtimex(&state);
    return seen >= 0 && seen != TIME_ERROR;
  }

  Result<std::uint64_t> memory_free_bytes() override {
    TRY(const std::uint64_t free, parse_meminfo(read_text("/proc/meminfo"), "MemAvailable:"));
    return free - std::min(free, board_.memory_reserve_bytes);
  }

  Result<std::vector<HostSocket>> host_sockets() override { return agent::host_sockets(); }

  fleet::v1::Inventory inventory() override {
    fleet::v1::Inventory out;
    out.set_arch(this_arch());
    out.set_board(board_.name);
    const std::string memory = read_text("/proc/meminfo");
    const auto total = parse_meminfo(memory, "MemTotal:");
    const auto free = parse_meminfo(memory, "MemAvailable:");
    if (total) out.set_memory_total_bytes(*total);
    if (free) out.set_memory_free_bytes(*free);
    utsname kernel{};
    if (uname(&kernel) == 0) out.set_kernel(kernel.release);
    out.set_uptime_ms(agent::boottime_ms());
    out.set_clock_synchronised(clock_synchronised());
    add_addresses(out);
    return out;
  }

  Status check_fit(const fleet::v1::AppManifest& manifest) override;
  Result<monitors::ImageFacts> inspect_image(const fleet::v1::Image& declared,
                                             const ota::Fd& kernel) override;
  Result<std::vector<MonitorChoice>> probe_monitors() override;

 private:
  Result<std::vector<monitors::ProbeResult>> probed();

  MachineOptions options_;
  std::string boot_id_;
  boards::Board board_;
};

Status RealMachine::check_fit(const fleet::v1::AppManifest& manifest) {
  boards::FitFacts facts;
  TRY(facts.memory_free_bytes, parse_meminfo(read_text("/proc/meminfo"), "MemAvailable:"));
  return boards::check_fit(manifest, board_, facts);
}

// The manifest's label wins over what the bytes look like (FORMATS 1a); the bytes say how to boot.
monitors::Family family_of(const fleet::v1::Image& declared, images::Family seen) {
  const auto family = declared.format() == fleet::v1::FORMAT_AUTO
                          ? seen
                          : static_cast<images::Family>(declared.format());
  switch (family) {
    case images::Family::unifleet: return monitors::Family::fleet;
    case images::Family::linux: return monitors::Family::linux;
    case images::Family::unknown: return monitors::Family::unknown;
    default: return monitors::Family::other;
  }
}

monitors::Boot boot_of(const images::ImageInfo& info) {
  switch (info.boot) {
    case images::BootProtocol::pvh: return monitors::Boot::pvh;
    case images::BootProtocol::bzimage: return monitors::Boot::bzimage;
    case images::BootProtocol::arm64_image: return monitors::Boot::arm64_image;
    case images::BootProtocol::solo5:
      return info.platform == images::Platform::spt ? monitors::Boot::spt : monitors::Boot::hvt;
    default: return monitors::Boot::unknown;
  }
}

Result<monitors::ImageFacts> RealMachine::inspect_image(const fleet::v1::Image& declared,
                                                        const ota::Fd& kernel) {
  TRY(const images::ImageInfo info, images::inspect_descriptor(kernel.get()));
  TRY_VOID(images::check_runs_on(info, static_cast<images::Arch>(this_arch())));
  if (!info.obstacle.empty()) return Error{Code::no_monitor, info.obstacle, ""};
  monitors::ImageFacts facts;
  facts.arch = info.arch == images::Arch::aarch64 ? monitors::Arch::aarch64
                                                  : monitors::Arch::x86_64;
  facts.family = family_of(declared, info.family);
  facts.boot = boot_of(info);
  facts.family_name = images::name_of(info.family);
  for (const images::ImageDevice& device : info.devices) {
    facts.devices.push_back({device.name, device.kind == images::DeviceKind::net});
  }
  return facts;
}

MonitorChoice choice_of(const monitors::ProbeResult& probed) {
  MonitorChoice choice;
  choice.label = probed.monitor;
  if (probed.monitor == "qemu") {
    choice.kind = fleet::v1::MONITOR_QEMU;
    choice.label += probed.kvm ? "/kvm" : "/tcg";
    const auto accelerator = probed.kvm ? monitors::Accelerator::kvm : monitors::Accelerator::tcg;
    choice.monitor = std::make_unique<monitors::QemuMonitor>(accelerator);
    return choice;
  }
  const bool hvt = probed.monitor == "hvt";
  choice.kind = hvt ? fleet::v1::MONITOR_HVT : fleet::v1::MONITOR_SPT;
  const auto target = hvt ? monitors::Target::hvt : monitors::Target::spt;
  choice.monitor = std::make_unique<monitors::TenderMonitor>(target);
  return choice;
}

Result<std::vector<monitors::ProbeResult>> RealMachine::probed() {
  // A connection of its own: the probe runs beside the loop.
  SocketLauncher launcher(options_.launcher_socket);
  TRY(const LauncherInfo info, launcher.info());
  const monitors::ProbeTime time{boot_id_, info.boot_ms, FLEET_VERSION,
                                 monitors::host_has(info)};
  if (options_.disk != nullptr) {
    auto kept = monitors::read_probe_record(*options_.disk, time);
    if (kept) return std::move(*kept);
  }
  TRY(auto results, monitors::probe_monitors(launcher));
  if (options_.disk != nullptr) {
    const Status done = monitors::write_probe_record(*options_.disk, time, results);
    if (!done) proto::log_warning("monitors.not_kept", {{"why", done.error().what}});
  }
  return results;
}

Result<std::vector<MonitorChoice>> RealMachine::probe_monitors() {
  TRY(const auto seen, probed());
  std::vector<MonitorChoice> out;
  for (const monitors::ProbeResult& one : seen) {
    MonitorChoice choice = choice_of(one);
    const auto& allowed = board_.monitors;
    if (std::find(allowed.begin(), allowed.end(), choice.kind) == allowed.end()) continue;
    choice.evidence = one.evidence;
    choice.start_ms = one.elapsed_ms;
    if (!one.usable) choice.monitor.reset();
    out.push_back(std::move(choice));
  }
  return out;
}

}  // namespace

Result<std::uint64_t> parse_meminfo(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  const Error missing{Code::io, "/proc/meminfo has no " + std::string(key), ""};
  if (at == std::string_view::npos) return missing;
  text.remove_prefix(at + key.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t kib = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), kib);
  if (error != std::errc()) return missing;
  return kib * proto::kKiB;
}

Result<std::unique_ptr<Machine>> make_machine(MachineOptions options) {
  boards::Board board = boards::generic_board(this_arch());
  if (!options.board_file.empty()) {
    TRY(board, boards::load_board(options.board_file));
  }
  if (board.arch != this_arch()) {
    return Error{Code::bad_argument, "board " + board.name + " is of another CPU than this one",
                 ""};
  }
  return std::unique_ptr<Machine>(
      std::make_unique<RealMachine>(std::move(options), std::move(board)));
}

}  // namespace agent
