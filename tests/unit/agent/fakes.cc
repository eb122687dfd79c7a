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

// --- device

proto::awaitable<agent::ProbeResult> FakeProber::probe(fleet::v1::Health, agent::Ipv4 guest,
                                                       proto::Deadline deadline) {
  agent::ProbeResult result;
  result.passed = launcher_.answers(guest);
  if (!result.passed) co_await proto::sleep_until(clock_, deadline);
  result.took_ms = 1;
  result.text = result.passed ? "answered" : "no answer in time";
  co_return result;
}

class TestDevice::FakeLink final : public agent::LinkPort {
 public:
  explicit FakeLink(std::unique_ptr<proto::Channel>& next) : next_(next) {}
  proto::awaitable<Result<std::unique_ptr<proto::Channel>>> connect(proto::Deadline) override {
    if (next_ != nullptr) co_return std::move(next_);
    co_return Error{Code::unreachable, "no controller", ""};
  }

 private:
  std::unique_ptr<proto::Channel>& next_;
};

TestDevice::TestDevice(Repository& repository) : repository_(repository) {
  std::string pattern = (fs::temp_directory_path() / "fleet-agent-XXXXXX").string();
  directory = ::mkdtemp(pattern.data());
  wire_up(repository);
  agent::Trust trust(*disk);
  const Status rooted = trust.bootstrap(repository.root_json());
  EXPECT_TRUE(rooted.has_value()) << rooted.error().what;
}

TestDevice::TestDevice(Repository& repository, const Remains& remains)
    : guests(remains.guests), scripts(remains.scripts), repository_(repository),
      generation_(remains.generation) {
  std::string pattern = (fs::temp_directory_path() / "fleet-agent-XXXXXX").string();
  directory = ::mkdtemp(pattern.data());
  clock.call_at(remains.now_ms, [] {});
  clock.advance(remains.now_ms);
  machine.boot_id = remains.boot_id;
  wire_up(repository);
}

TestDevice::TestDevice(const TestDevice& other, Repository& repository)
    : guests(other.guests), scripts(other.scripts), repository_(repository),
      generation_(other.generation_) {
  std::string pattern = (fs::temp_directory_path() / "fleet-agent-XXXXXX").string();
  directory = ::mkdtemp(pattern.data());
  fs::copy(other.directory, directory, fs::copy_options::recursive);
  fs::remove(directory / "agent.db-shm");
  while (clock.now_ms() < other.clock.now_ms()) {
    clock.call_at(other.clock.now_ms(), [] {});
    clock.advance(other.clock.now_ms());
  }
  machine.boot_id = other.machine.boot_id;
  wire_up(repository);
}

void TestDevice::wire_up(Repository& repository) {
  auto opened = ota::RealDisk::open(directory.string());
  ASSERT_TRUE(opened.has_value()) << opened.error().what;
  real_disk_ = std::move(*opened);
  disk = std::make_unique<FullDisk>(*real_disk_);
  prober_ = std::make_unique<FakeProber>(clock, launcher);
  link_ = std::make_unique<FakeLink>(next_link);
  credentials_ = std::make_unique<FakeCredentials>();
  fetches_ = std::make_unique<FakeFetchPort>(repository, wire);
}

TestDevice::~TestDevice() {
  launcher.on_change = nullptr;
  after_each_event = nullptr;
  stop();
  fs::remove_all(directory);
}

void TestDevice::start() {
  auto opened = agent::State::open((directory / "agent.db").string());
  ASSERT_TRUE(opened.has_value()) << opened.error().what;
  state = std::move(*opened);
  ports_ = std::make_unique<agent::Ports>(
      agent::Ports{loop, clock, *disk, launcher, *prober_, *fetches_, *link_, machine,
                   *credentials_, fetch_pool_, disk_pool_});
  agent = std::make_unique<agent::Agent>(*ports_, *state, 0);
  tasks_ = std::make_unique<proto::TaskGroup>(loop);
  tasks_->spawn("agent", agent->run([] {}));
}

void TestDevice::stop() {
  if (agent == nullptr) return;
  agent->stop();
  const bool gone = run_until([this] { return tasks_->size() == 0; });
  EXPECT_TRUE(gone) << "the agent does not end";
  tasks_.reset();
  agent.reset();
  ports_.reset();
  state.reset();
}

bool TestDevice::run_until(const std::function<bool()>& done, std::int64_t limit_ms) {
  const std::int64_t end_ms = clock.now_ms() + limit_ms;
  while (true) {
    loop.restart();
    while (loop.poll_one() > 0) {
      if (after_each_event) after_each_event();
    }
    if (done()) return true;
    if (!clock.advance(end_ms)) return false;
  }
}

void TestDevice::run_for(std::int64_t ms) {
  run_until([] { return false; }, ms);
}

fleet::v1::DesiredApp TestDevice::wish(const std::string& app, std::uint64_t release,
                                       const std::string& attempt) {
  fleet::v1::DesiredApp out;
  out.set_app(app);
  out.set_release(release);
  out.set_run(fleet::v1::RUN);
  out.set_attempt(attempt);
  out.set_rollout("r-" + std::to_string(release));
  return out;
}

void TestDevice::want(const fleet::v1::DesiredApp& app) {
  fleet::v1::Desired desired;
  desired.set_generation(++generation_);
  *desired.add_apps() = app;
  const Status taken = agent->take(desired);
  EXPECT_TRUE(taken.has_value());
}

void TestDevice::tell_news(std::uint64_t news) {
  agent->device().link_up = true;
  fleet::v1::Desired desired;
  desired.set_generation(++generation_);
  desired.set_metadata_news(news);
  const Status taken = agent->take(desired);
  EXPECT_TRUE(taken.has_value());
}

std::vector<fleet::v1::Report> TestDevice::reports() {
  auto out = state->outbox(0, 1000);
  EXPECT_TRUE(out.has_value());
  return out ? *out : std::vector<fleet::v1::Report>();
}

fleet::v1::Report TestDevice::last(const std::string& attempt) {
  fleet::v1::Report out;
  for (const fleet::v1::Report& report : reports()) {
    if (report.attempt() == attempt) out = report;
  }
  return out;
}

bool TestDevice::ended(const std::string& attempt) {
  const auto state_now = last(attempt).state();
  return state_now == fleet::v1::HEALTHY || state_now == fleet::v1::REVERTED ||
         state_now == fleet::v1::FAILED || state_now == fleet::v1::SUPERSEDED ||
         state_now == fleet::v1::STOPPED || state_now == fleet::v1::REMOVED ||
         state_now == fleet::v1::HELD;
}

std::uint64_t TestDevice::live_release(const std::string& app) {
  auto slots = ota::Slots::read(state->database(), app);
  EXPECT_TRUE(slots.has_value());
  return slots && slots->live ? slots->live_slot()->release.release : 0;
}

void TestDevice::install(std::uint64_t release, const std::string& attempt) {
  repository_.add(make_manifest("dns", release), "image " + std::to_string(release));
  want(wish("dns", release, attempt));
  const bool ended_now = run_until([&] { return ended(attempt); });
  ASSERT_TRUE(ended_now) << "no verdict";
  ASSERT_EQ(last(attempt).state(), fleet::v1::HEALTHY) << last(attempt).why().text();
}

}  // namespace tests
