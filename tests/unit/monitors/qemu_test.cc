// QEMU's argument list, and what its ends mean.
#include "agent/monitors/qemu.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace monitors {
namespace {

using proto::Code;

Launch launch() {
  Launch launch;
  launch.instance_id = "abcdefghijklmnop";
  launch.app = "dns";
  launch.tag = "dns/3/b";
  launch.image = {Arch::x86_64, Family::fleet, Boot::pvh, false, ""};
  launch.kernel = agent::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  launch.memory_bytes = 16 << 20;
  launch.config.hostname = "dns";
  launch.config.seed = std::string(32, 's');
  GuestInterface interface;
  interface.name = "service";
  interface.mac.bytes = {0x52, 0x54, 0, 0, 0, 9};
  interface.address = agent::Ipv4{0x0ad54d02};
  interface.gateway = agent::Ipv4{0x0ad54d01};
  launch.config.interfaces.push_back(interface);
  return launch;
}

/// The argument behind an option, or "(none)".
std::string value_of(const agent::StartRequest& request, const std::string& option) {
  const auto at = std::find(request.arguments.begin(), request.arguments.end(), option);
  if (at == request.arguments.end() || at + 1 == request.arguments.end()) return "(none)";
  return *(at + 1);
}

TEST(Qemu, OurOwnGuestGetsItsConfigVolumeAsInitrd) {
  const auto request = QemuMonitor(Accelerator::tcg).command(launch());
  ASSERT_TRUE(request.has_value()) << request.error().what;
  EXPECT_EQ(value_of(*request, "-kernel"), "/proc/self/fd/10");
  EXPECT_EQ(value_of(*request, "-initrd"), "/proc/self/fd/11");
  EXPECT_EQ(value_of(*request, "-append"), "(none)");
  EXPECT_EQ(value_of(*request, "-netdev"), "tap,id=n0,fd=40");
  EXPECT_EQ(value_of(*request, "-M"), "microvm,acpi=off");
  EXPECT_EQ(value_of(*request, "-global"), "virtio-mmio.force-legacy=false");
  EXPECT_EQ(value_of(*request, "-accel"), "tcg,tb-size=32");
  EXPECT_EQ(value_of(*request, "-m"), "16M");
  EXPECT_EQ(value_of(*request, "-sandbox"),
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  EXPECT_EQ(std::count(request->arguments.begin(), request->arguments.end(),
                       "virtio-net-device,netdev=n0,mac=52:54:00:00:00:09"),
            1);
  EXPECT_EQ(request->files.size(), 2u);
  EXPECT_EQ(request->memory_max_mib, 16 + kQemuOverheadMib);
  EXPECT_FALSE(request->kvm);
  EXPECT_EQ(request->tag, "dns/3/b");
  ASSERT_EQ(request->interfaces.size(), 1u);
  EXPECT_FALSE(request->egress.has_value()) << "any";
}

TEST(Qemu, OnArmOurOwnGuestRunsOnAMachineWithADeviceTree) {
  Launch start = launch();
  start.image = {Arch::aarch64, Family::fleet, Boot::arm64_image, false, ""};
  const auto request = QemuMonitor(Accelerator::tcg, Arch::aarch64).command(std::move(start));
  ASSERT_TRUE(request.has_value()) << request.error().what;
  EXPECT_EQ(value_of(*request, "-M"), "virt");
  EXPECT_EQ(value_of(*request, "-cpu"), "cortex-a72");
  EXPECT_EQ(value_of(*request, "-global"), "virtio-mmio.force-legacy=false");
  EXPECT_EQ(value_of(*request, "-initrd"), "/proc/self/fd/11");
  EXPECT_EQ(value_of(*request, "-netdev"), "tap,id=n0,fd=40");
  const auto& all = request->arguments;
  EXPECT_EQ(std::count(all.begin(), all.end(),
                       "virtio-net-device,netdev=n0,mac=52:54:00:00:00:09"), 1);
  EXPECT_EQ(std::count(all.begin(), all.end(), "isa-debug-exit,iobase=0xf4,iosize=1"), 0);
  const auto with_kvm = qemu_base_arguments(Machine::virt, Accelerator::kvm, 16, 1);
  EXPECT_EQ(std::count(with_kvm.begin(), with_kvm.end(), "virt,gic-version=host"), 1);
}

TEST(Qemu, KvmIsUsedOnlyWhenTheProbeSaidSo) {
  const auto request = QemuMonitor(Accelerator::kvm).command(launch());
  ASSERT_TRUE(request.has_value());
  EXPECT_TRUE(request->kvm);
  EXPECT_EQ(value_of(*request, "-accel"), "kvm");
  EXPECT_EQ(value_of(*request, "-cpu"), "host");
}

TEST(Qemu, ALinuxGuestIsToldOnItsCommandLine) {
  Launch linux_launch = launch();
  linux_launch.image = {Arch::x86_64, Family::linux, Boot::bzimage, true, "Linux"};
  linux_launch.initrd = agent::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  linux_launch.config.args = {"-p", "80 81"};
  linux_launch.config.env = {{"TZ", "UTC"}, {"MOTD", "hello there"}};
  const auto request = QemuMonitor(Accelerator::tcg).command(std::move(linux_launch));
  ASSERT_TRUE(request.has_value()) << request.error().what;
  EXPECT_EQ(value_of(*request, "-append"),
            "panic=-1 console=ttyS0 quiet no_timer_check "
            "ip=10.213.77.2::10.213.77.1:255.255.255.0:dns:eth0:off "
            "MOTD=\"hello there\" TZ=UTC -- -p \"80 81\"");
  EXPECT_EQ(value_of(*request, "-initrd"), "/proc/self/fd/11");
  EXPECT_EQ(value_of(*request, "-M").substr(0, 4), "q35,");
  EXPECT_EQ(std::count(request->arguments.begin(), request->arguments.end(),
                       "virtio-net-pci,romfile=,netdev=n0,mac=52:54:00:00:00:09"),
            1);
}

TEST(Qemu, ALinuxGuestsVolumesAreDisksInTheManifestsOrder) {
  Launch start = launch();
  start.image = {Arch::x86_64, Family::linux, Boot::bzimage, true, "Linux"};
  start.initrd = agent::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::vector<std::pair<std::string, Sync>> wanted = {
      {"log", Sync::always}, {"cache", Sync::periodic}, {"tmp", Sync::never}};
  for (const auto& [name, sync] : wanted) {
    start.volumes.push_back({name, agent::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), sync});
  }
  const auto request = QemuMonitor(Accelerator::tcg).command(std::move(start));
  ASSERT_TRUE(request.has_value()) << request.error().what;
  EXPECT_EQ(request->files.size(), 2u);
  EXPECT_EQ(request->volumes.size(), 3u);
  const auto& all = request->arguments;
  for (const char* word :
       {"fd=12,set=0", "fd=13,set=1", "fd=14,set=2",
        "driver=raw,node-name=v1,cache.no-flush=off,file.driver=file,file.locking=off,"
        "file.filename=/dev/fdset/1",
        "driver=raw,node-name=v2,cache.no-flush=on,file.driver=file,file.locking=off,"
        "file.filename=/dev/fdset/2",
        "virtio-blk-pci,drive=v0,serial=log,discard=off,write-zeroes=off,write-cache=off",
        "virtio-blk-pci,drive=v1,serial=cache,discard=off,write-zeroes=off,write-cache=on"}) {
    EXPECT_EQ(std::count(all.begin(), all.end(), word), 1) << word;
  }
  EXPECT_FALSE(QemuMonitor(Accelerator::tcg).syncs_by_descriptor());
}

TEST(Qemu, SerialLinesAreSocketsBehindTheTaps) {
  Launch start = launch();
  GuestInterface line;
  line.name = "rs485";
  line.mac = agent::MacAddress{{2, 0, 0, 0, 0, 9}};
  line.serial = "/dev/ttyUSB0";
  start.config.interfaces.insert(start.config.interfaces.begin(), line);
  const auto request = QemuMonitor(Accelerator::tcg).command(std::move(start));
  ASSERT_TRUE(request.has_value()) << request.error().what;
  const auto& all = request->arguments;
  for (const char* word : {"socket,id=n0,fd=41", "tap,id=n1,fd=40",
                           "virtio-net-device,netdev=n0,mac=02:00:00:00:00:09"}) {
    EXPECT_EQ(std::count(all.begin(), all.end(), word), 1) << word;
  }
  EXPECT_EQ(request->interfaces.size(), 1u);
  EXPECT_EQ(request->serials, std::vector<std::string>{"/dev/ttyUSB0"});
}

TEST(Qemu, ALinuxGuestGetsNoSerialLine) {
  Launch start = launch();
  start.image = {Arch::x86_64, Family::linux, Boot::bzimage, true, "Linux"};
  GuestInterface line;
  line.name = "rs485";
  line.serial = "none";
  start.config.interfaces.push_back(line);
  const auto request = QemuMonitor(Accelerator::tcg).command(std::move(start));
  ASSERT_FALSE(request.has_value());
  EXPECT_NE(request.error().what.find("devices: rs485: a Linux image"), std::string::npos);
}

TEST(Qemu, OnArmALinuxKernelIsToldItsConsoleAndAddress) {
  Launch start = launch();
  start.image = {Arch::aarch64, Family::linux, Boot::arm64_image, false, "unknown"};
  const auto request = QemuMonitor(Accelerator::kvm, Arch::aarch64).command(std::move(start));
  ASSERT_TRUE(request.has_value()) << request.error().what;
  EXPECT_EQ(value_of(*request, "-M"), "virt,gic-version=host");
  const std::string line = value_of(*request, "-append");
  EXPECT_NE(line.find("console=ttyAMA0"), std::string::npos) << line;
  EXPECT_EQ(line.find("no_timer_check"), std::string::npos) << "init would be given it";
  EXPECT_NE(line.find(":eth0:off"), std::string::npos) << line;
}

TEST(Qemu, OurOwnGuestFindsItsVolumesByTheirNames) {
  Launch start = launch();
  const auto add = [&start](const char* name) {
    start.volumes.push_back(
        {name, agent::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), Sync::periodic});
  };
  add("cache");
  const auto request = QemuMonitor(Accelerator::tcg).command(std::move(start));
  ASSERT_TRUE(request.has_value()) << request.error().what;
  const auto& all = request->arguments;
  EXPECT_EQ(std::count(all.begin(), all.end(),
                       "virtio-blk-device,drive=v0,serial=cache,discard=off,write-zeroes=off,"
                       "write-cache=on"), 1);
  start = launch();
  add("measurements-of-the-north");
  add("measurements-of-the-south");
  const auto alike = QemuMonitor(Accelerator::tcg).command(std::move(start));
  ASSERT_FALSE(alike.has_value());
  EXPECT_NE(alike.error().what.find("differ in their first 20 letters"), std::string::npos);
}

TEST(Qemu, WhatTheKernelWouldSplitIsRefused) {
  GuestConfig config;
  config.env = {{"A", "say \"x\""}};
  EXPECT_EQ(linux_command_line(config, Machine::pc).error().code, Code::bad_argument);
  config.env = {{"A", "line\nbreak"}};
  EXPECT_EQ(linux_command_line(config, Machine::pc).error().code, Code::bad_argument);
  config.env.clear();
  config.files["/a"] = "b";
  EXPECT_EQ(linux_command_line(config, Machine::pc).error().code, Code::not_supported);
}

TEST(Qemu, ImagesThatItCannotRunAreNamed) {
  const QemuMonitor qemu(Accelerator::tcg, Arch::x86_64);
  struct Case {
    ImageFacts image;
    const char* words;
  };
  const Case cases[] = {
      {{Arch::aarch64, Family::fleet, Boot::pvh, false, ""}, "another CPU"},
      {{Arch::x86_64, Family::fleet, Boot::spt, false, ""}, "fleet-spt"},
      {{Arch::x86_64, Family::fleet, Boot::hvt, false, ""}, "fleet-hvt"},
      {{Arch::x86_64, Family::other, Boot::pvh, false, "Unikraft"}, "Unikraft"},
      {{Arch::x86_64, Family::unknown, Boot::unknown, false, ""}, "no PVH entry"},
      {{Arch::x86_64, Family::unknown, Boot::arm64_image, false, ""}, "by format: linux"},
  };
  for (const Case& one : cases) {
    const auto status = qemu.can_run(one.image);
    ASSERT_FALSE(status.has_value()) << one.words;
    EXPECT_EQ(status.error().code, Code::no_monitor);
    EXPECT_NE(status.error().what.find(one.words), std::string::npos) << status.error().what;
  }
}

TEST(Qemu, AbsurdMemoryAndCpusAreRefused) {
  Launch bad = launch();
  bad.memory_bytes = 0;
  EXPECT_FALSE(QemuMonitor(Accelerator::tcg).command(std::move(bad)).has_value());
  bad = launch();
  bad.cpus = 0;
  EXPECT_FALSE(QemuMonitor(Accelerator::tcg).command(std::move(bad)).has_value());
}

TEST(Qemu, EveryEndHasItsReason) {
  struct Case {
    int wait_status;
    bool stop_asked;
    bool limit;
    const char* console;
    Code code;
    const char* words;
  };
  const Case cases[] = {
      {33 << 8, false, false, "", Code::guest_exit, "status 0 after 1.25s"},
      {(33 + 2 * 3) << 8, false, false, "", Code::guest_exit, "status 3"},
      {97 << 8, false, false, "", Code::guest_abort, "aborted"},
      {0, false, false, "", Code::guest_abort, "without a word"},
      {0, false, false, "Kernel panic - not syncing\n", Code::guest_abort, "panicked"},
      {0, false, false, "a\nruntime: ended with status 3\n", Code::guest_exit, "status 3 after"},
      {0, false, false, "runtime: ended with status 3\na\n", Code::guest_abort, "without a word"},
      {0, false, false, "runtime: ended with status 99\n", Code::guest_abort, "without a word"},
      {0, false, false, "[ 1.2] reboot: Power down\n", Code::guest_exit, "switched itself off"},
      {1 << 8, false, false, "a\nqemu: no such machine\n", Code::monitor_fault, "no such machine"},
      {1 << 8, false, false, "qemu: cannot set up: Cannot allocate memory\n",
       Code::killed_by_limit, "memory"},
      {11, false, false, "", Code::monitor_fault, "signal 11"},
      {9, false, true, "", Code::killed_by_limit, "limit"},
      {9, true, false, "", Code::ordered, "order"},
      {0, true, false, "", Code::ordered, "order"},
  };
  for (const Case& one : cases) {
    agent::Instance ended;
    ended.wait_status = one.wait_status;
    ended.stop_asked = one.stop_asked;
    ended.limit = one.limit;
    ended.started_ms = 1000;
    ended.exited_ms = 2250;
    const ExitReason reason = QemuMonitor(Accelerator::tcg).classify_exit(ended, one.console, "");
    EXPECT_EQ(reason.code, one.code) << one.words << ": " << reason.what;
    EXPECT_NE(reason.what.find(one.words), std::string::npos) << reason.what;
  }
}

}  // namespace
}  // namespace monitors
