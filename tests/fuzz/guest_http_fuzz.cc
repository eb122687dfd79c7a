// Requests to a guest's pages: read once whole, refused, or more is wanted; never a path that is
// not in the bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "images/runtime/net/http_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::runtime::net;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const HttpRequest request = read_http_request(bytes);
  if (request.status == 0 && size >= kMaxRequestBytes) std::abort();
  if (request.status != 200) return 0;
  if (!request.path.starts_with('/') || request.path.data() < bytes.data()) std::abort();
  if (request.path.data() + request.path.size() > bytes.data() + bytes.size()) std::abort();
  return 0;
}
