#include "agent/fault.h"

#include <algorithm>
#include <array>

#include "ota/hash.h"

namespace agent {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_word(char c) { return is_hex(c) || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z'); }

// What differs from device to device and from run to run becomes '#': every word with a digit in
// it that reads as a number (also hex), with the separators of addresses and times between.
std::string normalised(std::string_view line) {
  std::string out;
  std::size_t at = 0;
  while (at < line.size()) {
    if (!is_word(line[at])) {
      const bool inside = !out.empty() && out.back() == '#' && at + 1 < line.size() &&
                          (line[at] == '.' || line[at] == ':' || line[at] == '-') &&
                          is_hex(line[at + 1]);
      if (!inside) out += line[at];
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < line.size() && is_word(line[end])) ++end;
    const std::string_view word = line.substr(at, end - at);
    std::string_view digits = word.starts_with("0x") ? word.substr(2) : word;
    // Units stay out of it: "3ms" and "12ms" are the same fault.
    const bool number = is_digit(digits.empty() ? 'x' : digits.front()) ||
                        (std::all_of(digits.begin(), digits.end(), is_hex) &&
                         std::any_of(digits.begin(), digits.end(), is_digit));
    if (!number) {
      out += word;
    } else if (out.empty() || out.back() != '#') {
      out += '#';
    }
    at = end;
  }
  return out;
}

}  // namespace

std::string visible(std::string_view line, std::size_t max_bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 0x20 && byte < 0x7F) || c == '\t';
    if (out.size() + (plain ? 1 : 4) > max_bytes) break;
    if (plain) {
      out += c == '\t' ? ' ' : c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 0x0Fu];
    }
  }
  return out;
}

std::vector<std::string> console_tail(std::string_view bytes, std::size_t lines) {
  std::vector<std::string> out;
  std::size_t end = bytes.size();
  while (end > 0 && out.size() < lines) {
    const std::size_t newline = bytes.rfind('\n', end - 1);
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    std::string_view line = bytes.substr(begin, end - begin);
    while (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) out.push_back(visible(line, kTailLineBytes));
    if (newline == std::string_view::npos) break;
    end = newline;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string fingerprint(const fleet::v1::Reason& why, std::string_view pc) {
  std::string text = std::to_string(static_cast<int>(why.code())) + "\n" + why.exit() + "\n" +
                     std::string(pc) + "\n";
  for (const std::string& line : why.console_tail()) text += normalised(line) + "\n";
  return ota::sha256(text).hex().substr(0, 8);
}

}  // namespace agent
