// /dns.conf of any content, also as an argument: options within their limits, or a fault.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "images/dns/options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::dns;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Options options;
  if (!read_options_file(text, options).failed()) {
    if (options.upstream_count > kMaxUpstreams || options.port == 0) std::abort();
    static_cast<void>(options.forwards_for(Address{}));
  }
  Options of_argument;
  static_cast<void>(read_arguments({&text, 1}, of_argument));
  return 0;
}
