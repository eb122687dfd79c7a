#include "tests/sim/process.h"

#include <unistd.h>

#include <utility>

#include "tests/sim/controller.h"
#include "tests/sim/device.h"
#include "tests/sim/world.h"

namespace sim {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

// --- ProcessClock

proto::Clock::TimerId ProcessClock::call_at(std::int64_t at_ms, std::function<void()> wake) {
  const TimerId id = next_++;
  Timer timer{at_ms, 0, std::move(wake)};
  if (!dead_) timer.of_world = world_.call_at(at_ms, [this, id] { fire(id); });
  timers_.emplace(id, std::move(timer));
  return id;
}

void ProcessClock::cancel(TimerId timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  world_.cancel(found->second.of_world);
  timers_.erase(found);
}

void ProcessClock::fire(TimerId timer) {
  auto node = timers_.extract(timer);
  if (node) node.mapped().wake();
}

void ProcessClock::die() {
  dead_ = true;
  for (auto& [id, timer] : timers_) world_.cancel(timer.of_world);
}

bool ProcessClock::fire_next() {
  auto next = timers_.begin();
  for (auto at = timers_.begin(); at != timers_.end(); ++at) {
    if (at->second.at_ms < next->second.at_ms) next = at;
  }
  if (next == timers_.end()) return false;
  ahead_ms_ = std::max(now_ms(), next->second.at_ms);
  fire(next->first);
  return true;
}

// --- ProcessLauncher

Status ProcessLauncher::reach() const {
  if (dead_ || device_.launcher_away) return Error{Code::launcher, "no launcher answers", ""};
  return {};
}

Result<agent::LauncherInfo> ProcessLauncher::info() {
  TRY_VOID(reach());
  return device_.launcher.info();
}

Status ProcessLauncher::start(agent::StartRequest request) {
  TRY_VOID(reach());
  const auto tag = agent::read_tag(request.tag);
  FLEET_ASSERT(tag.has_value() && request.files.size() == 1);
  const auto kernel = ota::hash_file(request.files.front().get());
  const Status started = device_.launcher.start(std::move(request));
  if (started) device_.guest_started(*tag, kernel ? *kernel : ota::Sha256());
  return started;
}

Status ProcessLauncher::stop(const std::string& id, std::uint32_t grace_ms) {
  TRY_VOID(reach());
  device_.tell("stops guest " + id);
  return device_.launcher.stop(id, grace_ms);
}

Status ProcessLauncher::remove(const std::string& id) {
  TRY_VOID(reach());
  return device_.launcher.remove(id);
}

Result<std::vector<agent::Instance>> ProcessLauncher::list() {
  TRY_VOID(reach());
  return device_.launcher.list();
}

Status ProcessLauncher::set_ports(const std::string& id, bool up) {
  TRY_VOID(reach());
  return device_.launcher.set_ports(id, up);
}

Status ProcessLauncher::hand_over(const std::string& from, const std::string& to) {
  TRY_VOID(reach());
  return device_.launcher.hand_over(from, to);
}

Status ProcessLauncher::bypass(const std::vector<agent::BridgePair>& bridges) {
  TRY_VOID(reach());
  return device_.launcher.bypass(bridges);
}

Status ProcessLauncher::publish(const std::vector<agent::PublishedPort>& ports) {
  TRY_VOID(reach());
  return device_.launcher.publish(ports);
}

Status ProcessLauncher::flush_flows(const std::vector<agent::Flow>& flows) {
  TRY_VOID(reach());
  return device_.launcher.flush_flows(flows);
}

Result<agent::ConsoleChunk> ProcessLauncher::read_console(const std::string& id,
                                                          std::uint64_t offset) {
  TRY_VOID(reach());
  return device_.launcher.read_console(id, offset);
}

Result<std::string> ProcessLauncher::read_report(const std::string& id) {
  TRY_VOID(reach());
  return device_.launcher.read_report(id);
}

Result<agent::Fd> ProcessLauncher::open_events() {
  TRY_VOID(reach());
  return device_.launcher.open_events();
}

// --- ProcessLink

proto::awaitable<Result<std::unique_ptr<proto::Channel>>> ProcessLink::connect(proto::Deadline) {
  constexpr std::int64_t kHandshakeMs = 50;
  World& world = device_.world;
  co_await proto::sleep_ms(world.clock, kHandshakeMs);
  if (dead_ || device_.is_cut_off() || !world.controller.running()) {
    co_return Error{Code::unreachable, "no controller answers", ""};
  }
  co_return world.controller.accept(device_);
}

// --- ProcessFetch

namespace {

class SimFetch final : public ota::Fetch {
 public:
  SimFetch(Device& device, const bool& dead) : device_(device), dead_(dead) {}

  Result<ota::FetchDone> fetch(const ota::FetchRequest& request, const proto::Fd& file) override;
  proto::Status apply(const ota::DeltaFiles& files) override { return ota::apply_delta(files); }
  void cancel() override { cancelled_ = true; }

 private:
  Result<std::string> answer(const std::string& path);

  Device& device_;
  const bool& dead_;
  bool cancelled_ = false;
};

Result<std::string> SimFetch::answer(const std::string& path) {
  World& world = device_.world;
  if (dead_ || device_.is_cut_off() || !world.controller.running()) {
    return Error{Code::unreachable, "no controller answers", ""};
  }
  return world.controller.serve_file(path);
}

Result<ota::FetchDone> SimFetch::fetch(const ota::FetchRequest& request, const proto::Fd& file) {
  if (cancelled_) return Error{Code::cancelled, "cancelled", ""};
  Random& random = device_.world.random;
  const Faults& faults = device_.world.faults;
  if (random.chance(faults.fetch_fails)) return Error{Code::unavailable, request.path, ""};
  TRY(const std::string bytes, answer(request.path));
  if (request.max_bytes > 0 && bytes.size() > request.max_bytes) {
    return Error{Code::too_large, request.path, ""};
  }
  if (request.offset_bytes > bytes.size()) return Error{Code::bad_digest, request.path, ""};
  std::size_t count = bytes.size() - request.offset_bytes;
  const bool is_blob = request.expected_bytes > 0;
  const bool cut = is_blob && count > 0 && random.chance(faults.fetch_cut);
  if (cut) count = random.below(count);
  if (is_blob && !device_.disk.has_room(count)) return Error{Code::no_space, "disk full", ""};
  TRY_VOID(ota::write_at(file, request.offset_bytes,
                         std::as_bytes(std::span(bytes).subspan(request.offset_bytes, count))));
  device_.tell("fetched " + std::to_string(count) + " bytes of " + request.path +
               (cut ? ", cut short" : ""));
  if (cut) return Error{random.chance(500) ? Code::closed : Code::timeout, "cut short", ""};
  if (is_blob && bytes.size() != request.expected_bytes) {
    return Error{Code::bad_digest, "another length", ""};
  }
  return ota::FetchDone{bytes.size(), count};
}

}  // namespace

std::unique_ptr<ota::Fetch> ProcessFetch::open() {
  return std::make_unique<SimFetch>(device_, dead_);
}

// --- Process

Process::Process(Device& device, std::unique_ptr<agent::State> state)
    : clock_(device.world.clock, device.wall_offset_ms),
      launcher_(device),
      link_(device),
      fetch_(device),
      prober_(clock_, device.launcher),
      state_(std::move(state)),
      ports_{device.world.loop, clock_,         device.disk,  launcher_,   prober_,   fetch_,
             link_,             device.machine, credentials_, fetch_pool_, disk_pool_},
      agent_(ports_, *state_, kBuildTime_s),
      tasks_(device.world.loop) {
  tasks_.spawn("agent", run());
}

Process::~Process() = default;

proto::awaitable<void> Process::run() {
  std::function<void()> ready = [] {};
  co_await agent_.run(std::move(ready));
}

void Process::die() {
  clock_.die();
  launcher_.die();
  link_.die();
  fetch_.die();
}

void Process::bury(const std::function<void()>& turn) {
  constexpr int kMostTimers = 10'000;
  agent_.stop();
  for (int fired = 0; fired < kMostTimers; ++fired) {
    turn();
    if (tasks_.size() == 0) return;
    if (!clock_.fire_next()) break;
  }
  FLEET_ASSERT(tasks_.size() == 0);
}

}  // namespace sim
