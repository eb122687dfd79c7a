#include "images/sensor/serial.h"

#include "images/abi/serial_line.h"
#include "images/runtime/appliance.h"

namespace images::sensor {
namespace {

using Take = void (*)(std::span<const std::uint8_t>);
Take handler = nullptr;

void take_frame(void*, std::size_t, std::span<std::uint8_t> frame, std::uint64_t) {
  const auto bytes = abi::serial_bytes(frame);
  if (!bytes.empty()) handler(bytes);
}

}  // namespace

bool open_serial(const runtime::Config& config, Take take) {
  handler = take;
  return runtime::take_frames(config.find_interface(kSerialDevice), take_frame, nullptr);
}

}  // namespace images::sensor
