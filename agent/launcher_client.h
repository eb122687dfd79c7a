// The agent's side of the launcher: everything that needs rights goes through this class.
// Never parses a manifest and never decides; it only asks and hands back what it was told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/launcher/fd.h"
#include "agent/launcher/net_types.h"
#include "proto/result.h"

namespace agent {

using launcher::BridgePair;
using launcher::Fd;
using launcher::Ipv4;
using launcher::Ipv6;
using launcher::MacAddress;
using launcher::PortRange;
using launcher::Protocol;
using launcher::Subnet;

/// The programs that the launcher may start; their paths are its own (launcher.conf).
enum class Program : std::uint32_t { qemu = 1, spt = 2, hvt = 3 };

/// Passed files appear in the guest's monitor as descriptors from this number on, in the order of
/// StartRequest::files; so argv may say /proc/self/fd/10.
inline constexpr int kFirstFileFd = 10;
/// Taps appear from this number on, in the order of StartRequest::interfaces: `-netdev tap,fd=40`.
inline constexpr int kFirstTapFd = 40;
/// What a tender has beside them: /dev/kvm (hvt), and where it tells of the guest's end.
inline constexpr int kKvmFd = 8;
inline constexpr int kExitReportFd = 9;

/// What the launcher is and what it will allow.
struct LauncherInfo {
  std::string version;
  Subnet subnet;                         // of the managed bridge
  Ipv4 gateway;                          // the host's address on it
  std::string bridge;                    // "fleet0"
  std::uint32_t mtu = 0;                 // of the bridge, bytes
  std::uint32_t memory_max_mib = 0;      // for one instance
  bool cgroup = false;                   // limits by cgroup v2; else by rlimits alone
  bool kvm_allowed = false;
  bool qemu_present = false;             // the program named in launcher.conf exists
  bool spt_present = false;
  bool hvt_present = false;
  std::string qemu_path;
  std::uint64_t boot_ms = 0;             // when this launcher started, CLOCK_BOOTTIME
  std::vector<PortRange> denied_ports;   // host ports that may not be published
  std::vector<BridgePair> bypasses;      // bridges of the host that may be joined
  std::vector<std::string> serial_lines;  // of the host, that are lent
};

struct InterfaceRequest {
  MacAddress mac;                        // locally administered
  Ipv4 address;                          // inside the subnet; 0 = no address (host bridges only)
  std::string bridge = "fleet0";         // or a bridge that launcher.conf names
  bool promiscuous = false;              // host bridges only: no source filter
  bool dhcp = false;                     // host bridges only: the guest asks for its address
  Ipv6 address6{};                       // host bridges only
};

/// One line of `egress`. Prefix 0 and port 0 mean any.
struct EgressRule {
  Subnet destination;
  std::uint16_t port = 0;
  Protocol protocol = Protocol::any;
};

struct StartRequest {
  std::string id;                        // 16 characters a-z2-7: the instance
  std::string tag;                       // opaque, <= 128 printable bytes, given back by list()
  Program program = Program::qemu;
  std::vector<std::string> arguments;    // argv[1..]; argv[0] is the launcher's
  std::vector<Fd> files;                 // open for reading; see kFirstFileFd
  std::vector<Fd> volumes;               // open for reading and writing, behind them; <= 16 in all
  std::vector<InterfaceRequest> interfaces;
  std::vector<std::string> serials;      // paths, "" = nothing attached; behind the taps
  std::optional<std::vector<EgressRule>> egress;  // none = any; empty = nothing
  std::uint32_t memory_max_mib = 0;      // guest and monitor together; > 0
  std::uint32_t cpu_percent = 0;         // of one core; 0 = no limit
  bool kvm = false;                      // /dev/kvm: a file in QEMU's jail, kKvmFd for hvt
  bool ports_down = false;               // start with the ports down that set_ports() is about
};

enum class InstanceState { running, exited };

/// One instance as the launcher sees it.
struct Instance {
  std::string id;
  std::string tag;
  InstanceState state = InstanceState::exited;
  int pid = 0;                           // in the host's namespace; 0 once exited
  int wait_status = 0;                   // as waitpid() gave it, once exited
  bool stop_asked = false;               // stop() came before the end
  bool killed = false;                   // our SIGKILL ended it, asked for or after the grace
  bool limit = false;                    // out of memory, or a kernel limit's signal
  bool ports_up = false;
  std::uint64_t started_ms = 0;          // CLOCK_BOOTTIME
  std::uint64_t exited_ms = 0;           // CLOCK_BOOTTIME, 0 while running
  std::uint64_t cpu_ms = 0;              // user + system
  std::uint64_t rss_bytes = 0;
  std::uint64_t console_bytes = 0;       // written so far, the next offset
  std::vector<std::string> taps;
  std::vector<InterfaceRequest> interfaces;
};

/// A host port that leads to a guest.
struct PublishedPort {
  Ipv4 host_address;                     // 0 = every address of the host
  Protocol protocol = Protocol::udp;
  std::uint16_t host_port = 0;
  Ipv4 guest_address;
  std::uint16_t guest_port = 0;
  auto operator<=>(const PublishedPort&) const = default;
};

/// Flows of a published port that still lead to an old instance.
struct Flow {
  Protocol protocol = Protocol::udp;
  std::uint16_t host_port = 0;
  Ipv4 guest_address;                    // the old one; 0 = none, nothing was published
};

struct ConsoleChunk {
  std::string bytes;                     // <= 64 KiB
  std::uint64_t next_offset = 0;
  std::uint64_t lost_bytes = 0;          // overwritten in the ring before this chunk
};

struct LauncherEvent {
  enum class Kind { exited, console_data };
  std::string id;
  Kind kind = Kind::exited;
};

/// All calls block: well below a millisecond, start() some 10 ms, at most 5 s when the launcher
/// hangs (timeout). One thread only. Errors of each: launcher (refused, with its words, or away),
/// timeout, bad_argument (refused here, nothing sent).
class Launcher {
 public:
  virtual ~Launcher() = default;

  virtual proto::Result<LauncherInfo> info() = 0;
  /// Makes taps and jail and starts the monitor. Also already_exists, no_memory, monitor_missing,
  /// start_failed. On an error nothing is left.
  virtual proto::Status start(StartRequest request) = 0;
  /// SIGTERM, then SIGKILL after the grace; 0 kills at once. Returns before the end: wait for the
  /// event, or ask list(). Stopping an exited one is no error. not_found for an unknown id.
  virtual proto::Status stop(const std::string& id, std::uint32_t grace_ms) = 0;
  /// Forgets an exited instance and its console. conflict while it runs.
  virtual proto::Status remove(const std::string& id) = 0;
  virtual proto::Result<std::vector<Instance>> list() = 0;
  /// Of an instance with ports on bridges of the host those alone: the others are up from its
  /// start. Also conflict where another one forwards between the same bridges.
  virtual proto::Status set_ports(const std::string& id, bool up) = 0;
  /// The ports of `from`, if it still runs, go down and those of `to` up, with nothing in between.
  /// On an error they are as they were. Also conflict, not_found.
  virtual proto::Status hand_over(const std::string& from, const std::string& to) = 0;
  /// Replaces the whole list of bridges that are joined while no instance forwards between them;
  /// the launcher does so by itself from then on, agent or not. Also forbidden (launcher.conf).
  virtual proto::Status bypass(const std::vector<BridgePair>& bridges) = 0;
  /// Replaces the whole list of published ports in one transaction. Also port_taken (denied).
  virtual proto::Status publish(const std::vector<PublishedPort>& ports) = 0;
  /// Deletes conntrack entries of these flows; the next datagram goes by the published list.
  virtual proto::Status flush_flows(const std::vector<Flow>& flows) = 0;
  virtual proto::Result<ConsoleChunk> read_console(const std::string& id,
                                                   std::uint64_t offset) = 0;
  /// What the tender said of the end of an exited instance: a line of JSON, "" from QEMU.
  virtual proto::Result<std::string> read_report(const std::string& id) = 0;
  /// A second connection on which the launcher pushes events: non-blocking, wait for it to become
  /// readable, then read_event() until none is left. An instance's console_data comes again only
  /// after read_console() has reached the end of its console.
  virtual proto::Result<Fd> open_events() = 0;
};

/// The next event, or none when there is nothing now. closed = the launcher went away.
proto::Result<std::optional<LauncherEvent>> read_event(const Fd& events);

/// The launcher behind its socket. Connects at the first call and again after a lost connection.
class SocketLauncher : public Launcher {
 public:
  explicit SocketLauncher(std::string socket_path);

  proto::Result<LauncherInfo> info() override;
  proto::Status start(StartRequest request) override;
  proto::Status stop(const std::string& id, std::uint32_t grace_ms) override;
  proto::Status remove(const std::string& id) override;
  proto::Result<std::vector<Instance>> list() override;
  proto::Status set_ports(const std::string& id, bool up) override;
  proto::Status hand_over(const std::string& from, const std::string& to) override;
  proto::Status bypass(const std::vector<BridgePair>& bridges) override;
  proto::Status publish(const std::vector<PublishedPort>& ports) override;
  proto::Status flush_flows(const std::vector<Flow>& flows) override;
  proto::Result<ConsoleChunk> read_console(const std::string& id, std::uint64_t offset) override;
  proto::Result<std::string> read_report(const std::string& id) override;
  proto::Result<Fd> open_events() override;

 private:
  proto::Result<Fd> connect_socket() const;
  /// Sends one checked request and waits for its reply; `reply` is of the operation's fixed size.
  proto::Status call(const void* request, std::size_t request_bytes, void* reply,
                     std::size_t reply_bytes, const std::vector<int>& fds);

  std::string socket_path_;
  Fd socket_;
  std::uint32_t sequence_ = 0;
};

/// Milliseconds of CLOCK_BOOTTIME, the launcher's clock for started_ms and exited_ms.
std::uint64_t boottime_ms();

}  // namespace agent
