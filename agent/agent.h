// Agent: all of one device's agent, joined: the apps, the link, what both share.
// It never needs the controller to keep things running, and never stops a guest when it stops.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/app.h"
#include "agent/device.h"
#include "agent/link.h"
#include "agent/news.h"

namespace agent {

class Agent {
 public:
  /// Everything outlives it. `build_time_s` is the least that the clock can be (DESIGN 4).
  Agent(Ports& ports, State& state, std::int64_t build_time_s);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Runs until stop(). Guests run on afterwards. `on_ready` is called once launcher and monitors
  /// are known and every app was begun.
  proto::awaitable<void> run(std::function<void()> on_ready);
  /// Ends run(), from the loop.
  void stop();

  /// Something changed at the launcher: every app looks.
  void guests_changed();
  /// A Desired of the controller: stored, then obeyed. A lower generation changes nothing.
  /// errors no_space | io: then it was not taken
  proto::Status take(const fleet::v1::Desired& desired);

  fleet::v1::Hello hello();
  std::vector<fleet::v1::AppStatus> apps() const;
  std::vector<std::string> app_names() const;
  App* find(const std::string& app);
  Device& device() { return device_; }
  std::uint64_t generation() const { return generation_; }

 private:
  proto::awaitable<void> prepare();
  proto::awaitable<void> watch_launcher();
  proto::awaitable<void> mark_time();
  proto::awaitable<void> sync_volumes();
  proto::awaitable<void> tidy_store();
  void guest_changed(const std::string& id);
  proto::Status recover();
  App& app(const std::string& name);
  void begin_apps();

  Device device_;
  Link link_;
  News news_;
  std::map<std::string, std::unique_ptr<App>> apps_;
  std::uint64_t generation_ = 0;
  bool begun_ = false;
  proto::Notifier stopped_;
  // Three, because they end in three ways: apps own groups of their own and are asked to end, the
  // link too while it speaks, the rest is cancelled.
  proto::TaskGroup app_tasks_;
  proto::TaskGroup link_tasks_;
  proto::TaskGroup tasks_;
};

}  // namespace agent
