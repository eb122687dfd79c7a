// One simulated device: a real identity, a real link, and the reports of a device whose every
// update goes well, or fails by chance. No guest runs and nothing is verified.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "fleet/v1/device.pb.h"
#include "fleet/v1/link.pb.h"
#include "proto/async.h"
#include "proto/channel.h"
#include "tests/fleet_sim/download.h"

namespace fleet_sim {

struct Behaviour {
  fleet::v1::Bootstrap bootstrap;
  std::int64_t trial_ms = 300;     // from the start of a guest to its verdict
  std::uint32_t fails_permille = 0;  // so many trials revert
  bool downloads = true;           // false: the link alone
};

/// What all of them have done so far.
struct Counts {
  std::uint64_t enrolled = 0;
  std::uint64_t online = 0;         // now
  std::uint64_t links = 0;          // made since the start
  std::uint64_t refused_links = 0;  // tried and not made
  std::uint64_t reports = 0;        // acknowledged
  std::uint64_t healthy = 0;        // verdicts
  std::uint64_t reverted = 0;
  std::uint64_t failed_downloads = 0;  // tries; each is made again a few times
  std::uint64_t downloaded_bytes = 0;
};

class Device {
 public:
  /// All of it outlives the device.
  Device(boost::asio::io_context& loop, proto::Clock& clock, const Behaviour& behaviour,
         Counts& counts, std::string name);

  /// Key, CSR, certificate. in: a client context for the controller's CA, without a certificate
  /// errors as proto::tls_connect | forbidden (the token is spent)
  proto::awaitable<proto::Status> enrol(std::shared_ptr<proto::TlsContext> context);
  /// Its link, again and again, until it is cancelled.
  proto::awaitable<void> run();

 private:
  proto::awaitable<void> speak(proto::Channel& channel);
  proto::awaitable<void> send_loop(proto::Channel& channel);
  proto::awaitable<void> pursue(fleet::v1::DesiredApp wish);
  proto::awaitable<bool> update(fleet::v1::DesiredApp wish);
  void take(const fleet::v1::Desired& desired);
  void report(const fleet::v1::DesiredApp& wish, fleet::v1::DeviceState state);
  bool newest(const fleet::v1::DesiredApp& wish) const;
  fleet::v1::AppStatus status_of(const std::string& app) const;
  fleet::v1::Inventory inventory() const;

  boost::asio::io_context& loop_;
  proto::Clock& clock_;
  const Behaviour& behaviour_;
  Counts& counts_;
  std::string name_;
  std::shared_ptr<proto::TlsContext> context_;
  proto::Notifier changed_;
  proto::TaskGroup pursuits_;
  std::deque<fleet::v1::Report> outbox_;  // until acknowledged
  std::uint64_t sent_ = 0;                // on this link
  std::uint64_t sequence_ = 0;
  std::uint64_t generation_ = 0;
  std::int64_t retry_floor_ms_ = 0;
  struct App {
    std::string attempt;        // of the newest wish
    std::uint64_t live = 0;
    std::uint64_t before = 0;   // in the other slot
    std::string image;          // that it downloaded, SHA-256
    fleet::v1::DeviceState state = fleet::v1::DEVICE_STATE_UNSPECIFIED;
  };
  std::map<std::string, App> apps_;
};

}  // namespace fleet_sim
