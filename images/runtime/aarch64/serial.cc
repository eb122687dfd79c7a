#include "images/runtime/aarch64/serial.h"

#include "images/runtime/device_memory.h"

namespace images::runtime::arm64 {
namespace {

// ARM DDI 0183. The machine has set it up.
constexpr std::uintptr_t kData = 0x0900'0000;
constexpr std::uintptr_t kFlags = kData + 0x18;
constexpr std::uint32_t kTransmitterFull = 1 << 5;
constexpr int kMaxPolls = 20'000;

bool stalled = false;

bool ready() {
  const int polls = stalled ? 1 : kMaxPolls;
  for (int i = 0; i < polls; ++i) {
    if ((read_device(kFlags) & kTransmitterFull) == 0) return true;
  }
  return false;
}

}  // namespace

void serial_write(std::string_view text) {
  for (const char c : text) {
    stalled = !ready();
    if (!stalled) write_device(kData, static_cast<std::uint8_t>(c));
  }
}

}  // namespace images::runtime::arm64
