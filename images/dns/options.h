// What the appliance is told: by arguments (--port=53) and by lines of the file /dns.conf (port
// 53), the same words in both. Must never take half of it: the first fault ends the start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/dns/address.h"
#include "images/runtime/config.h"

namespace images::dns {

inline constexpr std::size_t kMaxUpstreams = 8;
inline constexpr std::size_t kMaxForwardFor = 16;
inline constexpr std::string_view kOptionsPath = "/dns.conf";

struct Options {
  std::uint16_t port = 53;
  std::uint16_t metrics_port = 0;        // 0 = no page
  std::string_view nsid;                 // who this server is (RFC 5001); empty = not told
  std::uint32_t answers_per_second = 0;  // per network of the asker; 0 = no limit
  std::array<Endpoint, kMaxUpstreams> upstreams{};
  std::size_t upstream_count = 0;        // 0 = nothing is forwarded
  std::array<Prefix, kMaxForwardFor> forward_for{};
  std::size_t forward_for_count = 0;     // 0 = private networks

  bool forwards() const { return upstream_count > 0; }
  /// Whether questions of this address may be forwarded.
  bool forwards_for(const Address& asker) const;
};

/// Why an option was refused; `what == nullptr` means nothing.
struct OptionFault {
  const char* what = nullptr;
  std::string_view word;   // the argument or the line's text
  std::uint32_t line = 0;  // of /dns.conf; 0 = an argument
  bool failed() const { return what != nullptr; }
};

/// Read `--NAME=VALUE` arguments.
[[nodiscard]] OptionFault read_arguments(std::span<const std::string_view> arguments, Options& out);

/// Read the text of /dns.conf: a NAME and a VALUE on each line, comments behind '#'.
[[nodiscard]] OptionFault read_options_file(std::string_view text, Options& out);

}  // namespace images::dns
