// Numbers and addresses as text: what configs, zones and rules hold. No allocation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace images::runtime {

/// A decimal number 0..max, all of the text. False: it is not one.
[[nodiscard]] bool parse_number(std::string_view text, std::uint64_t max, std::uint64_t& out);

/// A.B.C.D. False: it is not one.
[[nodiscard]] bool parse_ipv4(std::string_view text, std::array<std::uint8_t, 4>& out);

/// RFC 4291 section 2.2: up to eight groups, one "::", the last two groups also as A.B.C.D.
/// False: it is not one.
[[nodiscard]] bool parse_ipv6(std::string_view text, std::array<std::uint8_t, 16>& out);

/// XX:XX:XX:XX:XX:XX. False: it is not that.
[[nodiscard]] bool parse_mac(std::string_view text, std::array<std::uint8_t, 6>& out);

/// Two hex digits per byte, all of the text. False: it is not that, or not out.size() bytes.
[[nodiscard]] bool parse_hex(std::string_view text, std::span<std::uint8_t> out);

/// Cuts `text` at the first `separator`; the rest stays in `text`. False: there is none.
[[nodiscard]] bool cut(std::string_view& text, char separator, std::string_view& head);

}  // namespace images::runtime
