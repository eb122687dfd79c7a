// A host for the launcher's tests: this process in a network namespace of its own, a second
// namespace as the network's client, and a real fleet-launcher. Leaves nothing behind.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/launcher_client.h"
#include "agent/monitors/monitor.h"

namespace e2e {

/// The folder with bin/ and images/: FLEET_BUILD, else that of this build.
std::string build_folder();
/// Runs a program and waits: its exit status; output goes to this process's.
int run(const std::vector<std::string>& words);
/// The same, with stdout returned.
std::string output_of(const std::vector<std::string>& words);

/// Enters new network namespaces, once per process: ours is the device's (10.9.0.1), the client's
/// is 10.9.0.2 behind it.
void enter_namespaces();
/// A UDP socket in the client's namespace, bound to a source port (0 = any).
agent::Fd client_socket(std::uint16_t source_port);
inline constexpr char kDeviceAddress[] = "10.9.0.1";

struct LauncherOptions {
  std::string extra_conf;              // further lines
  std::uint32_t agent_uid = 0;
  std::string cgroup = {};             // a group of cgroup v2 of its own, as Delegate=yes gives it
};

class LauncherProcess {
 public:
  explicit LauncherProcess(const LauncherOptions& options = {});
  ~LauncherProcess();
  LauncherProcess(const LauncherProcess&) = delete;
  LauncherProcess& operator=(const LauncherProcess&) = delete;

  /// Starts it (again) and waits for its socket. False if it ended instead.
  bool start();
  /// Sends the signal and waits for the end; the wait status.
  int end(int signal);
  pid_t pid() const { return pid_; }
  std::string socket() const { return folder_ + "/run/launcher.sock"; }
  std::string folder() const { return folder_; }
  std::string log() const;

 private:
  std::string folder_;
  std::string cgroup_;
  pid_t pid_ = 0;
};

/// A random instance id.
std::string new_id();
/// The DNS appliance of this build, ready to start with its zone at `address`. The zone says
/// `answer` for www.example.test, so that tests can tell instances apart. boot: pvh, spt, hvt, or
/// arm64_image: that of ARM64, for a QEMU that emulates one.
monitors::Launch dns_launch(const std::string& id, agent::Ipv4 address, const std::string& answer,
                            monitors::Boot boot = monitors::Boot::pvh);
/// One query for www.example.test A over the socket; the address answered, or "" after timeout_ms.
std::string ask(const agent::Fd& socket, const std::string& server, std::uint16_t port,
                int timeout_ms);
/// Asks until an answer comes or 20 s have gone.
std::string ask_patiently(const agent::Fd& socket, const std::string& server, std::uint16_t port);

/// The instance as list() shows it.
agent::Instance find(agent::Launcher& launcher, const std::string& id);
/// Waits (10 s) until it has exited.
agent::Instance wait_exit(agent::Launcher& launcher, const std::string& id);
/// One line of /proc/PID/status: "CapEff" -> "0000000000000000".
std::string status_line(pid_t pid, const std::string& key);

}  // namespace e2e
