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

/// call NUMBER PLACE: a hypercall with its struct at that place.
/// data NUMBER PLACE SIZE: one whose struct is good and names these bytes.
bool guest::act_by_target(std::string_view word, std::string_view rest, const Boot& boot) {
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
