// Foreign packets: each field that can be wrong is wrong once.
#include "agent/launcher/messages.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>

namespace launcher {
namespace {

template <typename Request>
std::unique_ptr<Request> empty(Operation operation) {
  auto request = std::make_unique<Request>();
  request->header = {kWireMagic, kWireVersion, static_cast<std::uint16_t>(operation), 1,
                     sizeof(Request)};
  return request;
}

std::unique_ptr<StartRequest> good_start() {
  auto request = empty<StartRequest>(Operation::start);
  set_field(request->id, "abcdefghijklmnop");
  set_field(request->tag, "dns/1/a");
  request->program = 1;
  request->memory_max_mib = 64;
  request->flags = kFlagKvm;
  request->interface_count = 1;
  const std::uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
  std::memcpy(request->interfaces[0].mac, mac, sizeof mac);
  request->interfaces[0].address = 0x0ad54d02;
  set_field(request->interfaces[0].bridge, "fleet0");
  request->egress_count = 1;
  request->egress[0] = {0x0a000000, 53, 8, 17};
  request->file_count = 2;
  request->argument_count = 2;
  request->argument_bytes = 7;
  std::memcpy(request->arguments, "-m", 3);
  std::memcpy(request->arguments + 3, "16M", 4);
  return request;
}

template <typename Request>
std::string problem(const Request& request, std::size_t descriptors = 0) {
  const auto checked = check_request(&request, sizeof request, descriptors);
  return checked ? "" : checked.error().what;
}

TEST(Messages, AGoodStartPasses) { EXPECT_EQ(problem(*good_start(), 2), ""); }

struct StartCase {
  const char* name;
  std::function<void(StartRequest&)> spoil;
  const char* word;  // of the error
};

TEST(Messages, AStartWithOneWrongFieldIsRefusedByName) {
  const StartCase cases[] = {
      {"id with a digit", [](StartRequest& r) { r.id[0] = '1'; }, "id must"},
      {"id in capitals", [](StartRequest& r) { r.id[15] = 'A'; }, "id must"},
      {"tag with a line break", [](StartRequest& r) { r.tag[1] = '\n'; }, "tag"},
      {"tag with a hidden tail", [](StartRequest& r) { r.tag[100] = 'x'; }, "tag"},
      {"no such program", [](StartRequest& r) { r.program = 7; }, "program"},
      {"no memory", [](StartRequest& r) { r.memory_max_mib = 0; }, "memory_max_mib"},
      {"absurd cpu", [](StartRequest& r) { r.cpu_percent = 4000000; }, "cpu_percent"},
      {"unknown flag", [](StartRequest& r) { r.flags |= 1u << 20; }, "flags"},
      {"a volume that was not passed", [](StartRequest& r) { r.writable_files = 4; },
       "writable_files"},
      {"nine interfaces", [](StartRequest& r) { r.interface_count = 9; }, "interfaces"},
      {"65535 interfaces", [](StartRequest& r) { r.interface_count = 65535; }, "interfaces"},
      {"too much egress", [](StartRequest& r) { r.egress_count = 33; }, "egress"},
      {"any and a list", [](StartRequest& r) { r.flags |= kFlagEgressAny; }, "egress"},
      {"more files than passed", [](StartRequest& r) { r.file_count = 3; }, "file_count"},
      {"too many files", [](StartRequest& r) { r.file_count = 17; }, "files"},
      {"group MAC", [](StartRequest& r) { r.interfaces[0].mac[0] = 0x53; }, "mac"},
      {"factory MAC", [](StartRequest& r) { r.interfaces[0].mac[0] = 0x50; }, "mac"},
      {"promiscuous 2", [](StartRequest& r) { r.interfaces[0].promiscuous = 2; }, "promiscuous"},
      {"multicast address", [](StartRequest& r) { r.interfaces[0].address = 0xe0000001; },
       "address"},
      {"bridge with a slash", [](StartRequest& r) { r.interfaces[0].bridge[0] = '/'; }, "bridge"},
      {"bridge of 16 characters",
       [](StartRequest& r) { std::memset(r.interfaces[0].bridge, 'b', 16); }, "bridge"},
      {"unused interface filled", [](StartRequest& r) { r.interfaces[5].address = 1; }, "behind"},
      {"five serial lines", [](StartRequest& r) { r.serial_count = 5; }, "serial"},
      {"a serial line elsewhere",
       [](StartRequest& r) {
         r.serial_count = 1;
         set_field(r.serials[0].path, "/etc/shadow");
       },
       "below /dev"},
      {"a serial line that climbs",
       [](StartRequest& r) {
         r.serial_count = 1;
         set_field(r.serials[0].path, "/dev/../etc/shadow");
       },
       "below /dev"},
      {"unused serial line filled", [](StartRequest& r) { r.serials[0].path[0] = '/'; }, "behind"},
      {"prefix 33", [](StartRequest& r) { r.egress[0].prefix = 33; }, "prefix"},
      {"bits below the prefix", [](StartRequest& r) { r.egress[0].address = 0x0a000001; },
       "prefix"},
      {"protocol 99", [](StartRequest& r) { r.egress[0].protocol = 99; }, "protocol"},
      {"icmp with a port", [](StartRequest& r) { r.egress[0].protocol = 1; }, "icmp"},
      {"too many arguments", [](StartRequest& r) { r.argument_count = 129; }, "arguments"},
      {"count beyond the bytes", [](StartRequest& r) { r.argument_count = 3; },
       "argument_count"},
      {"length beyond the field", [](StartRequest& r) { r.argument_bytes = kMaxArgumentBytes + 1; },
       "too long"},
      {"last argument without an end", [](StartRequest& r) { r.argument_bytes = 6; },
       "argument_count"},
      {"control character", [](StartRequest& r) { r.arguments[4] = '\x1b'; }, "control"},
      {"bytes behind the arguments", [](StartRequest& r) { r.arguments[100] = 'x'; }, "behind"},
  };
  for (const StartCase& one : cases) {
    auto request = good_start();
    one.spoil(*request);
    EXPECT_NE(problem(*request, 2).find(one.word), std::string::npos)
        << one.name << ": " << problem(*request, 2);
  }
}

TEST(Messages, AHeaderThatIsNotOursIsRefused) {
  auto request = empty<InfoRequest>(Operation::info);
  EXPECT_EQ(problem(*request), "");
  EXPECT_NE(problem(*request, 1).find("descriptors"), std::string::npos);
  EXPECT_FALSE(check_request(request.get(), 15, 0));
  EXPECT_FALSE(check_request(nullptr, 0, 0));
  request->header.size = 17;
  EXPECT_NE(problem(*request).find("size"), std::string::npos);
  request = empty<InfoRequest>(Operation::start);
  EXPECT_NE(problem(*request).find("size"), std::string::npos) << "a short start";
  request = empty<InfoRequest>(Operation::info);
  request->header.magic = 0;
  EXPECT_NE(problem(*request), "");
  request = empty<InfoRequest>(Operation::info);
  request->header.version = 2;
  EXPECT_NE(problem(*request).find("same package"), std::string::npos);
  request = empty<InfoRequest>(Operation::info);
  request->header.operation = 99;
  EXPECT_NE(problem(*request).find("unknown operation"), std::string::npos);
}

TEST(Messages, APageBeginsWithinTheTable) {
  auto request = empty<ListRequest>(Operation::list);
  EXPECT_EQ(problem(*request), "");
  request->first_slot = proto::kMaxInstances - 1;
  EXPECT_EQ(problem(*request), "");
  request->first_slot = proto::kMaxInstances;
  EXPECT_NE(problem(*request).find("first_slot"), std::string::npos);
  request->first_slot = 0;
  request->reserved = 1;
  EXPECT_NE(problem(*request).find("reserved"), std::string::npos);
}

TEST(Messages, PublishedPortsAreChecked) {
  auto request = empty<PublishRequest>(Operation::publish);
  request->count = 1;
  request->ports[0] = {0, 0x0ad54d02, 53, 53, 17, {}};
  EXPECT_EQ(problem(*request), "");
  request->ports[0].protocol = 1;
  EXPECT_NE(problem(*request).find("protocol"), std::string::npos);
  request->ports[0] = {0, 0x0ad54d02, 0, 53, 17, {}};
  EXPECT_NE(problem(*request).find("1 to 65535"), std::string::npos);
  request->ports[0] = {0xffffffff, 0x0ad54d02, 53, 53, 17, {}};
  EXPECT_NE(problem(*request).find("host_address"), std::string::npos);
  request->ports[0] = {0, 0, 53, 53, 17, {}};
  EXPECT_NE(problem(*request).find("guest_address"), std::string::npos);
  request->count = kMaxPublishedInAll + 1;
  EXPECT_NE(problem(*request).find("too many"), std::string::npos);
}

TEST(Messages, BypassesAndHandOversAreChecked) {
  auto request = empty<BypassRequest>(Operation::bypass);
  EXPECT_EQ(problem(*request), "") << "none";
  request->count = 1;
  EXPECT_NE(problem(*request).find("no name"), std::string::npos);
  set_field(request->bypasses[0].bridges[0], "br-wan");
  set_field(request->bypasses[0].bridges[1], "br-wan");
  EXPECT_NE(problem(*request).find("one and the same"), std::string::npos);
  set_field(request->bypasses[0].bridges[1], "br-lan");
  EXPECT_EQ(problem(*request), "");
  request->bypasses[0].bridges[1][15] = 'x';
  EXPECT_NE(problem(*request).find("behind its end"), std::string::npos);
  request->bypasses[0].bridges[1][15] = '\0';
  request->bypasses[1].bridges[0][0] = 'x';
  EXPECT_NE(problem(*request).find("behind bypasses"), std::string::npos);
  request->count = kMaxBypasses + 1;
  EXPECT_NE(problem(*request).find("too many"), std::string::npos);
  request->count = 0;
  request->reserved = 1;
  EXPECT_NE(problem(*request).find("reserved"), std::string::npos);
  auto over = empty<HandOverRequest>(Operation::hand_over);
  set_field(over->from, "abcdefghijklmnop");
  EXPECT_NE(problem(*over).find("id must"), std::string::npos);
  set_field(over->to, "abcdefghijklmnop");
  EXPECT_NE(problem(*over).find("one and the same"), std::string::npos);
  set_field(over->to, "bbcdefghijklmnop");
  EXPECT_EQ(problem(*over), "");
}

TEST(Messages, FlowsStopsAndSwitchesAreChecked) {
  auto flush = empty<FlushRequest>(Operation::flush_flows);
  flush->count = 1;
  flush->flows[0] = {0x0ad54d02, 53, 17, 0};
  EXPECT_EQ(problem(*flush), "");
  flush->flows[0].guest_address = 0;
  EXPECT_EQ(problem(*flush), "") << "flows that lead to no guest";
  flush->flows[0].guest_address = 0xe0000001;
  EXPECT_NE(problem(*flush).find("guest_address"), std::string::npos);
  flush->flows[0] = {0x0ad54d02, 53, 17, 0};
  flush->flows[0].protocol = 0;
  EXPECT_NE(problem(*flush), "");
  flush->count = kMaxFlowsAtOnce + 1;
  EXPECT_NE(problem(*flush).find("too many"), std::string::npos);
  auto stop = empty<StopRequest>(Operation::stop);
  set_field(stop->id, "abcdefghijklmnop");
  EXPECT_EQ(problem(*stop), "");
  stop->grace_ms = kMaxGraceMs + 1;
  EXPECT_NE(problem(*stop).find("grace_ms"), std::string::npos);
  auto ports = empty<SetPortsRequest>(Operation::set_ports);
  set_field(ports->id, "abcdefghijklmnop");
  ports->up = 2;
  EXPECT_NE(problem(*ports).find("up"), std::string::npos);
}

}  // namespace
}  // namespace launcher
