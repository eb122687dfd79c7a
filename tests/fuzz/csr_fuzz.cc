// Certificate requests and certificates of strangers.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/identity.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto request = proto::check_csr(bytes);
  FLEET_ASSERT(!request || request->public_key_sha256.size() == 64);
  const auto certificate = proto::read_certificate(bytes);
  FLEET_ASSERT(!certificate || certificate->sha256.size() == 64);
  return 0;
}
