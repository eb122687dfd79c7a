// Counts its boots in the first block of its volume `counter`, and says how many there were. With
// the argument `fail` it counts, writes and ends with status 3: a release that is never healthy.
// With `deep` it says how deep its stack is, until that is over.
#include <array>
#include <cstdint>
#include <cstring>

#include "images/runtime/appliance.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"

namespace {

using images::runtime::print;
namespace platform = images::runtime::platform;

constexpr std::size_t kLargestBlock = 32768;  // of the Solo5 ABI
constexpr int kFailed = 3;
constexpr std::uint32_t kWriteEveryMs = 200;

alignas(8) std::array<std::uint8_t, kLargestBlock> bytes;
platform::Volume volume;

std::span<std::uint8_t> block() { return std::span(bytes).first(volume.block_bytes); }

/// Goes on writing, to the last block, so that there is always something to sync.
void write_again(void*) {
  ++bytes[0];
  if (!platform::volume_write(volume, volume.capacity_bytes - volume.block_bytes, block())) {
    print("boots: the last block cannot be written");
  }
  images::runtime::call_after(kWriteEveryMs, write_again, nullptr);
}

constexpr std::uint32_t kNoStackIsThatDeep = 1 << 20;  // KiB

/// Each turn takes some more than a KiB.
[[gnu::noinline]] std::uint32_t go_deeper(std::uint32_t kib) {
  if (kib == kNoStackIsThatDeep) return 0;
  volatile std::uint8_t room[1024];
  room[kib % sizeof room] = 1;
  if (kib % 8 == 0) print("boots: ", kib, " KiB deep");
  return go_deeper(kib + 1) + room[0];
}

}  // namespace

int images::runtime::appliance_main(const Config& config, Arena&) {
  volume = platform::find_volume("counter");
  if (volume.handle == 0 || volume.block_bytes > bytes.size()) {
    print("boots: no volume counter");
    return 1;
  }
  if (!platform::volume_read(volume, 0, block())) {
    print("boots: the volume cannot be read");
    return 1;
  }
  std::uint64_t count = 0;
  std::memcpy(&count, bytes.data(), sizeof count);
  ++count;
  std::memcpy(bytes.data(), &count, sizeof count);
  if (!platform::volume_write(volume, 0, block())) {
    print("boots: the volume cannot be written");
    return 1;
  }
  print("boots: ", count, " on ", volume.capacity_bytes, " bytes");
  for (const std::string_view argument : config.args()) {
    if (argument == "fail") return kFailed;
    if (argument == "deep") return static_cast<int>(go_deeper(1));
  }
  print("boots: ready");
  write_again(nullptr);
  run();
}
