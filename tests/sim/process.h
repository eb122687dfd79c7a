// Process: one life of a device's agent, from its start to its end or kill. It holds the real agent
// and the ports that it sees; when it is killed, nothing that it still does has an effect.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "agent/agent.h"
#include "tests/unit/agent/fakes.h"

namespace sim {

class Device;

/// The device's clocks. Of a dead process time runs by itself, so that it comes to its end.
class ProcessClock final : public proto::Clock {
 public:
  ProcessClock(proto::Clock& world, const std::int64_t& wall_offset_ms)
      : world_(world), wall_offset_ms_(wall_offset_ms) {}
  ~ProcessClock() override { die(); }

  std::int64_t now_ms() const override { return std::max(world_.now_ms(), ahead_ms_); }
  std::int64_t wall_ms() const override { return world_.wall_ms() + wall_offset_ms_; }
  TimerId call_at(std::int64_t at_ms, std::function<void()> wake) override;
  void cancel(TimerId timer) override;

  void die();
  /// The next timer of a dead process; false if there is none.
  bool fire_next();

 private:
  struct Timer {
    std::int64_t at_ms = 0;
    TimerId of_world = 0;
    std::function<void()> wake;
  };
  void fire(TimerId timer);

  proto::Clock& world_;
  const std::int64_t& wall_offset_ms_;
  std::map<TimerId, Timer> timers_;
  TimerId next_ = 1;
  std::int64_t ahead_ms_ = 0;
  bool dead_ = false;
};

/// A connection to the device's launcher, which outlives the process.
class ProcessLauncher final : public agent::Launcher {
 public:
  explicit ProcessLauncher(Device& device) : device_(device) {}
  void die() { dead_ = true; }

  proto::Result<agent::LauncherInfo> info() override;
  proto::Status start(agent::StartRequest request) override;
  proto::Status stop(const std::string& id, std::uint32_t grace_ms) override;
  proto::Status remove(const std::string& id) override;
  proto::Result<std::vector<agent::Instance>> list() override;
  proto::Status set_ports(const std::string& id, bool up) override;
  proto::Status hand_over(const std::string& from, const std::string& to) override;
  proto::Status bypass(const std::vector<agent::BridgePair>& bridges) override;
  proto::Status publish(const std::vector<agent::PublishedPort>& ports) override;
  proto::Status flush_flows(const std::vector<agent::Flow>& flows) override;
  proto::Result<agent::ConsoleChunk> read_console(const std::string& id,
                                                  std::uint64_t offset) override;
  proto::Result<std::string> read_report(const std::string& id) override;
  proto::Result<agent::Fd> open_events() override;

 private:
  proto::Status reach() const;

  Device& device_;
  bool dead_ = false;
};

class ProcessLink final : public agent::LinkPort {
 public:
  explicit ProcessLink(Device& device) : device_(device) {}
  proto::awaitable<proto::Result<std::unique_ptr<proto::Channel>>> connect(
      proto::Deadline deadline) override;
  void die() { dead_ = true; }

 private:
  Device& device_;
  bool dead_ = false;
};

class ProcessFetch final : public agent::FetchPort {
 public:
  explicit ProcessFetch(Device& device) : device_(device) {}
  std::unique_ptr<ota::Fetch> open() override;
  void die() { dead_ = true; }

 private:
  Device& device_;
  bool dead_ = false;
};

class Process {
 public:
  /// The agent runs from the next turn of the loop on.
  Process(Device& device, std::unique_ptr<agent::State> state);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  agent::Agent& agent() { return agent_; }
  agent::State& state() { return *state_; }
  /// Cut off from everything, at once, from anywhere.
  void die();
  /// Brings what is left of it to its end; `turn` runs the loop until nothing is ready.
  void bury(const std::function<void()>& turn);

 private:
  proto::awaitable<void> run();

  ProcessClock clock_;
  ProcessLauncher launcher_;
  ProcessLink link_;
  ProcessFetch fetch_;
  tests::FakeProber prober_;
  tests::FakeCredentials credentials_;
  proto::BlockingPool fetch_pool_{"fetch", proto::BlockingPool::Mode::in_line};
  proto::BlockingPool disk_pool_{"disk", proto::BlockingPool::Mode::in_line};
  std::unique_ptr<agent::State> state_;
  agent::Ports ports_;
  agent::Agent agent_;
  proto::TaskGroup tasks_;
};

}  // namespace sim
