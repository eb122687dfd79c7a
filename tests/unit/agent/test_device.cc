// TestDevice: an agent's parts on a directory of their own, with fakes behind its ports.
#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>

#include "tests/unit/agent/fakes.h"

namespace tests {

namespace fs = std::filesystem;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

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
  wanted_.clear_apps();
  *wanted_.add_apps() = app;
  say_wanted();
}

void TestDevice::want_nothing() {
  wanted_.clear_apps();
  say_wanted();
}

void TestDevice::tell_news(std::uint64_t news) {
  agent->device().link_up = true;
  wanted_.set_metadata_news(news);
  say_wanted();
}

void TestDevice::say_wanted() {
  wanted_.set_generation(++generation_);
  const Status taken = agent->take(wanted_);
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
