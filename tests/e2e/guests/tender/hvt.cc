// The guest in a virtual machine.
#include "images/runtime/hvt/hypercall.h"
#include "tests/e2e/guests/tender/guest.h"

namespace abi = images::abi;
using abi::Hypercall;
using images::runtime::hvt::hypercall;

namespace {
std::uint64_t address_of(const void* place) { return reinterpret_cast<std::uint64_t>(place); }

bool move_sector(Hypercall call, std::uint32_t handle, std::uint64_t offset, const void* data) {
  abi::BlockCall block{handle, offset, address_of(data), 512, 0, 0};
  hypercall(call, block);
  return block.result == abi::kSolo5Ok;
}

/// The words of "call": an address by name, or a number.
std::uint64_t place(std::string_view word, const guest::Boot& boot) {
  if (word == "text") return reinterpret_cast<std::uint64_t>(&guest::act);
  if (word == "boot") return abi::kHvtBootInfo;
  if (word == "tables") return 0x2000;
  if (word == "end") return boot.memory_bytes;
  if (word == "last") return boot.memory_bytes - 1;
  if (word == "most") return ~0ULL;
  return guest::number(word);
}
}  // namespace

void guest::say(std::string_view text) {
  abi::PutsCall call{address_of(text.data()), text.size()};
  hypercall(Hypercall::puts, call);
}

void guest::leave(int status) {
  abi::HaltCall call{0, status, 0};
  for (;;) hypercall(Hypercall::halt, call);
}

void guest::sleep_for_ever() {
  abi::PollCall call{~0ULL, 0, 0, 0};
  hypercall(Hypercall::poll, call);
}

bool guest::read_sector(std::uint32_t handle, std::uint64_t offset, void* to) {
  return move_sector(Hypercall::block_read, handle, offset, to);
}

bool guest::write_sector(std::uint32_t handle, std::uint64_t offset, const void* from) {
  return move_sector(Hypercall::block_write, handle, offset, from);
}

namespace {
alignas(16) std::uint8_t buffer[1 << 20];
alignas(512) std::uint8_t record[abi::kTrapRecordBytes];

constexpr std::uint32_t kNet = 1;
constexpr std::uint32_t kDisk = 2;
constexpr std::uint64_t kMost = ~std::uint64_t{0};
constexpr std::uint64_t kTopBit = std::uint64_t{1} << 63;

int wrong = 0;

void want(bool good, std::string_view what, std::uint64_t number) {
  if (good) return;
  ++wrong;
  guest::say(what);
  guest::say(" ");
  guest::say_number(number);
  guest::say(": not refused\n");
}

std::int32_t block(Hypercall call, std::uint64_t handle, std::uint64_t offset,
                   std::uint64_t size) {
  abi::BlockCall made{handle, offset, address_of(buffer), size, 77, 0};
  hypercall(call, made);
  return made.result;
}

std::int32_t net(Hypercall call, std::uint64_t handle, std::uint64_t size) {
  abi::NetCall made{handle, address_of(buffer), size, 77, 0};
  hypercall(call, made);
  return made.result;
}

/// Handles, offsets and sizes that no device has: each is refused, and none ends the guest.
void misuse_devices(std::uint64_t capacity) {
  const std::uint64_t handles[] = {0, 3, 63, 64, 65, 1ULL << 32 | kDisk, kTopBit | kNet, kMost};
  const std::uint64_t offsets[] = {capacity - 511, capacity,     capacity + 1, kTopBit,
                                   kTopBit - 512,  kMost - 511, kMost - 512,  kMost};
  for (const Hypercall call : {Hypercall::block_read, Hypercall::block_write}) {
    for (const std::uint64_t handle : handles) {
      want(block(call, handle, 0, 512) == abi::kSolo5Invalid, "block handle", handle);
    }
    want(block(call, kNet, 0, 512) == abi::kSolo5Invalid, "block handle", kNet);
    for (const std::uint64_t offset : offsets) {
      want(block(call, kDisk, offset, 512) == abi::kSolo5Invalid, "block offset", offset);
    }
    want(block(call, kDisk, 512, capacity) == abi::kSolo5Invalid, "block size", capacity);
    want(block(call, kDisk, 0, sizeof buffer) == abi::kSolo5Invalid, "block size", sizeof buffer);
  }
  for (const Hypercall call : {Hypercall::net_read, Hypercall::net_write}) {
    for (const std::uint64_t handle : handles) {
      want(net(call, handle, 64) == abi::kSolo5Invalid, "net handle", handle);
    }
    want(net(call, kDisk, 64) == abi::kSolo5Invalid, "net handle", kDisk);
  }
  for (const std::uint64_t size : {0, 1, 13}) {
    want(net(Hypercall::net_write, kNet, size) != abi::kSolo5Ok, "frame of", size);
  }
  for (const std::uint64_t size : {1519, 70'000, 200'000}) net(Hypercall::net_write, kNet, size);
  net(Hypercall::net_read, kNet, 0);
  net(Hypercall::net_read, kNet, sizeof buffer);
  want(block(Hypercall::block_read, kDisk, capacity - 512, 512) == abi::kSolo5Ok, "last sector", 0);
}

/// As an abort of a guest made with Solo5's library, which knows nothing of our records' rest.
[[noreturn]] void abort_with_record() {
  const abi::HvtTrapX86 trap{0xdead000, 6, 0x100abc, 8, 2, 0x200000, 16};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&trap);
  for (std::size_t i = 0; i < sizeof trap; ++i) record[i] = bytes[i];
  abi::HaltCall call{address_of(record), abi::kAbortStatus, 0};
  for (;;) hypercall(Hypercall::halt, call);
}

/// One byte to a port, or to device memory, where no hypercall is.
void use_port(std::uint64_t number) {
#if defined(__x86_64__)
  asm volatile("outb %0, %1" : : "a"(std::uint8_t{1}),
               "d"(static_cast<std::uint16_t>(number)));
#else
  *reinterpret_cast<volatile std::uint8_t*>(abi::kHypercallMmio + 8 * number) = 1;
#endif
}
}  // namespace

/// call NUMBER PLACE: a hypercall with its struct at that place.
/// data NUMBER PLACE SIZE: one whose struct is good and names these bytes.
/// misuse CAPACITY: the devices, that of the disk being known; record; port NUMBER.
bool guest::act_by_target(std::string_view word, std::string_view rest, const Boot& boot) {
  if (word == "misuse") {
    misuse_devices(number(rest));
    if (wrong == 0) say("all refused\n");
    return true;
  }
  if (word == "record") abort_with_record();
  if (word == "port") {
    use_port(number(rest));
    return true;
  }
  const auto call = static_cast<std::uint32_t>(number(cut(rest)));
  const std::uint64_t where = place(cut(rest), boot);
  if (word == "call") {
    hvt_call(call, reinterpret_cast<void*>(where));
  } else if (word == "data") {
    const std::uint64_t size = place(cut(rest), boot);
    if (call == 2) {
      abi::PutsCall puts{where, size};
      hvt_call(call, &puts);
    } else if (call == 4 || call == 5) {
      abi::BlockCall block{2, 0, where, size, 0, 0};
      hvt_call(call, &block);
    } else if (call == 8) {
      abi::HaltCall halt{where, 255, 0};
      hvt_call(call, &halt);
    } else {
      abi::NetCall net{1, where, size, 0, 0};
      hvt_call(call, &net);
    }
  } else {
    return false;
  }
  say("the call was made\n");
  return true;
}

extern "C" [[noreturn]] void solo5_entry(const abi::HvtBootInfo* info) {
  guest::act({info->memory_bytes, reinterpret_cast<const char*>(info->command_line),
              reinterpret_cast<const abi::Manifest*>(info->manifest)});
}
