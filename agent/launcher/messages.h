// What agent and launcher say to each other: one fixed-size struct per operation, one packet each,
// over SOCK_SEQPACKET. Same host, same build: host byte order, no versions but one.
// Holds no logic but the check of a foreign packet, which trusts nothing in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/launcher/net_types.h"
#include "proto/limits.h"
#include "proto/result.h"

namespace launcher {

inline constexpr std::uint32_t kWireMagic = 0x316c6c66;  // "fll1"
inline constexpr std::uint16_t kWireVersion = 1;

inline constexpr std::size_t kMaxTagBytes = 128;
inline constexpr std::size_t kMaxFiles = 16;
inline constexpr std::size_t kMaxSerialLines = 4;        // of one instance
inline constexpr std::size_t kMaxLentLines = 16;
inline constexpr std::size_t kDevicePathBytes = 64;
inline constexpr std::size_t kMaxEgressRules = 32;
inline constexpr std::size_t kMaxPublishedInAll = 2048;  // 64 apps with 32 ports each
inline constexpr std::size_t kMaxFlowsAtOnce = 2048;
inline constexpr std::size_t kMaxArgumentBytes = 32 * 1024;
inline constexpr std::size_t kConsoleChunkBytes = 64 * 1024;
inline constexpr std::size_t kMaxDeniedRanges = 64;
inline constexpr std::size_t kMaxBypasses = 16;
inline constexpr std::size_t kRecordsPerPage = 64;
inline constexpr std::size_t kInterfaceNameBytes = 16;   // IFNAMSIZ
inline constexpr std::uint32_t kMaxGraceMs = 10 * 60 * 1000;

// Where passed descriptors appear in the monitor: files from here on, taps and then serial lines
// from there on.
inline constexpr int kFileFdBase = 10;
inline constexpr int kTapFdBase = 40;
// What a tender gets beside them: /dev/kvm, and where it tells of the guest's end.
inline constexpr int kKvmFd = 8;
inline constexpr int kExitReportFd = 9;
inline constexpr std::size_t kMaxExitReportBytes = 4096;

enum class Operation : std::uint16_t {
  info = 1,
  start = 2,
  stop = 3,
  kill = 4,
  remove = 5,
  list = 6,
  set_ports = 7,
  publish = 8,
  flush_flows = 9,
  read_console = 10,
  events = 11,  // turns the connection into a stream of EventPacket
  read_report = 12,
  hand_over = 13,
  bypass = 14,
};

/// spt and hvt are our tenders: static programs with an empty root, an exit report, and /dev/kvm as
/// a descriptor (hvt).
enum class ProgramId : std::uint32_t { qemu = 1, spt = 2, hvt = 3 };

enum StartFlag : std::uint32_t {
  kFlagKvm = 1,
  kFlagPortsDown = 2,
  kFlagEgressAny = 4,
  kAllStartFlags = 7,
};

struct RequestHeader {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t operation;
  std::uint32_t sequence;  // comes back in the reply
  std::uint32_t size;      // of the whole packet
};
static_assert(sizeof(RequestHeader) == 16);

struct WireInterface {
  std::uint8_t mac[6];
  std::uint8_t promiscuous;  // 0 or 1
  std::uint8_t dhcp;         // 0 or 1: the guest asks for its address, nobody here knows it
  std::uint32_t address;     // host order; 0 = none
  std::uint8_t address6[16]; // network order; all 0 = none
  char bridge[kInterfaceNameBytes];
};
static_assert(sizeof(WireInterface) == 44);
Ipv6 address6_of(const WireInterface& wire);

struct WireEgress {
  std::uint32_t address;
  std::uint16_t port;
  std::uint8_t prefix;
  std::uint8_t protocol;
};
static_assert(sizeof(WireEgress) == 8);

struct InfoRequest {  // also events, which carries nothing either
  RequestHeader header;
};
static_assert(sizeof(InfoRequest) == 16);

/// A serial line of the host that launcher.conf lends; an empty path: nothing is attached.
struct WireSerial {
  char path[kDevicePathBytes];  // padded with NUL
};

struct StartRequest {
  RequestHeader header;
  char id[proto::kIdLength];
  char tag[kMaxTagBytes];            // padded with NUL
  std::uint32_t program;             // ProgramId
  std::uint32_t memory_max_mib;
  std::uint32_t cpu_percent;
  std::uint32_t flags;               // StartFlag
  std::uint16_t interface_count;
  std::uint16_t egress_count;
  std::uint16_t file_count;          // == descriptors passed
  std::uint16_t argument_count;
  std::uint32_t argument_bytes;
  std::uint32_t writable_files;      // bit i: file i is a volume, open for reading and writing
  WireInterface interfaces[proto::kMaxInterfaces];
  WireEgress egress[kMaxEgressRules];
  std::uint32_t serial_count;
  std::uint32_t reserved;
  WireSerial serials[kMaxSerialLines];
  char arguments[kMaxArgumentBytes];  // each followed by one NUL, the rest NUL
};
static_assert(sizeof(StartRequest) == 192 + 8 * 44 + 32 * 8 + 8 + 4 * 64 + kMaxArgumentBytes);

/// The table comes in pages. A slot is an instance's for as long as it is in the table, so what is
/// there from the first page to the last is in exactly one of them.
struct ListRequest {
  RequestHeader header;
  std::uint32_t first_slot;
  std::uint32_t reserved;
};
static_assert(sizeof(ListRequest) == 24);

struct IdRequest {  // kill, remove, read_report
  RequestHeader header;
  char id[proto::kIdLength];
};
static_assert(sizeof(IdRequest) == 32);

struct StopRequest {
  RequestHeader header;
  char id[proto::kIdLength];
  std::uint32_t grace_ms;
  std::uint32_t reserved;
};
static_assert(sizeof(StopRequest) == 40);

/// Of an instance with ports on bridges of the host it concerns those alone, and so does
/// kFlagPortsDown: its ports on the managed bridge are up from the start. Else all of them.
struct SetPortsRequest {
  RequestHeader header;
  char id[proto::kIdLength];
  std::uint32_t up;  // 0 or 1
  std::uint32_t reserved;
};
static_assert(sizeof(SetPortsRequest) == 40);

/// The ports of `from` go down, those of `to` up, with nothing in between. A `from` that ended has
/// none. On an error they are as they were.
struct HandOverRequest {
  RequestHeader header;
  char from[proto::kIdLength];
  char to[proto::kIdLength];
};
static_assert(sizeof(HandOverRequest) == 48);

struct WireBypass {
  char bridges[2][kInterfaceNameBytes];  // padded with NUL
};
static_assert(sizeof(WireBypass) == 32);

/// The whole list: bridges of the host that are joined while no instance has its ports up on both.
struct BypassRequest {
  RequestHeader header;
  std::uint32_t count;
  std::uint32_t reserved;
  WireBypass bypasses[kMaxBypasses];
};
static_assert(sizeof(BypassRequest) == 24 + 32 * kMaxBypasses);

struct WirePort {
  std::uint32_t host_address;  // 0 = any of the host's
  std::uint32_t guest_address;
  std::uint16_t host_port;
  std::uint16_t guest_port;
  std::uint8_t protocol;       // tcp or udp
  std::uint8_t reserved[3];
};
static_assert(sizeof(WirePort) == 16);

struct PublishRequest {
  RequestHeader header;
  std::uint32_t count;
  std::uint32_t reserved;
  WirePort ports[kMaxPublishedInAll];
};
static_assert(sizeof(PublishRequest) == 24 + 16 * kMaxPublishedInAll);

struct WireFlow {
  std::uint32_t guest_address;  // the old one; 0: flows that lead to no guest
  std::uint16_t host_port;
  std::uint8_t protocol;
  std::uint8_t reserved;
};
static_assert(sizeof(WireFlow) == 8);

struct FlushRequest {
  RequestHeader header;
  std::uint32_t count;
  std::uint32_t reserved;
  WireFlow flows[kMaxFlowsAtOnce];
};
static_assert(sizeof(FlushRequest) == 24 + 8 * kMaxFlowsAtOnce);

struct ReadConsoleRequest {
  RequestHeader header;
  char id[proto::kIdLength];
  std::uint64_t offset;
};
static_assert(sizeof(ReadConsoleRequest) == 40);

struct ReplyHeader {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t operation;
  std::uint32_t sequence;
  std::uint32_t size;
  std::int32_t code;      // proto::Code; 0 = done
  std::uint32_t reserved;
  char text[256];         // the error's sentence, NUL at its end
};
static_assert(sizeof(ReplyHeader) == 280);

struct EmptyReply {  // start, stop, kill, remove, set_ports, hand_over, publish, flush_flows,
                     // bypass, events
  ReplyHeader header;
};

enum InfoFlag : std::uint32_t {
  kInfoCgroup = 1,
  kInfoKvmAllowed = 2,
  kInfoQemuPresent = 4,
  kInfoSptPresent = 8,
  kInfoHvtPresent = 16,
};

struct InfoReply {
  ReplyHeader header;
  char version[32];
  std::uint32_t subnet;
  std::uint32_t gateway;
  std::uint32_t prefix;
  std::uint32_t mtu;
  char bridge[kInterfaceNameBytes];
  std::uint32_t memory_max_mib;
  std::uint32_t flags;  // InfoFlag
  std::uint64_t boot_ms;
  char qemu_path[128];
  std::uint32_t denied_count;
  std::uint32_t bypass_count;
  PortRange denied[kMaxDeniedRanges];
  WireBypass bypasses[kMaxBypasses];  // those that launcher.conf allows
  WireSerial serials[kMaxLentLines];  // those that it lends, behind them empty ones
};
static_assert(sizeof(InfoReply) == 280 + 32 + 16 + 16 + 8 + 8 + 128 + 8 + 4 * kMaxDeniedRanges +
                                       32 * kMaxBypasses + 64 * kMaxLentLines);

enum InstanceFlag : std::uint32_t {
  kInstanceRunning = 1,
  kInstanceStopAsked = 2,
  kInstanceKilled = 4,
  kInstanceLimit = 8,
  kInstancePortsUp = 16,
};

struct InstanceRecord {
  char id[proto::kIdLength];
  char tag[kMaxTagBytes];
  std::int32_t pid;
  std::int32_t wait_status;
  std::uint32_t flags;  // InstanceFlag
  std::uint32_t interface_count;
  std::uint64_t started_ms;  // CLOCK_BOOTTIME
  std::uint64_t exited_ms;
  std::uint64_t cpu_ms;
  std::uint64_t rss_bytes;
  std::uint64_t console_bytes;
  WireInterface interfaces[proto::kMaxInterfaces];
  char taps[proto::kMaxInterfaces][kInterfaceNameBytes];
};
static_assert(sizeof(InstanceRecord) == 144 + 16 + 40 + 352 + 128);

struct ListReply {
  ReplyHeader header;
  std::uint32_t count;
  std::uint32_t next_slot;  // the next page's first; 0 on the last one
  InstanceRecord records[kRecordsPerPage];  // by slot
};
static_assert(sizeof(ListReply) == 288 + sizeof(InstanceRecord) * kRecordsPerPage);

struct ReadConsoleReply {
  ReplyHeader header;
  std::uint64_t next_offset;
  std::uint64_t lost_bytes;
  std::uint32_t count;
  std::uint32_t reserved;
  char bytes[kConsoleChunkBytes];
};
static_assert(sizeof(ReadConsoleReply) == 304 + kConsoleChunkBytes);

/// What the tender said of the guest's end; count 0 while it runs, and for QEMU.
struct ReadReportReply {
  ReplyHeader header;
  std::uint32_t count;
  std::uint32_t reserved;
  char bytes[kMaxExitReportBytes];
};
static_assert(sizeof(ReadReportReply) == 288 + kMaxExitReportBytes);

enum class EventKind : std::uint16_t { exited = 1, console_data = 2 };

struct EventPacket {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t kind;  // EventKind
  char id[proto::kIdLength];
};
static_assert(sizeof(EventPacket) == 24);

static_assert(sizeof(StartRequest) <= proto::kMaxLauncherMessageBytes);
static_assert(sizeof(PublishRequest) <= proto::kMaxLauncherMessageBytes);
static_assert(sizeof(ListReply) <= proto::kMaxLauncherMessageBytes);
static_assert(sizeof(ReadConsoleReply) <= proto::kMaxLauncherMessageBytes);

/// Checks a foreign packet field by field: size, header, counts, strings, addresses, unused fields.
/// What launcher.conf must decide is checked later (policy.h).
/// in     bytes: any; descriptors: how many came with it
/// errors bad_argument naming the field
proto::Result<Operation> check_request(const void* bytes, std::size_t size,
                                       std::size_t descriptors);

/// 16 characters a-z2-7.
bool is_instance_id(std::string_view text);
/// A network interface's name as we accept it: [A-Za-z][A-Za-z0-9-]{0,14}.
bool is_interface_name(std::string_view text);

/// The text of a fixed field: up to the first NUL or its end.
template <std::size_t N>
std::string_view field_text(const char (&field)[N]) {
  std::size_t size = 0;
  while (size < N && field[size] != '\0') ++size;
  return {field, size};
}

/// Fills a fixed field and pads it with NUL; what does not fit is cut.
template <std::size_t N>
void set_field(char (&field)[N], std::string_view text) {
  const std::size_t size = text.size() < N ? text.size() : N;
  for (std::size_t i = 0; i < N; ++i) field[i] = i < size ? text[i] : '\0';
}

}  // namespace launcher
