// What the launcher refuses: other users, other launchers, other people's networks, files that
// would lead out of the jail.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/launcher/messages.h"
#include "agent/monitors/config_volume.h"
#include "agent/monitors/probe_guest.h"
#include "agent/monitors/qemu.h"
#include "proto/limits.h"
#include "tests/e2e/launcher_world.h"

namespace e2e {
namespace {

using agent::Fd;
using proto::Code;

class LauncherRefusals : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { enter_namespaces(); }
};

/// A start of /dev/null's contents, whose one file is `file`.
agent::StartRequest start_with(Fd file) {
  agent::StartRequest request;
  request.id = new_id();
  request.memory_max_mib = 64;
  request.arguments = {"-kernel", "/proc/self/fd/10"};
  request.files.push_back(std::move(file));
  return request;
}

/// Connects as another user in a process of its own: true if the launcher hung up unasked.
bool is_hung_up(const std::string& socket_path, uid_t uid) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setresuid(uid, uid, uid) != 0) ::_exit(2);
    agent::SocketLauncher client(socket_path);
    ::_exit(client.info() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status) == 1;
}

TEST_F(LauncherRefusals, AnotherUserIsHungUpOn) {
  LauncherProcess process;
  ASSERT_TRUE(process.start()) << process.log();
  EXPECT_FALSE(is_hung_up(process.socket(), 0));
  // Even where the file's mode would let him in.
  std::filesystem::permissions(process.socket(), std::filesystem::perms(0666));
  EXPECT_TRUE(is_hung_up(process.socket(), 65534));
  EXPECT_NE(process.log().find("client.refused uid=65534"), std::string::npos);
}

TEST_F(LauncherRefusals, ASecondLauncherForTheSamePlaceEnds) {
  LauncherProcess process;
  ASSERT_TRUE(process.start()) << process.log();
  const pid_t first = process.pid();
  const pid_t second = ::fork();
  if (second == 0) {
    const std::string program = std::string(FLEET_BINARY_DIR) + "/bin/fleet-launcher";
    const Fd log_file(::open((process.folder() + "/log2").c_str(), O_WRONLY | O_CREAT, 0644));
    ::dup2(log_file.get(), 2);
    ::execl(program.c_str(), program.c_str(), "--conf",
            (process.folder() + "/launcher.conf").c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(second, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(::kill(first, 0), 0);
  agent::SocketLauncher client(process.socket());
  EXPECT_TRUE(client.info().has_value()) << "the first one's bridge or socket was touched";
}

TEST_F(LauncherRefusals, ASubnetThatIsRoutedElsewhereStopsTheStart) {
  LauncherProcess process({"subnet = 10.9.0.0/24\n", 0});
  EXPECT_FALSE(process.start());
  EXPECT_NE(process.log().find("10.9.0.0/24 is routed over wan"), std::string::npos)
      << process.log();
  EXPECT_EQ(output_of({"ip", "-o", "link", "show", "type", "bridge"}), "");
}

TEST_F(LauncherRefusals, ABridgeThatIsNotOursIsLeftAlone) {
  ASSERT_EQ(run({"ip", "link", "add", "brother", "type", "bridge"}), 0);
  {
    LauncherProcess process({"bridge = brother\n", 0});
    EXPECT_FALSE(process.start());
    EXPECT_NE(process.log().find("brother exists and is not ours"), std::string::npos);
  }
  EXPECT_NE(output_of({"ip", "-o", "link"}).find("brother"), std::string::npos);
  run({"ip", "link", "del", "brother"});
}

TEST_F(LauncherRefusals, OnlyPlainReadableFilesGoIntoTheJail) {
  LauncherProcess process;
  ASSERT_TRUE(process.start()) << process.log();
  agent::SocketLauncher client(process.socket());
  const std::string secret = process.folder() + "/secret";
  std::ofstream(secret) << "x";
  std::filesystem::permissions(secret, std::filesystem::perms(0600));
  struct Case {
    int fd;
    const char* words;
  };
  const Case cases[] = {
      {::open("/", O_RDONLY | O_CLOEXEC), "no plain file"},
      {::open("/dev/null", O_RDONLY | O_CLOEXEC), "no plain file"},
      {::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "no plain file"},
      {::open(secret.c_str(), O_RDWR | O_CLOEXEC), "reading only"},
      {::open(secret.c_str(), O_RDONLY | O_CLOEXEC), "must be 0444"},
  };
  for (const Case& one : cases) {
    const auto started = client.start(start_with(Fd(one.fd)));
    ASSERT_FALSE(started.has_value()) << one.words;
    EXPECT_EQ(started.error().code, Code::bad_argument);
    EXPECT_NE(started.error().what.find(one.words), std::string::npos) << started.error().what;
  }
  EXPECT_TRUE(client.list()->empty());
}

TEST_F(LauncherRefusals, AVolumeIsAPlainFileOpenForReadingAndWriting) {
  LauncherProcess process;
  ASSERT_TRUE(process.start()) << process.log();
  agent::SocketLauncher client(process.socket());
  const std::string file = process.folder() + "/volume";
  std::ofstream(file) << "x";
  struct Case {
    int fd;
    const char* words;
  };
  const Case cases[] = {
      {::open("/", O_RDONLY | O_CLOEXEC), "no plain file"},
      {::open("/dev/null", O_RDWR | O_CLOEXEC), "no plain file"},
      {::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "no plain file"},
      {::open(file.c_str(), O_RDONLY | O_CLOEXEC), "for reading and writing"},
      {::open(file.c_str(), O_WRONLY | O_CLOEXEC), "for reading and writing"},
      {::open(file.c_str(), O_RDWR | O_APPEND | O_CLOEXEC), "for reading and writing"},
  };
  for (const Case& one : cases) {
    agent::StartRequest request = start_with(Fd(::open("/etc/passwd", O_RDONLY | O_CLOEXEC)));
    request.volumes.push_back(Fd(one.fd));
    const auto started = client.start(std::move(request));
    ASSERT_FALSE(started.has_value()) << one.words;
    EXPECT_NE(started.error().what.find("file 1"), std::string::npos) << started.error().what;
    EXPECT_NE(started.error().what.find(one.words), std::string::npos) << started.error().what;
  }
}

TEST_F(LauncherRefusals, WhatTheConfDeniesIsRefusedByName) {
  LauncherProcess process({"memory_max_mib = 100\ndenied_ports = 53\n", 0});
  ASSERT_TRUE(process.start()) << process.log();
  agent::SocketLauncher client(process.socket());
  const agent::Ipv4 guest{0x0ad54d02};
  const auto published = client.publish({{{}, agent::Protocol::udp, 53, guest, 53}});
  EXPECT_EQ(published.error().code, Code::port_taken);
  auto request = monitors::QemuMonitor(monitors::Accelerator::tcg)
                     .command(dns_launch(new_id(), guest, "192.0.2.1"));
  const auto started = client.start(std::move(*request));
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, Code::no_memory);
  EXPECT_NE(started.error().what.find("memory_max_mib"), std::string::npos);
  const auto info = client.info();
  ASSERT_TRUE(info.has_value());
  ASSERT_EQ(info->denied_ports.size(), 1u);
  EXPECT_TRUE(info->denied_ports[0].contains(53));
}

TEST_F(LauncherRefusals, GarbageEndsTheConnectionAndNothingElse) {
  LauncherProcess process;
  ASSERT_TRUE(process.start()) << process.log();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  process.socket().copy(address.sun_path, sizeof address.sun_path - 1);
  for (const std::size_t size : {1u, 16u, 40u, 5000u, 120000u}) {
    const Fd raw(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(raw.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string garbage(size, '\x5a');
    ASSERT_EQ(::send(raw.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(size));
    launcher::ReplyHeader reply{};
    EXPECT_GE(::recv(raw.get(), &reply, sizeof reply, 0), 0);
    EXPECT_EQ(reply.code, static_cast<int>(Code::bad_argument));
    EXPECT_EQ(::recv(raw.get(), &reply, sizeof reply, 0), 0) << "still open";
  }
  agent::SocketLauncher client(process.socket());
  EXPECT_TRUE(client.info().has_value());
}

TEST_F(LauncherRefusals, AMonitorThatFailsAtOnceIsReportedWithItsWords) {
  LauncherProcess process;
  ASSERT_TRUE(process.start()) << process.log();
  agent::SocketLauncher client(process.socket());
  agent::StartRequest request;
  request.id = new_id();
  request.memory_max_mib = 200;
  request.arguments = {"-M", "no-such-machine"};
  const std::string id = request.id;
  ASSERT_TRUE(client.start(std::move(request)).has_value());
  const agent::Instance ended = wait_exit(client, id);
  const auto console = client.read_console(id, 0);
  ASSERT_TRUE(console.has_value());
  const monitors::QemuMonitor qemu(monitors::Accelerator::tcg);
  const monitors::ExitReason reason = qemu.classify_exit(ended, console->bytes, "");
  EXPECT_EQ(reason.code, Code::monitor_fault);
  EXPECT_NE(console->bytes.find("unsupported machine type"), std::string::npos) << console->bytes;
}

TEST_F(LauncherRefusals, AConsoleThatNobodyReadsNeverStopsItsWriter) {
  LauncherProcess process;
  ASSERT_TRUE(process.start()) << process.log();
  agent::SocketLauncher client(process.socket());
  const auto events = client.open_events();
  ASSERT_TRUE(events.has_value());  // and never read
  auto guest = monitors::memory_file("probe", monitors::qemu_probe_guest());
  ASSERT_TRUE(guest.has_value());
  agent::StartRequest request = start_with(std::move(*guest));
  request.memory_max_mib = 300;
  request.arguments = monitors::qemu_base_arguments(monitors::Machine::microvm,
                                                    monitors::Accelerator::tcg, 16, 1);
  // A line for each of the guest's half a million turns.
  request.arguments.insert(request.arguments.end(),
                           {"-kernel", "/proc/self/fd/10", "-d", "exec,nochain"});
  const std::string id = request.id;
  ASSERT_TRUE(client.start(std::move(request)).has_value());
  for (int tries = 0; tries < 3; ++tries) {
    if (wait_exit(client, id).state == agent::InstanceState::exited) break;
  }
  const agent::Instance ended = find(client, id);
  ASSERT_EQ(ended.state, agent::InstanceState::exited);
  EXPECT_EQ(WEXITSTATUS(ended.wait_status), monitors::qemu_probe_status());
  EXPECT_GT(ended.console_bytes, 1000000u);
  const auto chunk = client.read_console(id, 0);
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->lost_bytes, ended.console_bytes - proto::kConsoleRingBytes);
}

}  // namespace
}  // namespace e2e
