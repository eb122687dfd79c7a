// The guest's reader of its config volume: any bytes, read or refused, never beyond their end.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "images/runtime/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::runtime;
  const auto config = std::make_unique<Config>();
  if (config->parse({data, size}).failed()) return 0;
  // All views must lie in the volume: touch every byte of them.
  std::size_t sum = config->hostname().size();
  const auto touch = [&sum](std::string_view text) {
    for (const char c : text) sum += static_cast<std::uint8_t>(c);
  };
  for (const std::string_view argument : config->args()) touch(argument);
  for (const std::string_view entry : config->env()) touch(entry);
  std::array<char, images::abi::kMaxGuestPathBytes + 1> buffer;
  for (const ConfigFile& file : config->files()) {
    touch(file.path(buffer));
    touch(file.text);
  }
  touch(config->variable("TZ"));
  return sum == SIZE_MAX ? 1 : 0;
}
