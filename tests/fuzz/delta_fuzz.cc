// Applying a delta with base and delta both hostile; and what make_delta tells is told back whole.
// The input: length of the base (2 bytes, little-endian), length of the output (2), base, delta.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "ota/delta.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto number = [data](std::size_t at) {
    return static_cast<std::size_t>(data[at]) | static_cast<std::size_t>(data[at + 1]) << 8;
  };
  const auto rest = std::as_bytes(std::span(data, size)).subspan(4);
  if (number(0) > rest.size()) return 0;
  const auto base = rest.first(number(0));
  const auto delta = rest.subspan(number(0));
  std::vector<std::byte> output(number(2));
  const bool applied = ota::apply_delta(base, delta, output).has_value();
  if (applied) {
    // Whatever it made, it makes it of these bytes alone.
    std::vector<std::byte> again(output.size(), std::byte{0xff});
    if (!ota::apply_delta(base, delta, again) || again != output) std::abort();
  }
  // The delta's bytes as an image.
  const auto made = ota::make_delta(base, delta, 2 * delta.size() + 100);
  if (!made) return 0;
  std::vector<std::byte> image(delta.size());
  if (!ota::apply_delta(base, *made, image)) std::abort();
  if (!std::equal(image.begin(), image.end(), delta.begin(), delta.end())) std::abort();
  return 0;
}
