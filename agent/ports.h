// What the agent takes from the outside world: time, disk, launcher, bytes, link, probes, machine.
// Each is a port, so that tests and the simulator put their own behind it. Nothing else in agent/
// but the real ports touches a clock, a socket or /proc.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/health_judge.h"
#include "agent/launcher_client.h"
#include "agent/monitors/monitor.h"
#include "agent/network.h"
#include "fleet/v1/app.pb.h"
#include "fleet/v1/link.pb.h"
#include "ota/disk.h"
#include "ota/fetch.h"
#include "ota/slots.h"
#include "proto/async.h"
#include "proto/channel.h"

namespace agent {

/// Sends one probe over the network. Console and process probes are judged by the agent itself.
class Prober {
 public:
  virtual ~Prober() = default;
  /// Ends by the deadline. A probe that fails is no error: it says why in `text`.
  virtual proto::awaitable<ProbeResult> probe(fleet::v1::Health health, Ipv4 guest,
                                              proto::Deadline deadline) = 0;
};

/// Opens one session to fetch over: one fleet-fetch process per update.
class FetchPort {
 public:
  virtual ~FetchPort() = default;
  virtual std::unique_ptr<ota::Fetch> open() = 0;
};

/// Opens the device link. errors as connect_channel
class LinkPort {
 public:
  virtual ~LinkPort() = default;
  virtual proto::awaitable<proto::Result<std::unique_ptr<proto::Channel>>> connect(
      proto::Deadline deadline) = 0;
};

/// This device's key and certificate.
class Credentials {
 public:
  virtual ~Credentials() = default;
  /// The controller gave it at the enrolment; the same for good.
  virtual const std::string& device_id() const = 0;
  /// Unix ms; 0 when unknown.
  virtual std::int64_t valid_from_ms() const = 0;
  virtual std::int64_t valid_until_ms() const = 0;
  /// A request with a new key, DER; the key waits for install(). errors internal
  virtual proto::Result<std::string> make_request() = 0;
  /// Takes the certificate of the last request, at once with its key: the next connection shows
  /// it. errors unauthenticated (of another key, device or CA) | no_space | io
  virtual proto::Status install(const std::string& certificate_pem) = 0;
};

/// A way to run guests that the probe proved, best first.
struct MonitorChoice {
  fleet::v1::MonitorKind kind = fleet::v1::MONITOR_UNSPECIFIED;
  std::string label;                            // "qemu/tcg"
  std::unique_ptr<monitors::Monitor> monitor;   // null when it is not usable
  std::string evidence;
  std::uint64_t start_ms = 0;
};

/// What is known of this machine.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual fleet::v1::Arch arch() const = 0;
  virtual ota::BootTime boot_time() = 0;
  /// CLOCK_BOOTTIME in ms, the launcher's clock for starts and ends.
  virtual std::uint64_t boottime_ms() = 0;
  virtual bool clock_synchronised() = 0;
  /// Memory that a new guest could take. errors io
  virtual proto::Result<std::uint64_t> memory_free_bytes() = 0;
  virtual proto::Result<std::vector<HostSocket>> host_sockets() = 0;
  /// All but the monitors and the free disk space.
  virtual fleet::v1::Inventory inventory() = 0;
  /// The board's name ("x86_64-generic"), and whether an app's needs fit. errors no_fit, by name
  virtual proto::Status check_fit(const fleet::v1::AppManifest& manifest) = 0;
  /// What the image's bytes are; `declared` is the manifest's word. errors bad_image | wrong_arch |
  /// no_monitor (a format that nothing here boots)
  virtual proto::Result<monitors::ImageFacts> inspect_image(const fleet::v1::Image& declared,
                                                            const ota::Fd& kernel) = 0;
  /// Runs a guest under each monitor and times it; blocks for seconds. errors launcher | timeout
  virtual proto::Result<std::vector<MonitorChoice>> probe_monitors() = 0;
};

/// All of them. Everything outlives the agent.
struct Ports {
  boost::asio::io_context& loop;
  proto::Clock& clock;
  ota::Disk& disk;             // the state directory
  Launcher& launcher;
  Prober& prober;
  FetchPort& fetches;
  LinkPort& link;
  Machine& machine;
  Credentials& credentials;
  proto::BlockingPool& fetch_pool;  // downloads and metadata
  proto::BlockingPool& disk_pool;   // every call of the blob store: one caller at a time
};

}  // namespace agent
