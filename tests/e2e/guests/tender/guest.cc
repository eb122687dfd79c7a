#include "tests/e2e/guests/tender/guest.h"

#include "images/runtime/console.h"
#include "images/runtime/solo5/notes.h"

extern "C" {
extern std::uint8_t image_end[];
std::uintptr_t __stack_chk_guard = 0x5bd1e995a7c3f100;
void __stack_chk_fail() { guest::leave(254); }
const std::uint32_t constant = 42;
}

void images::runtime::panic(std::string_view) { guest::leave(254); }

namespace guest {
namespace {

namespace abi = images::abi;

constexpr int kNoSuchWord = 253;

alignas(16) std::uint8_t code_in_data[16] = {0xc3, 0xc3, 0xc3, 0xc3};  // x86: return
alignas(512) std::uint8_t sector[512];

void write_to(std::uint64_t address) {
  *reinterpret_cast<volatile std::uint32_t*>(address) = 1;
}

void read_from(std::uint64_t address) {
  [[maybe_unused]] const std::uint32_t seen = *reinterpret_cast<volatile std::uint32_t*>(address);
}

std::uint64_t address_of(const volatile void* place) {
  return reinterpret_cast<std::uint64_t>(place);
}

void run_at(const std::uint8_t* place) {
  reinterpret_cast<void (*)()>(address_of(place))();
}

/// False: no such place.
bool touch(std::string_view where, std::uint64_t memory_bytes) {
  struct Place {
    std::string_view name;
    std::uint64_t address;
  };
  const Place places[] = {{"null", 0},
                          {"low", 0xf000},
                          {"boot", abi::kSptBootInfo},
                          {"text", reinterpret_cast<std::uint64_t>(&act)},
                          {"constant", address_of(&constant)},
                          {"beyond", memory_bytes}};
  for (const Place& place : places) {
    if (place.name != where) continue;
    write_to(place.address);
    return true;
  }
  if (where == "far") read_from(0x7000'0000'0000);
  if (where == "data") run_at(code_in_data);
  if (where == "heap") run_at(image_end + 4096);
  if (where == "stack") {
    const std::uint8_t code[16] = {0xc3, 0xc3};
    run_at(code);
  }
  return where == "far" || where == "data" || where == "heap" || where == "stack";
}

/// Writes to every page between the image and the stack.
void fill(std::uint64_t memory_bytes) {
  constexpr std::uint64_t kPage = 4096;
  constexpr std::uint64_t kStack = 16 * kPage;
  for (std::uint64_t at = (address_of(image_end) | (kPage - 1)) + 1; at < memory_bytes - kStack;
       at += kPage) {
    write_to(at);
  }
}

/// Every device: its name, and for a disk its first sector there and back.
void show_devices(const Boot& boot) {
  for (std::uint32_t i = 1; i < boot.manifest->entry_count; ++i) {
    const abi::ManifestEntry& entry = boot.manifest->entries[i];
    say(entry.name);
    say(entry.attached == 1 ? " attached" : " missing");
    if (entry.type == abi::kDeviceBlock) {
      const bool read = read_sector(i, 0, sector);
      sector[0] ^= 1;
      const bool wrote = write_sector(i, entry.block.capacity_bytes - 512, sector);
      say(read && wrote ? ", read and written" : ", not usable");
    }
    say("\n");
  }
}

}  // namespace

void say_number(std::uint64_t value) {
  char digits[20];
  std::size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  say({digits + at, sizeof digits - at});
}

std::string_view cut(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && text[size] != ' ') ++size;
  const std::string_view word(text.data(), size);
  text.remove_prefix(size < text.size() ? size + 1 : size);
  return word;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

void act(const Boot& boot) {
  std::string_view rest = boot.command_line;
  const std::string_view word = cut(rest);
  if (word == "hello") {
    say("SUCCESS\n");
  } else if (word == "say") {
    say(rest);
  } else if (word == "devices") {
    show_devices(boot);
  } else if (word == "exit") {
    leave(static_cast<int>(number(rest)));
  } else if (word == "sleep") {
    sleep_for_ever();
  } else if (word == "fill") {
    fill(boot.memory_bytes);
    say("filled\n");
    sleep_for_ever();
  } else if (word == "ready") {
    say("ready\n");
    sleep_for_ever();
  } else if (word == "spin") {
    for (volatile std::uint32_t i = 0;;) i = i + 1;
  } else if (word == "babble") {
    for (;;) say("all work and no play makes Jack a dull boy\n");
  } else if (word == "touch" ? !touch(rest, boot.memory_bytes) : !act_by_target(word, rest, boot)) {
    leave(kNoSuchWord);
  }
  leave(0);
}

}  // namespace guest
