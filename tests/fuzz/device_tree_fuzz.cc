// A guest's reader of the machine's device tree: any bytes, read or refused, never beyond their
// end.
#include <cstddef>
#include <cstdint>

#include "images/runtime/virtio/device_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::runtime::virtio;
  DeviceTree tree;
  const std::string_view wrong = read_device_tree({data, size}, tree);
  if (!wrong.empty()) return 0;
  if (tree.device_count > tree.devices.size()) __builtin_trap();
  for (std::size_t i = 0; i < tree.device_count; ++i) {
    if (tree.devices[i].line < 32 || tree.devices[i].line > 1019) __builtin_trap();
  }
  return 0;
}
