// UTF-8 as RFC 3629 has it.
#pragma once

#include <cstddef>
#include <string_view>

namespace proto {

/// The length of the sequence at the front of `text`, which is not empty: 1..4 bytes, 0 if it is
/// none (overlong, a surrogate, above U+10FFFF, cut).
std::size_t utf8_length(std::string_view text);

}  // namespace proto
