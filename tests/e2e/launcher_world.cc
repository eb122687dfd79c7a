// Namespaces, processes and a DNS question: what the launcher's tests stand on.
#include "tests/e2e/launcher_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "proto/limits.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;

pid_t client_holder = 0;  // a process that keeps the client's namespace

pid_t spawn(const std::vector<std::string>& words, int out_fd) {
  const pid_t pid = ::fork();
  FLEET_ASSERT(pid >= 0);
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (out_fd >= 0) ::dup2(out_fd, 1);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

std::string build_folder() {
  const char* folder = std::getenv("FLEET_BUILD");
  return folder != nullptr ? folder : FLEET_BINARY_DIR;
}

int run(const std::vector<std::string>& words) {
  int status = 0;
  ::waitpid(spawn(words, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string output_of(const std::vector<std::string>& words) {
  int ends[2];
  FLEET_ASSERT(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = spawn(words, ends[1]);
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  ::waitpid(pid, nullptr, 0);
  return text;
}

void enter_namespaces() {
  if (client_holder != 0) return;
  FLEET_ASSERT(::unshare(CLONE_NEWNET) == 0);
  int ready[2];
  FLEET_ASSERT(::pipe(ready) == 0);
  client_holder = ::fork();
  if (client_holder == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::unshare(CLONE_NEWNET) != 0) ::_exit(1);
    [[maybe_unused]] const ssize_t told = ::write(ready[1], "r", 1);
    for (;;) ::pause();
  }
  char word = 0;
  FLEET_ASSERT(::read(ready[0], &word, 1) == 1);
  const std::string holder = std::to_string(client_holder);
  const std::vector<std::vector<std::string>> steps = {
      {"ip", "link", "set", "lo", "up"},
      {"ip", "link", "add", "wan", "type", "veth", "peer", "name", "up0", "netns", holder},
      {"ip", "addr", "add", "10.9.0.1/24", "dev", "wan"},
      {"ip", "link", "set", "wan", "up"},
      {"nsenter", "-t", holder, "-n", "ip", "addr", "add", "10.9.0.2/24", "dev", "up0"},
      {"nsenter", "-t", holder, "-n", "ip", "link", "set", "up0", "up"},
  };
  for (const auto& step : steps) FLEET_ASSERT(run(step) == 0);
}

agent::Fd client_socket(std::uint16_t source_port) {
  agent::Fd result;
  // A socket stays in the namespace where it was made; only this thread goes there.
  std::thread maker([&result, source_port] {
    const std::string path = "/proc/" + std::to_string(client_holder) + "/ns/net";
    const agent::Fd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    FLEET_ASSERT(::setns(space.get(), CLONE_NEWNET) == 0);
    result = agent::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(source_port);
    FLEET_ASSERT(::bind(result.get(), reinterpret_cast<sockaddr*>(&own), sizeof own) == 0);
  });
  maker.join();
  return result;
}

LauncherProcess::LauncherProcess(const LauncherOptions& options) : cgroup_(options.cgroup) {
  char name[] = "/tmp/fleet-launcher-test.XXXXXX";
  FLEET_ASSERT(::mkdtemp(name) != nullptr);
  folder_ = name;
  fs::permissions(folder_, fs::perms(0755));
  std::ofstream conf(folder_ + "/launcher.conf");
  conf << "agent_uid = " << options.agent_uid << "\nsocket = " << socket()
       << "\nuid_first = 1900000000\n"
       << options.extra_conf;
  conf.close();
  fs::permissions(folder_ + "/launcher.conf", fs::perms(0644));
}

LauncherProcess::~LauncherProcess() {
  if (pid_ != 0) end(SIGTERM);
  fs::remove_all(folder_);
}

bool LauncherProcess::start() {
  const std::string path = folder_ + "/log";
  const agent::Fd log_file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::dup2(log_file.get(), 2);
    if (!cgroup_.empty()) std::ofstream(cgroup_ + "/cgroup.procs") << 0;
    const std::string program = build_folder() + "/bin/fleet-launcher";
    ::execl(program.c_str(), program.c_str(), "--conf", (folder_ + "/launcher.conf").c_str(),
            nullptr);
    ::_exit(127);
  }
  for (int tries = 0; tries < 500; ++tries) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return false;
    }
    agent::SocketLauncher client(socket());
    if (client.info()) return true;
    ::usleep(10000);
  }
  return false;
}

int LauncherProcess::end(int signal) {
  int status = -1;
  if (pid_ == 0) return status;
  ::kill(pid_, signal);
  ::waitpid(pid_, &status, 0);
  pid_ = 0;
  return status;
}

std::string LauncherProcess::log() const {
  std::ifstream file(folder_ + "/log");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string new_id() {
  unsigned char bytes[proto::kIdLength];
  FLEET_ASSERT(::getrandom(bytes, sizeof bytes, 0) == static_cast<ssize_t>(sizeof bytes));
  std::string id;
  for (const unsigned char byte : bytes) id += "abcdefghijklmnopqrstuvwxyz234567"[byte % 32];
  return id;
}

monitors::Launch dns_launch(const std::string& id, agent::Ipv4 address,
                            const std::string& answer, monitors::Boot boot) {
  monitors::Launch launch;
  launch.instance_id = id;
  launch.app = "dns";
  launch.tag = "dns/1/a";
  const bool arm64 = boot == monitors::Boot::arm64_image;
  launch.image = {arm64 ? monitors::Arch::aarch64 : monitors::Arch::x86_64,
                  monitors::Family::fleet, boot, false, ""};
  const bool solo5 = boot == monitors::Boot::spt || boot == monitors::Boot::hvt;
  if (solo5) launch.image.devices = {{"service", true}, {"config", false}};
  const std::string image = build_folder() + "/images/dns/dns." +
                            (arm64                         ? "aarch64.virtio"
                             : boot == monitors::Boot::spt ? "x86_64.spt"
                             : boot == monitors::Boot::hvt ? "x86_64.hvt"
                                                           : "x86_64.virtio");
  launch.kernel = agent::Fd(::open(image.c_str(), O_RDONLY | O_CLOEXEC));
  FLEET_ASSERT(launch.kernel);
  launch.memory_bytes = 16 * proto::kMiB;
  launch.config.hostname = "dns";
  launch.config.args = {"--rrl=100000"};
  launch.config.seed = std::string(32, 's');
  launch.config.files["/zones/example.test.zone"] =
      "$ORIGIN example.test.\n$TTL 60\n"
      "@ IN SOA ns.example.test. root.example.test. 1 3600 600 86400 60\n"
      "@ IN NS ns.example.test.\nns IN A 192.0.2.1\nwww IN A " + answer + "\n";
  monitors::GuestInterface interface;
  interface.name = "service";
  interface.mac.bytes = {0x52, 0x54, 0, 0, 0, static_cast<std::uint8_t>(address.value)};
  interface.address = address;
  interface.gateway = agent::Ipv4{(address.value & 0xffffff00) + 1};
  launch.config.interfaces.push_back(interface);
  return launch;
}

std::string ask(const agent::Fd& socket, const std::string& server, std::uint16_t port,
                int timeout_ms) {
  static std::uint16_t next_id = 1;
  const std::uint16_t id = next_id++;
  std::string query = {static_cast<char>(id >> 8), static_cast<char>(id & 0xff)};
  query += std::string("\x01\0\0\x01\0\0\0\0\0\0", 10);
  query += std::string("\3www\7example\4test\0\0\1\0\1", 22);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, server.c_str(), &to.sin_addr);
  ::sendto(socket.get(), query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&to),
           sizeof to);
  char answer[512];
  pollfd ready{socket.get(), POLLIN, 0};
  while (::poll(&ready, 1, timeout_ms) == 1) {
    const ssize_t got = ::recv(socket.get(), answer, sizeof answer, MSG_DONTWAIT);
    if (got < 16 || std::memcmp(answer, query.data(), 2) != 0) continue;  // late ones
    in_addr address{};
    std::memcpy(&address, answer + got - 4, 4);
    // The address may be followed by other records: it stands behind the first RDLENGTH of 4.
    const std::string bytes(answer, static_cast<std::size_t>(got));
    const std::size_t at = bytes.find(std::string("\0\4", 2), query.size());
    if (at != std::string::npos && at + 6 <= bytes.size()) {
      std::memcpy(&address, answer + at + 2, 4);
    }
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, &address, text, sizeof text);
  }
  return "";
}

std::string ask_patiently(const agent::Fd& socket, const std::string& server, std::uint16_t port) {
  for (int tries = 0; tries < 100; ++tries) {
    const std::string answer = ask(socket, server, port, 200);
    if (!answer.empty()) return answer;
    ::usleep(10000);
  }
  return "";
}

agent::Instance find(agent::Launcher& launcher, const std::string& id) {
  const auto all = launcher.list();
  FLEET_ASSERT(all.has_value());
  for (const agent::Instance& instance : *all) {
    if (instance.id == id) return instance;
  }
  return {};
}

agent::Instance wait_exit(agent::Launcher& launcher, const std::string& id) {
  for (int tries = 0; tries < 1000; ++tries) {
    agent::Instance instance = find(launcher, id);
    if (instance.state == agent::InstanceState::exited) return instance;
    ::usleep(10000);
  }
  return find(launcher, id);
}

std::string status_line(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(key + ":", 0) != 0) continue;
    const std::size_t at = line.find_first_not_of(" \t", key.size() + 1);
    return at == std::string::npos ? "" : line.substr(at);
  }
  return "(none)";
}

}  // namespace e2e
