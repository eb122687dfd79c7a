// What a Solo5 guest and its tender say to each other, for the targets hvt and spt: notes,
// manifest, boot information, hypercalls. ABI versions 1 and 2, which are alike here. Freestanding;
// the layouts are those of Solo5's hvt_abi.h, spt_abi.h, mft_abi.h and elf_abi.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace images::abi {

// Memory, both targets. Below the image lies what the host prepares; the stack starts at the top.
inline constexpr std::uint64_t kGuestFirstPage = 0x10000;  // below: not mapped, null traps
inline constexpr std::uint64_t kGuestImageStart = 0x100000;
inline constexpr std::size_t kMaxCommandLineBytes = 8192;  // with its NUL

// Notes, owner "Solo5".
inline constexpr char kSolo5Owner[] = "Solo5";
inline constexpr std::uint32_t kAbiNoteType = 0x31494241;       // "ABI1"
inline constexpr std::uint32_t kManifestNoteType = 0x3154464d;  // "MFT1"
inline constexpr std::uint32_t kTargetHvt = 1;
inline constexpr std::uint32_t kTargetSpt = 2;
inline constexpr std::uint32_t kOldestSolo5Version = 1;
inline constexpr std::uint32_t kNewestSolo5Version = 2;

struct Solo5Abi {
  std::uint32_t target;
  std::uint32_t version;
  std::uint32_t reserved[2];
};
static_assert(sizeof(Solo5Abi) == 16);

// The manifest: the devices that a guest wants, by name. Entry 0 is reserved; an entry's index is
// the device's handle. In the file everything behind `type` is zero; the tender fills it.
inline constexpr std::uint32_t kManifestVersion = 1;
inline constexpr std::size_t kMaxManifestEntries = 64;
inline constexpr std::size_t kDeviceNameBytes = 68;  // with its NUL
inline constexpr std::uint32_t kDeviceBlock = 1;
inline constexpr std::uint32_t kDeviceNet = 2;
inline constexpr std::uint32_t kDeviceReserved = 1U << 30;

struct BlockProperties {
  std::uint64_t capacity_bytes;
  std::uint16_t block_bytes;
};

struct NetProperties {
  std::uint8_t mac[6];
  std::uint16_t mtu;
};

struct ManifestEntry {
  char name[kDeviceNameBytes];
  std::uint32_t type;
  union {
    BlockProperties block;
    NetProperties net;
  };
  std::uint64_t descriptor;  // spt: the host's, an int; hvt: zero
  std::uint8_t attached;
  std::uint8_t padding[7];
};
static_assert(sizeof(ManifestEntry) == 104 && offsetof(ManifestEntry, type) == 68);
static_assert(offsetof(ManifestEntry, block) == 72 && offsetof(ManifestEntry, descriptor) == 88);
static_assert(offsetof(ManifestEntry, attached) == 96);

struct Manifest {
  std::uint32_t version;
  std::uint32_t entry_count;
  ManifestEntry entries[kMaxManifestEntries];  // entry_count of them are there
};
static_assert(offsetof(Manifest, entries) == 8);

/// Bytes of a manifest with that many entries.
constexpr std::size_t manifest_bytes(std::uint32_t entry_count) {
  return offsetof(Manifest, entries) + entry_count * sizeof(ManifestEntry);
}
inline constexpr std::size_t kManifestNotePadding = 4;  // before the manifest, to align it to 8

// spt: a process of the host. See FORMATS 2b.
struct SptBootInfo {
  std::uint64_t memory_bytes;
  std::uint64_t image_end;
  std::uint64_t command_line;
  std::uint64_t manifest;
  std::int32_t epoll_descriptor;
  std::int32_t timer_descriptor;
};
static_assert(sizeof(SptBootInfo) == 40);
inline constexpr std::uint64_t kSptBootInfo = 0x11000;
inline constexpr std::uint64_t kSptTimerEvent = 0xFFFFFFFE;  // epoll data; others: device handles

// hvt: a virtual machine without devices; the guest stores the 32-bit address of a struct.
struct HvtBootInfo {
  std::uint64_t memory_bytes;
  std::uint64_t image_end;
  std::uint64_t cycles_per_second;
  std::uint64_t command_line;
  std::uint64_t manifest;
  // From Solo5 0.11; zero: no ring offered. Older guests never read so far.
  std::uint32_t host_features;
  std::uint32_t guest_features;
  std::uint64_t net_ring;
};
static_assert(sizeof(HvtBootInfo) == 56);
inline constexpr std::uint64_t kHvtBootInfo = 0x10000;
inline constexpr std::uint16_t kHypercallPort = 0x500;             // x86_64: OUT to this + call
inline constexpr std::uint64_t kHypercallMmio = 0x1'0000'0000ULL;  // aarch64: + 8 per call

enum class Hypercall : std::uint32_t {
  walltime = 1,
  puts = 2,
  poll = 3,
  block_write = 4,
  block_read = 5,
  net_write = 6,
  net_read = 7,
  halt = 8,
};

// What a call answers.
inline constexpr std::int32_t kSolo5Ok = 0;
inline constexpr std::int32_t kSolo5Again = 1;
inline constexpr std::int32_t kSolo5Invalid = 2;
inline constexpr std::int32_t kSolo5Unspecified = 3;

struct WalltimeCall {
  std::uint64_t nanoseconds;  // out: since 1970
};

struct PutsCall {
  std::uint64_t data;
  std::uint64_t size;
};

struct PollCall {
  std::uint64_t timeout_ns;
  std::uint64_t ready_set;  // out: bit i = handle i is readable
  std::int32_t result;      // out: how many are
  std::uint32_t padding;
};

struct BlockCall {
  std::uint64_t handle;
  std::uint64_t offset;
  std::uint64_t data;
  std::uint64_t size;
  std::int32_t result;
  std::uint32_t padding;
};

struct NetCall {
  std::uint64_t handle;
  std::uint64_t data;
  std::uint64_t size;  // read: in the buffer's, out the frame's
  std::int32_t result;
  std::uint32_t padding;
};

struct HaltCall {
  std::uint64_t cookie;  // 0, or the address of kTrapRecordBytes that say more
  std::int32_t status;
  std::uint32_t padding;
};
static_assert(sizeof(WalltimeCall) == 8 && sizeof(PutsCall) == 16 && sizeof(PollCall) == 24);
static_assert(sizeof(BlockCall) == 40 && sizeof(NetCall) == 32 && sizeof(HaltCall) == 16);
static_assert(offsetof(BlockCall, result) == 32 && offsetof(NetCall, result) == 24);

inline constexpr std::int32_t kAbortStatus = 255;
inline constexpr std::size_t kTrapRecordBytes = 512;

// At the cookie of an abort, x86_64.
struct HvtTrapX86 {
  std::uint64_t cr2;
  std::uint64_t error_code;
  std::uint64_t rip;
  std::uint64_t cs;
  std::uint64_t rflags;
  std::uint64_t rsp;
  std::uint64_t ss;
};
static_assert(sizeof(HvtTrapX86) == 56);

// Behind it in the record, from our own images; other tenders do not look so far.
inline constexpr std::uint64_t kTrapDetailMagic = 0x50415254'54454c46;  // "FLETTRAP"
struct HvtTrapDetailX86 {
  std::uint64_t magic;
  std::uint64_t vector;
  std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};
static_assert(sizeof(HvtTrapX86) + sizeof(HvtTrapDetailX86) <= kTrapRecordBytes);

}  // namespace images::abi
