#include "tests/unit/agent/fakes.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <utility>

#include "ota/hash.h"

namespace tests {

namespace fs = std::filesystem;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

proto::Clock::TimerId SimClock::call_at(std::int64_t at_ms, std::function<void()> wake) {
  const TimerId id = next_++;
  timers_[{at_ms, id}] = std::move(wake);
  times_[id] = at_ms;
  return id;
}

void SimClock::cancel(TimerId timer) {
  const auto found = times_.find(timer);
  if (found == times_.end()) return;
  timers_.erase({found->second, timer});
  times_.erase(found);
}

bool SimClock::advance(std::int64_t limit_ms) {
  if (timers_.empty() || timers_.begin()->first.first > limit_ms) return false;
  auto node = timers_.extract(timers_.begin());
  times_.erase(node.key().second);
  now_ms_ = std::max(now_ms_, node.key().first);
  boost::asio::post(loop_, std::move(node.mapped()));
  return true;
}

// --- launcher

Result<agent::LauncherInfo> FakeLauncher::info() {
  agent::LauncherInfo out;
  out.version = "0.1.0";
  out.subnet = *launcher::parse_subnet("10.213.77.0/24");
  out.gateway = *launcher::parse_ipv4("10.213.77.1");
  out.bridge = "fleet0";
  out.memory_max_mib = 256;
  out.qemu_present = true;
  out.boot_ms = guests_.boot_ms;
  out.bypasses = allowed_bypasses;
  out.serial_lines = lent_lines;
  return out;
}

agent::Instance* FakeLauncher::find(const std::string& id) {
  for (agent::Instance& one : guests_.instances) {
    if (one.id == id) return &one;
  }
  return nullptr;
}

void FakeLauncher::changed() {
  if (on_change) on_change();
}

// Guests whose time has come have ended.
void FakeLauncher::age() {
  const auto now = static_cast<std::uint64_t>(clock_.now_ms());
  for (agent::Instance& one : guests_.instances) {
    const auto tag = agent::read_tag(one.tag);
    if (!tag || one.state == agent::InstanceState::exited) continue;
    const Script& script = scripts_[tag->release];
    if (script.exits_after_ms < 0) continue;
    const std::uint64_t end = one.started_ms + static_cast<std::uint64_t>(script.exits_after_ms);
    if (now < end) continue;
    one.state = agent::InstanceState::exited;
    one.exited_ms = end;
    one.wait_status = script.exit_status << 8;
  }
}

Status FakeLauncher::start(agent::StartRequest request) {
  changed();
  if (refused_starts > 0) {
    --refused_starts;
    return Error{Code::start_failed, "the monitor did not start", ""};
  }
  if (find(request.id) != nullptr) return Error{Code::already_exists, "id", ""};
  agent::Instance one;
  one.id = request.id;
  one.tag = request.tag;
  one.state = agent::InstanceState::running;
  one.pid = 100;
  one.ports_up = !request.ports_down;
  one.started_ms = static_cast<std::uint64_t>(clock_.now_ms());
  one.rss_bytes = 3 * proto::kMiB;
  one.interfaces = request.interfaces;
  if (one.ports_up && loops(one)) return Error{Code::conflict, "a loop", ""};
  const auto tag = agent::read_tag(one.tag);
  if (tag) one.console_bytes = scripts_[tag->release].console.size();
  guests_.instances.push_back(std::move(one));
  calls.push_back("start " + std::to_string(tag ? tag->release : 0));
  changed();
  return {};
}

Status FakeLauncher::stop(const std::string& id, std::uint32_t) {
  changed();
  if (refuses_stops) return Error{Code::launcher, "no launcher answers", ""};
  agent::Instance* one = find(id);
  if (one == nullptr) return Error{Code::not_found, id, ""};
  const auto tag = agent::read_tag(one->tag);
  calls.push_back("stop " + std::to_string(tag ? tag->release : 0));
  one->stop_asked = true;
  if (one->state == agent::InstanceState::running) {
    one->state = agent::InstanceState::exited;
    one->exited_ms = static_cast<std::uint64_t>(clock_.now_ms());
    one->wait_status = 15;
  }
  changed();
  return {};
}

Status FakeLauncher::remove(const std::string& id) {
  changed();
  agent::Instance* one = find(id);
  if (one == nullptr) return Error{Code::not_found, id, ""};
  if (one->state == agent::InstanceState::running) return Error{Code::conflict, id, ""};
  std::erase_if(guests_.instances, [&](const agent::Instance& each) { return each.id == id; });
  changed();
  return {};
}

Result<std::vector<agent::Instance>> FakeLauncher::list() {
  age();
  return guests_.instances;
}

Status FakeLauncher::set_ports(const std::string& id, bool up) {
  agent::Instance* one = find(id);
  if (one == nullptr) return Error{Code::not_found, id, ""};
  if (up && loops(*one)) return Error{Code::conflict, "a loop", ""};
  one->ports_up = up;
  calls.push_back(std::string("ports ") + (up ? "up" : "down"));
  return {};
}

namespace {

std::size_t frame_ports(const agent::Instance& one) {
  return static_cast<std::size_t>(
      std::count_if(one.interfaces.begin(), one.interfaces.end(), [](const auto& interface) {
        return interface.bridge != "fleet0" && interface.address.value == 0;
      }));
}

}  // namespace

bool FakeLauncher::loops(const agent::Instance& one) const {
  if (frame_ports(one) < 2) return false;
  return std::any_of(guests_.instances.begin(), guests_.instances.end(), [&](const auto& other) {
    return other.id != one.id && other.state == agent::InstanceState::running &&
           other.ports_up && frame_ports(other) >= 2;
  });
}

Status FakeLauncher::hand_over(const std::string& from, const std::string& to) {
  if (refuses_hand_over) return Error{Code::launcher, "no launcher answers", ""};
  changed();
  agent::Instance* old = find(from);
  agent::Instance* next = find(to);
  if (old == nullptr || next == nullptr) return Error{Code::not_found, from + " " + to, ""};
  old->ports_up = false;
  next->ports_up = true;
  calls.push_back("hand over");
  changed();
  return {};
}

Status FakeLauncher::bypass(const std::vector<agent::BridgePair>& bridges) {
  changed();
  guests_.bypasses = bridges;
  return {};
}

Status FakeLauncher::publish(const std::vector<agent::PublishedPort>& ports) {
  changed();
  guests_.published = ports;
  calls.push_back("publish " + std::to_string(ports.size()));
  changed();
  return {};
}

Status FakeLauncher::flush_flows(const std::vector<agent::Flow>& flows) {
  calls.push_back("flush " + std::to_string(flows.size()));
  return {};
}

Result<agent::ConsoleChunk> FakeLauncher::read_console(const std::string& id,
                                                       std::uint64_t offset) {
  agent::Instance* one = find(id);
  if (one == nullptr) return Error{Code::not_found, id, ""};
  const auto tag = agent::read_tag(one->tag);
  const std::string& text = scripts_[tag ? tag->release : 0].console;
  agent::ConsoleChunk out;
  if (offset < text.size()) out.bytes = text.substr(offset);
  out.next_offset = std::max<std::uint64_t>(offset, text.size());
  return out;
}

Result<agent::Fd> FakeLauncher::open_events() {
  // Nothing is ever said: the tests run on what the loops look at by themselves.
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error{Code::launcher, "no socket", ""};
  }
  events_ = agent::Fd(ends[0]);
  return agent::Fd(ends[1]);
}

bool FakeLauncher::answers(agent::Ipv4 address) {
  age();
  for (const agent::Instance& one : guests_.instances) {
    const auto tag = agent::read_tag(one.tag);
    const bool here = one.state == agent::InstanceState::running && tag &&
                      std::any_of(one.interfaces.begin(), one.interfaces.end(),
                                  [&](const auto& each) { return each.address == address; });
    if (!here) continue;
    const bool leads_others = frame_ports(one) > 0;  // this one is up then
    if ((!one.ports_up && !leads_others) || silent.count(one.id) == 1) return false;
    const Script& script = scripts_[tag->release];
    const std::int64_t up = clock_.now_ms() - static_cast<std::int64_t>(one.started_ms);
    const bool stopped = script.stops_answering_ms >= 0 && up >= script.stops_answering_ms;
    return script.answers_after_ms >= 0 && up >= script.answers_after_ms && !stopped;
  }
  return false;
}

bool FakeLauncher::serves() {
  for (const agent::PublishedPort& port : guests_.published) {
    if (port.host_port == 53) return answers(port.guest_address);
  }
  return false;
}

// --- machine

namespace {

class FakeMonitor final : public monitors::Monitor {
 public:
  std::string_view name() const override { return "qemu"; }
  Status can_run(const monitors::ImageFacts&) const override { return {}; }
  Result<agent::StartRequest> command(monitors::Launch launch) const override {
    agent::StartRequest request;
    request.id = launch.instance_id;
    request.tag = launch.tag;
    request.memory_max_mib = 64;
    request.ports_down = launch.ports_down;
    request.files.push_back(std::move(launch.kernel));
    for (const monitors::GuestInterface& one : launch.config.interfaces) {
      agent::InterfaceRequest interface;
      interface.mac = one.mac;
      interface.address = one.address;
      interface.bridge = one.bridge;
      interface.promiscuous = one.promiscuous;
      request.interfaces.push_back(interface);
    }
    return request;
  }
  monitors::ExitReason classify_exit(const agent::Instance& ended, std::string_view,
                                     std::string_view) const override {
    if (ended.stop_asked) return {Code::ordered, 0, "stopped"};
    const int status = ended.wait_status >> 8;
    return {Code::guest_exit, status, "the guest ended with status " + std::to_string(status)};
  }
};

}  // namespace

fleet::v1::Arch FakeMachine::arch() const {
  return make_manifest("any", 1).images(0).arch();
}

Result<monitors::ImageFacts> FakeMachine::inspect_image(const fleet::v1::Image&, const ota::Fd&) {
  monitors::ImageFacts facts;
  facts.family = monitors::Family::fleet;
  facts.boot = monitors::Boot::pvh;
  return facts;
}

Result<std::vector<agent::MonitorChoice>> FakeMachine::probe_monitors() {
  std::vector<agent::MonitorChoice> out;
  agent::MonitorChoice choice;
  choice.kind = fleet::v1::MONITOR_QEMU;
  choice.label = "qemu/tcg";
  choice.evidence = monitor_usable ? "ran a guest in 40 ms" : "QEMU is not installed";
  if (monitor_usable) choice.monitor = std::make_unique<FakeMonitor>();
  out.push_back(std::move(choice));
  return out;
}

// --- disk

Status FullDisk::replace_file(std::string_view path, std::span<const std::byte> bytes) {
  if (full) return Error{Code::no_space, "disk full", ""};
  return real_.replace_file(path, bytes);
}

namespace {

// Worlds on both sides of one change to a volume.
template <typename Change>
auto observed(std::string_view path, const std::function<void()>& look, Change change) {
  const bool seen = look && path.starts_with("volumes");
  if (seen) look();
  auto done = change();
  if (seen) look();
  return done;
}

}  // namespace

Result<ota::Fd> FullDisk::open_partial(std::string_view path, std::uint64_t reserve) {
  if (full) return Error{Code::no_space, "disk full", ""};
  return observed(path, on_change, [&] { return real_.open_partial(path, reserve); });
}

Status FullDisk::publish(std::string_view partial, const ota::Fd& file,
                         std::string_view final_path) {
  if (full) return Error{Code::no_space, "disk full", ""};
  return observed(partial, on_change, [&] { return real_.publish(partial, file, final_path); });
}

Result<ota::Fd> FullDisk::open_sized(std::string_view path, const ota::SizedOptions& options) {
  if (full) return Error{Code::no_space, "disk full", ""};
  return observed(path, on_change, [&] { return real_.open_sized(path, options); });
}

Status FullDisk::remove(std::string_view path) {
  return observed(path, on_change, [&] { return real_.remove(path); });
}

Status FullDisk::make_directory(std::string_view path) {
  return observed(path, on_change, [&] { return real_.make_directory(path); });
}

Result<std::uint64_t> FullDisk::free_bytes() {
  if (free_as_told) return *free_as_told;
  return real_.free_bytes();
}

// --- health

proto::awaitable<agent::ProbeResult> FakeProber::probe(fleet::v1::Health, agent::Ipv4 guest,
                                                       proto::Deadline deadline) {
  agent::ProbeResult result;
  result.passed = launcher_.answers(guest);
  if (!result.passed) co_await proto::sleep_until(clock_, deadline);
  result.took_ms = 1;
  result.text = result.passed ? "answered" : "no answer in time";
  co_return result;
}

}  // namespace tests
