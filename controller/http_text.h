// The text of HTTP that needs no network: targets, ranges, error answers. Bounded, pure, fuzzed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/http.h"

namespace controller {

/// Fills path and query of "/v1/devices?selector=a%3Db". A path with an empty, "." or ".." segment,
/// a control character or a bad escape is refused. errors bad_argument
proto::Status split_target(std::string_view target, Request& request);

/// The value of one cookie in "a=1; b=2", "" if it is not there. A second one of the name is not
/// looked at.
std::string cookie_named(std::string_view name, std::string_view header);

/// Which bytes of a file are wanted.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool partial = false;

  /// "bytes 0-99/1234"
  std::string content_range(std::uint64_t size_bytes) const;
};

/// "" = all; "bytes=N-" and "bytes=N-M" as in RFC 9110 section 14; other forms are ignored as the
/// RFC allows. errors bad_argument (begins at or behind the end: HTTP 416)
proto::Result<ByteRange> parse_range(std::string_view header, std::uint64_t size_bytes);

}  // namespace controller
