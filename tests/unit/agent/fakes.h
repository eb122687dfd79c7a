// Fakes behind the agent's ports: a clock that jumps, a launcher whose guests are scripted by their
// release, and a device around the real agent that can be killed and begun again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "tests/unit/agent/repository.h"

namespace tests {

/// Time that passes only when nothing else is left to do.
class SimClock final : public proto::Clock {
 public:
  explicit SimClock(boost::asio::io_context& loop) : loop_(loop) {}
  std::int64_t now_ms() const override { return now_ms_; }
  std::int64_t wall_ms() const override { return wall_base_ms + now_ms_; }
  TimerId call_at(std::int64_t at_ms, std::function<void()> wake) override;
  void cancel(TimerId timer) override;
  /// Jumps to the next timer and fires it; false if there is none before the limit.
  bool advance(std::int64_t limit_ms);

  std::int64_t wall_base_ms = 1'800'000'000'000;

 private:
  boost::asio::io_context& loop_;
  std::int64_t now_ms_ = 1000;
  TimerId next_ = 1;
  std::map<std::pair<std::int64_t, TimerId>, std::function<void()>> timers_;
  std::map<TimerId, std::int64_t> times_;
};

/// How the guests of one release behave.
struct Script {
  std::int64_t answers_after_ms = 20;   // from its start; < 0: never
  std::int64_t exits_after_ms = -1;     // < 0: never
  int exit_status = 0;
  std::string console;
  std::int64_t stops_answering_ms = -1;  // < 0: never
};

/// What the launcher holds; it outlives agents, and copies of it are worlds of their own.
struct Guests {
  std::vector<agent::Instance> instances;
  std::vector<agent::PublishedPort> published;
  std::vector<agent::BridgePair> bypasses;
  std::uint64_t boot_ms = 1;
};

class FakeLauncher final : public agent::Launcher {
 public:
  FakeLauncher(proto::Clock& clock, Guests& guests, std::map<std::uint64_t, Script>& scripts)
      : clock_(clock), guests_(guests), scripts_(scripts) {}

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
  proto::Result<std::string> read_report(const std::string&) override { return std::string(); }
  proto::Result<agent::Fd> open_events() override;

  /// As the end of the launcher's process: whoever waits for events learns it.
  void hang_up() { events_ = agent::Fd(); }

  /// Whether that address answers now.
  bool answers(agent::Ipv4 address);
  /// Whether the published port 53 leads to a guest that answers; false when nothing is published.
  bool serves();
  /// Called before and after each change, for snapshots.
  std::function<void()> on_change;
  std::vector<std::string> calls;
  std::vector<agent::BridgePair> allowed_bypasses;
  std::vector<std::string> lent_lines;
  bool refuses_hand_over = false;
  int refused_starts = 0;  // so many starts fail with start_failed
  bool refuses_stops = false;
  std::set<std::string> silent;  // instances that run and do not answer

 private:
  agent::Instance* find(const std::string& id);
  /// Whether a second one forwards beside it.
  bool loops(const agent::Instance& one) const;
  void age();
  void changed();

  proto::Clock& clock_;
  Guests& guests_;
  std::map<std::uint64_t, Script>& scripts_;
  agent::Fd events_;  // our end of the newest open_events()
};

class FakeMachine final : public agent::Machine {
 public:
  explicit FakeMachine(proto::Clock& clock) : clock_(clock) {}
  fleet::v1::Arch arch() const override;
  ota::BootTime boot_time() override {
    return {boot_id, static_cast<std::uint64_t>(clock_.now_ms() - booted_ms)};
  }
  std::uint64_t boottime_ms() override { return static_cast<std::uint64_t>(clock_.now_ms()); }
  bool clock_synchronised() override { return synchronised; }
  proto::Result<std::uint64_t> memory_free_bytes() override { return memory_free; }
  proto::Result<std::vector<agent::HostSocket>> host_sockets() override { return sockets; }
  fleet::v1::Inventory inventory() override { return {}; }
  proto::Status check_fit(const fleet::v1::AppManifest&) override { return {}; }
  proto::Result<monitors::ImageFacts> inspect_image(const fleet::v1::Image&,
                                                    const ota::Fd&) override;
  proto::Result<std::vector<agent::MonitorChoice>> probe_monitors() override;

  std::string boot_id = "boot-1";
  std::int64_t booted_ms = 0;  // of the clock: when that boot began
  bool synchronised = true;
  std::uint64_t memory_free = 512 * proto::kMiB;
  std::vector<agent::HostSocket> sockets;
  bool monitor_usable = true;

 private:
  proto::Clock& clock_;
};

/// Asks the launcher's guests; one that does not answer is waited for until the deadline.
class FakeProber final : public agent::Prober {
 public:
  FakeProber(proto::Clock& clock, FakeLauncher& launcher) : clock_(clock), launcher_(launcher) {}
  proto::awaitable<agent::ProbeResult> probe(fleet::v1::Health health, agent::Ipv4 guest,
                                             proto::Deadline deadline) override;

 private:
  proto::Clock& clock_;
  FakeLauncher& launcher_;
};

/// A certificate that is not looked at.
class FakeCredentials final : public agent::Credentials {
 public:
  const std::string& device_id() const override { return id_; }
  std::int64_t valid_from_ms() const override { return 0; }
  std::int64_t valid_until_ms() const override { return 0; }
  proto::Result<std::string> make_request() override {
    return proto::Error{proto::Code::internal, "none", ""};
  }
  proto::Status install(const std::string&) override {
    return proto::Error{proto::Code::internal, "none", ""};
  }

 private:
  std::string id_ = "abcdefghijklmnop";
};

/// A disk that can be full.
class FullDisk final : public ota::Disk {
 public:
  explicit FullDisk(ota::Disk& real) : real_(real) {}
  proto::Result<std::vector<std::byte>> read_file(std::string_view path,
                                                  std::size_t max_bytes) override {
    return real_.read_file(path, max_bytes);
  }
  proto::Status replace_file(std::string_view path, std::span<const std::byte> bytes) override;
  proto::Result<ota::Fd> open_partial(std::string_view path, std::uint64_t reserve) override;
  proto::Status publish(std::string_view partial, const ota::Fd& file,
                        std::string_view final_path) override;
  proto::Result<ota::Fd> open_sized(std::string_view path,
                                    const ota::SizedOptions& options) override;
  proto::Result<ota::Fd> open_file(std::string_view path) override { return real_.open_file(path); }
  proto::Status remove(std::string_view path) override;
  proto::Result<std::vector<ota::DiskEntry>> list(std::string_view path) override {
    return real_.list(path);
  }
  proto::Result<std::uint64_t> free_bytes() override;
  proto::Status make_directory(std::string_view path) override;

  std::optional<std::uint64_t> free_as_told;  // what free_bytes() says
  bool full = false;                          // what writing says
  std::function<void()> on_change;            // before and after each change to a volume

 private:
  ota::Disk& real_;
};

/// What a cut leaves beside the files.
struct Remains {
  Guests guests;
  std::map<std::uint64_t, Script> scripts;
  std::int64_t now_ms = 1000;
  std::string boot_id = "boot-1";
  std::uint64_t generation = 0;  // the last that want() gave
};

/// One device: a state directory, a launcher's world, and an agent that can be killed.
class TestDevice {
 public:
  explicit TestDevice(Repository& repository);
  /// With an empty directory, for the files that are left.
  TestDevice(Repository& repository, const Remains& remains);
  /// A copy as a power cut or kill -9 leaves it: the directory and what the launcher holds.
  TestDevice(const TestDevice& other, Repository& repository);
  ~TestDevice();

  void start();
  /// As SIGTERM: the agent goes, guests stay.
  void stop();
  /// Runs until `done` says so; false when `limit_ms` of its time passed before.
  bool run_until(const std::function<bool()>& done, std::int64_t limit_ms = 120'000);
  void run_for(std::int64_t ms);
  /// Gives the agent a Desired of one app with the next generation.
  void want(const fleet::v1::DesiredApp& app);
  /// The same that is wanted once more, with the word that there are news in the metadata. The link
  /// counts as up.
  void tell_news(std::uint64_t news);
  /// Gives it a Desired that names no app.
  void want_nothing();
  static fleet::v1::DesiredApp wish(const std::string& app, std::uint64_t release,
                                    const std::string& attempt);
  /// All reports so far, as they are in the outbox.
  std::vector<fleet::v1::Report> reports();
  /// The last report of that attempt, or an empty one.
  fleet::v1::Report last(const std::string& attempt);
  bool ended(const std::string& attempt);
  std::uint64_t live_release(const std::string& app);
  std::uint64_t generation() const { return generation_; }
  /// Installs a release and waits until it is healthy.
  void install(std::uint64_t release, const std::string& attempt);

  std::filesystem::path directory;
  boost::asio::io_context loop{1};
  SimClock clock{loop};
  Guests guests;
  std::map<std::uint64_t, Script> scripts;
  Wire wire;
  FakeLauncher launcher{clock, guests, scripts};
  FakeMachine machine{clock};
  std::unique_ptr<FullDisk> disk;
  std::unique_ptr<agent::State> state;
  std::unique_ptr<agent::Agent> agent;
  std::function<void()> after_each_event;
  std::unique_ptr<proto::Channel> next_link;  // what the next try to connect gets

 private:
  class FakeLink;
  void wire_up(Repository& repository);
  void say_wanted();

  Repository& repository_;
  fleet::v1::Desired wanted_;
  std::unique_ptr<ota::Disk> real_disk_;
  std::unique_ptr<agent::Prober> prober_;
  std::unique_ptr<agent::LinkPort> link_;
  std::unique_ptr<agent::Credentials> credentials_;
  std::unique_ptr<agent::FetchPort> fetches_;
  proto::BlockingPool fetch_pool_{"fetch", proto::BlockingPool::Mode::in_line};
  proto::BlockingPool disk_pool_{"disk", proto::BlockingPool::Mode::in_line};
  std::unique_ptr<agent::Ports> ports_;
  std::unique_ptr<proto::TaskGroup> tasks_;
  std::uint64_t generation_ = 0;
};

}  // namespace tests
