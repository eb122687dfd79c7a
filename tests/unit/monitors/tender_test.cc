// The tenders' argument lists, and what their reports mean.
#include "agent/monitors/tender.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/monitors/config_volume.h"
#include "proto/limits.h"

namespace monitors {
namespace {

using proto::Code;

using Words = std::vector<std::string>;

Launch dns_launch() {
  Launch launch;
  launch.instance_id = "abcdefghijklmnop";
  launch.app = "dns";
  launch.tag = "dns A 4";
  launch.image = {Arch::x86_64, Family::fleet, Boot::spt, false, "Unifleet",
                  {{"service", true}, {"config", false}}};
  launch.kernel = memory_file("kernel", "k").value();
  launch.memory_bytes = 16 << 20;
  GuestInterface interface;
  interface.name = "service";
  interface.mac = agent::MacAddress{{2, 0, 0, 0, 0, 1}};
  interface.address = agent::Ipv4{0x0a000002};
  interface.gateway = agent::Ipv4{0x0a000001};
  interface.mtu = 1400;
  launch.config.interfaces.push_back(interface);
  launch.config.args = {"--rrl=1000"};
  launch.config.seed = std::string(32, 's');
  return launch;
}

void add_volume(Launch& launch, const char* name, Sync sync) {
  launch.volumes.push_back({name, memory_file(name, "v").value(), sync});
}

TEST(TenderMonitor, SerialLinesLieBehindTheTaps) {
  Launch launch = dns_launch();
  launch.image.devices = {{"rs485", true}, {"service", true}, {"config", false}};
  GuestInterface line;
  line.name = "rs485";
  line.mac = agent::MacAddress{{2, 0, 0, 0, 0, 9}};
  line.serial = "/dev/ttyUSB0";
  launch.config.interfaces.push_back(line);
  auto request = TenderMonitor(Target::spt).command(std::move(launch));
  ASSERT_TRUE(request) << request.error().what;
  const Words& all = request->arguments;
  for (const char* word :
       {"--net:service=@40", "--net:rs485=@41", "--net-mac:rs485=02:00:00:00:00:09"}) {
    EXPECT_EQ(std::count(all.begin(), all.end(), word), 1) << word;
  }
  EXPECT_EQ(request->interfaces.size(), 1u);
  EXPECT_EQ(request->serials, Words{"/dev/ttyUSB0"});
}

TEST(TenderMonitor, VolumesLieBehindTheFilesByTheImagesNames) {
  Launch launch = dns_launch();
  launch.image.devices = {
      {"log", false}, {"service", true}, {"cache", false}, {"config", false}};
  add_volume(launch, "cache", Sync::periodic);
  add_volume(launch, "log", Sync::always);
  const int cache = launch.volumes[0].file.get();
  const int log = launch.volumes[1].file.get();
  auto request = TenderMonitor(Target::spt).command(std::move(launch));
  ASSERT_TRUE(request) << request.error().what;
  const Words& all = request->arguments;
  for (const char* word : {"--block:config=@11", "--block:log=@12", "--block-sync:log=always",
                           "--block:cache=@13"}) {
    EXPECT_EQ(std::count(all.begin(), all.end(), word), 1) << word;
  }
  EXPECT_EQ(request->files.size(), 2u);
  ASSERT_EQ(request->volumes.size(), 2u);
  EXPECT_EQ(request->volumes[0].get(), log);
  EXPECT_EQ(request->volumes[1].get(), cache);
}

TEST(TenderMonitor, OneOfOursGetsItsConfigVolume) {
  auto request = TenderMonitor(Target::spt).command(dns_launch());
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_EQ(request->arguments,
            (Words{"--mem=16", "--exit-report=@9", "--net:service=@40",
                   "--net-mac:service=02:00:00:00:00:01", "--net-mtu:service=1400",
                   "--block:config=@11", "--", "@10"}));
  EXPECT_EQ(request->program, agent::Program::spt);
  EXPECT_FALSE(request->kvm);
  EXPECT_EQ(request->files.size(), 2u);
  EXPECT_EQ(request->memory_max_mib, 16 + kTenderOverheadMib);
  EXPECT_EQ(request->tag, "dns A 4");
}

TEST(TenderMonitor, HvtGetsKvmAsADescriptor) {
  Launch launch = dns_launch();
  launch.image.boot = Boot::hvt;
  auto request = TenderMonitor(Target::hvt).command(std::move(launch));
  ASSERT_TRUE(request) << request.error().what;
  EXPECT_TRUE(request->kvm);
  EXPECT_EQ(request->program, agent::Program::hvt);
  EXPECT_NE(std::find(request->arguments.begin(), request->arguments.end(), "--kvm=@8"),
            request->arguments.end());
}

TEST(TenderMonitor, AForeignOneIsToldByArguments) {
  Launch launch = dns_launch();
  launch.image.family = Family::other;
  launch.image.family_name = "Solo5";
  launch.image.devices = {{"net0", true}};
  auto request = TenderMonitor(Target::spt).command(std::move(launch));
  ASSERT_TRUE(request) << request.error().what;
  const Words& all = request->arguments;
  EXPECT_NE(std::find(all.begin(), all.end(), "--net:net0=@40"), all.end());
  const Words tail(all.end() - 5, all.end());
  EXPECT_EQ(tail, (Words{"--", "@10", "--ipv4=10.0.0.2/24", "--ipv4-gateway=10.0.0.1",
                         "--rrl=1000"}));
}

struct Wrong {
  const char* name;
  void (*spoil)(Launch&);
  Code code;
  const char* words;
};

TEST(TenderMonitor, WhatCannotRunIsRefusedByName) {
  const Wrong cases[] = {
      {"another target", [](Launch& l) { l.image.boot = Boot::hvt; }, Code::no_monitor,
       "no Solo5 spt image"},
      {"Rumprun",
       [](Launch& l) { l.image.family = Family::other; l.image.family_name = "Rumprun"; },
       Code::no_monitor, "Rumprun is not supported yet"},
      {"two CPUs", [](Launch& l) { l.cpus = 2; }, Code::bad_argument, "one CPU"},
      {"no memory", [](Launch& l) { l.memory_bytes = 1; }, Code::bad_argument, "2M to 1024G"},
      {"an interface too many",
       [](Launch& l) {
         l.config.interfaces.push_back(l.config.interfaces[0]);
         l.config.interfaces.back().name = "lan";
       },
       Code::bad_argument, "lan: the image has no net device for it; it declares service"},
      {"an interface too few", [](Launch& l) { l.config.interfaces.clear(); },
       Code::bad_argument, "wants a net device service"},
      {"a volume too few", [](Launch& l) { l.image.devices.push_back({"storage", false}); },
       Code::bad_argument, "wants a block device storage and the manifest has no volume"},
      {"a volume too many", [](Launch& l) { add_volume(l, "cache", Sync::never); },
       Code::bad_argument, "cache: the image has no block device for it"},
      {"a volume of another name",
       [](Launch& l) {
         l.image.devices.push_back({"storage", false});
         add_volume(l, "storage", Sync::never);
         add_volume(l, "cache", Sync::never);
       },
       Code::bad_argument, "no block device for it; it declares storage"},
      {"a foreign one with env",
       [](Launch& l) {
         l.image.family = Family::other;
         l.image.family_name = "Solo5";
         l.image.devices = {{"service", true}};
         l.config.env["A"] = "b";
       },
       Code::not_supported, "env: a Solo5 unikernel is told by args alone"},
  };
  for (const Wrong& one : cases) {
    Launch launch = dns_launch();
    one.spoil(launch);
    auto request = TenderMonitor(Target::spt).command(std::move(launch));
    ASSERT_FALSE(request) << one.name;
    EXPECT_EQ(request.error().code, one.code) << one.name;
    EXPECT_NE(request.error().what.find(one.words), std::string::npos) << request.error().what;
  }
}

struct EndCase {
  int wait_status;
  bool stop_asked, limit;
  const char* report;
  Code code;
  int status;
  const char* words;
};

TEST(TenderMonitor, TheReportSaysWhyItEnded) {
  const EndCase cases[] = {
      {3 << 8, false, false,
       R"({"reason":"guest_exit","status":3,"signal":0,"what":"the guest ended with status 3"})",
       Code::guest_exit, 3, "the guest ended with status 3 after 1.25s"},
      {139 << 8, false, false,
       R"({"reason":"guest_abort","status":0,"signal":11,"what":"the guest faulted by signal 11"})",
       Code::guest_abort, 0, "faulted by signal 11"},
      {137 << 8, false, false,
       R"({"reason":"killed_by_limit","status":0,"what":"killed from outside"})",
       Code::killed_by_limit, 0, "killed from outside"},
      {1 << 8, false, false, R"({"reason":"monitor_fault","status":0,"what":"no memory"})",
       Code::monitor_fault, 0, "no memory"},
      {1 << 8, false, false, R"({"reason":"a lie","status":0,"what":"x"})", Code::monitor_fault, 0,
       "x"},
      {11, false, false, "", Code::monitor_fault, 0, "killed by signal 11"},
      {1 << 8, false, false, R"({"reason":7})", Code::monitor_fault, 0,
       "without a report, status 1"},
      {9, true, false, "", Code::ordered, 0, "on order"},
      {9, false, true, "", Code::killed_by_limit, 0, "limit of memory"},
  };
  for (const EndCase& one : cases) {
    agent::Instance ended;
    ended.wait_status = one.wait_status;
    ended.stop_asked = one.stop_asked;
    ended.limit = one.limit;
    ended.started_ms = 1000;
    ended.exited_ms = 2250;
    const ExitReason reason = TenderMonitor(Target::spt).classify_exit(ended, "", one.report);
    EXPECT_EQ(reason.code, one.code) << one.words << ": " << reason.what;
    EXPECT_EQ(reason.status, one.status) << one.words;
    EXPECT_NE(reason.what.find(one.words), std::string::npos) << reason.what;
  }
}

ExitReason of_report(const std::string& report) {
  agent::Instance ended;
  ended.exited_ms = 20;
  return TenderMonitor(Target::spt).classify_exit(ended, "", report);
}

std::string with_trap(const std::string& trap) {
  return R"({"monitor":"fleet-spt","reason":"guest_abort","status":255,"signal":11,)"
         R"("what":"the guest crashed","trap":)" + trap + "}\n";
}

TEST(Tender, TheTrapOfAReportIsRead) {
  const ExitReason reason = of_report(with_trap(
      R"({"kind":"page fault","pc":"0x100abc","address":"0x0",)"
      R"("registers":{"rip":"0x100abc","rsp":"0x1fffff0"}})"));
  EXPECT_EQ(reason.code, Code::guest_abort);
  EXPECT_EQ(reason.status, 255);
  ASSERT_TRUE(reason.trap.has_value());
  EXPECT_EQ(reason.trap->kind(), "page fault");
  EXPECT_EQ(reason.trap->pc(), "0x100abc");
  EXPECT_EQ(reason.trap->address(), "0x0");
  ASSERT_EQ(reason.trap->registers_size(), 2);
  EXPECT_EQ(reason.trap->registers().at("rsp"), "0x1fffff0");
  const ExitReason bare = of_report(with_trap(R"({"kind":"breakpoint"})"));
  ASSERT_TRUE(bare.trap.has_value());
  EXPECT_EQ(bare.trap->pc(), "");
}

TEST(Tender, AReportWithoutATrapOrWithNoneOfItsFormIsStillAReport) {
  EXPECT_FALSE(of_report(R"({"reason":"guest_abort","status":255,"what":"crashed"})").trap);
  for (const char* trap : {"null", "7", R"("page fault")", "[]", "{}", R"({"kind":7})",
                           R"({"kind":""})", R"({"pc":"0x1"})"}) {
    const ExitReason reason = of_report(with_trap(trap));
    EXPECT_EQ(reason.code, Code::guest_abort) << trap;
    EXPECT_FALSE(reason.trap.has_value()) << trap;
  }
}

TEST(Tender, WhatATrapSaysIsBounded) {
  const ExitReason reason = of_report(with_trap(
      R"({"kind":")" + std::string(500, 'k') + R"(\u001b","pc":"100","address":{"a":1},)"
      R"("registers":{"RIP":"0x1","":"0x1","a-b":"0x1","thirteen_long":"0x1","r1":"0x",)"
      R"("r2":"0x0123456789abcdef0","r3":"0xAB","r4":7,"r5":"0x5"}})"));
  ASSERT_TRUE(reason.trap.has_value());
  EXPECT_EQ(reason.trap->kind().size(), proto::kTrapKindBytes);
  EXPECT_EQ(reason.trap->pc(), "");
  EXPECT_EQ(reason.trap->address(), "");
  ASSERT_EQ(reason.trap->registers_size(), 1);
  EXPECT_EQ(reason.trap->registers().at("r5"), "0x5");
  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += (many.empty() ? "\"r" : ",\"r") + std::to_string(i) + "\":\"0x1\"";
  }
  const ExitReason crowded =
      of_report(with_trap(R"({"kind":"\u0007bell","registers":{)" + many + "}}"));
  EXPECT_EQ(crowded.trap->kind(), "?bell");
  EXPECT_EQ(crowded.trap->registers_size(), static_cast<int>(proto::kTrapRegisters));
}

}  // namespace
}  // namespace monitors
