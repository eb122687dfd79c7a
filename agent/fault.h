// Fault: the cause of a revert as it goes into a report: readable console lines, and a fingerprint
// by which the same fault on many devices shows as one. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/v1/link.pb.h"

namespace agent {

/// How many console lines a report carries, and how long one may be.
inline constexpr std::size_t kTailLines = 12;
inline constexpr std::size_t kTailLineBytes = 200;

/// One line of foreign text: control bytes and bytes beyond ASCII as \xNN, a tab as a blank, cut to
/// `max_bytes` (at least 4).
std::string visible(std::string_view line, std::size_t max_bytes);

/// The last lines of raw console bytes, visible, empty ones left out, cut to kTailLineBytes.
std::vector<std::string> console_tail(std::string_view bytes, std::size_t lines = kTailLines);

/// 8 hex digits of SHA-256 over code, exit, the place of a crash ("" if there was none or it is not
/// known) and the tail with numbers, addresses and ids normalised.
std::string fingerprint(const fleet::v1::Reason& why, std::string_view pc);

}  // namespace agent
