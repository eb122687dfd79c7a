#include "images/runtime/x86_64/serial.h"

#include "images/runtime/x86_64/cpu.h"

namespace images::runtime::x86 {
namespace {

constexpr std::uint16_t kData = 0x3f8;
constexpr std::uint16_t kInterruptEnable = kData + 1;
constexpr std::uint16_t kFifoControl = kData + 2;
constexpr std::uint16_t kLineControl = kData + 3;
constexpr std::uint16_t kLineStatus = kData + 5;
constexpr std::uint8_t kTransmitterEmpty = 0x20;
constexpr int kMaxPolls = 20'000;

bool stalled = false;

bool ready() {
  const int polls = stalled ? 1 : kMaxPolls;
  for (int i = 0; i < polls; ++i) {
    if ((in8(kLineStatus) & kTransmitterEmpty) != 0) return true;
  }
  return false;
}

}  // namespace

void serial_start() {
  out8(kInterruptEnable, 0);
  out8(kLineControl, 0x80);  // divisor 1: 115200 baud
  out8(kData, 1);
  out8(kInterruptEnable, 0);
  out8(kLineControl, 0x03);  // 8 bits, no parity, 1 stop bit
  out8(kFifoControl, 0xc7);
}

void serial_write(std::string_view text) {
  for (const char c : text) {
    stalled = !ready();
    if (!stalled) out8(kData, static_cast<std::uint8_t>(c));
  }
}

}  // namespace images::runtime::x86
