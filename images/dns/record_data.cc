#include "images/dns/record_data.h"

#include <algorithm>

#include "images/dns/address.h"
#include "images/dns/zone.h"
#include "images/runtime/address.h"

namespace images::dns {
namespace {

using runtime::parse_ipv4;
using runtime::parse_ipv6;
using runtime::parse_number;

constexpr std::uint64_t kMaxTtl = 0x7fffffff;

bool same_word(std::string_view a, std::string_view b) {
  const auto upper = [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return upper(x) == upper(y); });
}

DataFault add_name(const Word& word, NameView origin, DataBuffer& out) {
  Name name;
  if (!parse_name(word.text, origin, name)) return {"not a domain name", word.text};
  return out.add(name.view()) ? DataFault{} : DataFault{"too long", word.text};
}

DataFault add_number16(const Word& word, DataBuffer& out) {
  std::uint64_t value = 0;
  if (!parse_number(word.text, 0xffff, value)) return {"not a number of 0..65535", word.text};
  return out.add_u16(value) ? DataFault{} : DataFault{"too long", word.text};
}

DataFault add_address(std::uint16_t type, const Word& word, DataBuffer& out) {
  if (type == kA) {
    std::array<std::uint8_t, 4> address{};
    if (!parse_ipv4(word.text, address) || !out.add(address)) {
      return {"not an IPv4 address", word.text};
    }
    return {};
  }
  std::array<std::uint8_t, 16> address{};
  if (!parse_ipv6(word.text, address) || !out.add(address)) {
    return {"not an IPv6 address", word.text};
  }
  return {};
}

DataFault parse_soa(std::span<const Word> words, NameView origin, DataBuffer& out) {
  for (std::size_t i = 0; i < 2; ++i) {
    const DataFault fault = add_name(words[i], origin, out);
    if (fault.failed()) return fault;
  }
  std::uint64_t serial = 0;
  if (!parse_number(words[2].text, 0xffffffff, serial)) {
    return {"not a serial number of 0..4294967295", words[2].text};
  }
  if (!out.add_u32(serial)) return {"too long", words[2].text};
  for (std::size_t i = 3; i < 7; ++i) {
    std::uint32_t seconds = 0;
    if (!parse_ttl(words[i].text, seconds)) return {"not a time", words[i].text};
    if (!out.add_u32(seconds)) return {"too long", words[i].text};
  }
  return {};
}

DataFault parse_text(std::span<const Word> words, DataBuffer& out) {
  for (const Word& word : words) {
    std::array<std::uint8_t, 255> bytes{};
    std::size_t size = 0;
    if (!unescape(word.text, bytes, size)) {
      return {"a bad escape, or a string over 255 bytes", word.text};
    }
    const auto length = static_cast<std::uint8_t>(size);
    if (!out.add({&length, 1}) || !out.add({bytes.data(), size})) {
      return {"the strings are too long together", word.text};
    }
  }
  return {};
}

/// MX has one number before its name, SRV three.
DataFault parse_numbers_and_name(std::size_t numbers, std::span<const Word> words, NameView origin,
                                 DataBuffer& out) {
  for (std::size_t i = 0; i < numbers; ++i) {
    const DataFault fault = add_number16(words[i], out);
    if (fault.failed()) return fault;
  }
  return add_name(words[numbers], origin, out);
}

/// RFC 8659 section 4.1: flags, a tag of letters and digits, and a text of any length.
DataFault parse_caa(std::span<const Word> words, DataBuffer& out) {
  std::uint64_t flags = 0;
  if (!parse_number(words[0].text, 255, flags)) return {"not a number of 0..255", words[0].text};
  const std::string_view tag = words[1].text;
  const bool plain = std::all_of(tag.begin(), tag.end(), [](char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  });
  if (tag.empty() || tag.size() > 255 || !plain) return {"not a tag of CAA", tag};
  const std::array head{static_cast<std::uint8_t>(flags), static_cast<std::uint8_t>(tag.size())};
  if (!out.add(head) || !out.add({reinterpret_cast<const std::uint8_t*>(tag.data()), tag.size()})) {
    return {"the text is too long", {}};
  }
  std::size_t size = 0;
  if (!unescape(words[2].text, std::span(out.bytes).subspan(out.size), size)) {
    return {"a bad escape, or a text that is too long", words[2].text};
  }
  out.size += size;
  return {};
}

/// Data that is told in hexadecimal must be what the type's own reader would have made: answers are
/// put together from it.
bool is_shaped(std::uint16_t type, std::span<const std::uint8_t> data) {
  if (type == kA) return data.size() == 4;
  if (type == kAaaa) return data.size() == 16;
  if (type == kCaa) return data.size() >= 3 && data[1] > 0 && data.size() >= 2U + data[1];
  if (type != kTxt) return true;
  while (!data.empty() && data.size() > data[0]) data = data.subspan(std::size_t{1} + data[0]);
  return data.empty();
}

/// RFC 3597 section 5: `\# LENGTH HEX...`.
DataFault parse_generic(std::uint16_t type, std::span<const Word> words, DataBuffer& out) {
  std::uint64_t length = 0;
  if (words.size() < 2 || !parse_number(words[1].text, out.bytes.size(), length)) {
    return {"behind \\# stand the data's length in bytes and its bytes in hexadecimal", {}};
  }
  for (const Word& word : words.subspan(2)) {
    const std::size_t size = word.text.size() / 2;
    if (size > out.bytes.size() - out.size) return {"too long", word.text};
    if (!runtime::parse_hex(word.text, std::span(out.bytes).subspan(out.size, size))) {
      return {"not bytes in hexadecimal", word.text};
    }
    out.size += size;
  }
  if (out.size != length) return {"the data is not as long as it is said to be", words[1].text};
  if (is_shaped(type, {out.bytes.data(), out.size}) && (length > 0 || type != kTxt)) return {};
  return {"not the data of this type", {}};
}

struct TypeRow {
  std::string_view name;
  std::uint16_t number;
  std::size_t words;  // that the data needs; 0 = one or more
};
constexpr std::array<TypeRow, 10> kTypes{{{"A", kA, 1},
                                         {"NS", kNs, 1},
                                         {"CNAME", kCname, 1},
                                         {"SOA", kSoa, 7},
                                         {"PTR", kPtr, 1},
                                         {"MX", kMx, 2},
                                         {"TXT", kTxt, 0},
                                         {"AAAA", kAaaa, 1},
                                         {"SRV", kSrv, 4},
                                         {"CAA", kCaa, 3}}};

bool has_names(std::uint16_t type) {
  switch (type) {
    case kNs:
    case kCname:
    case kSoa:
    case kPtr:
    case kMx:
    case kSrv: return true;
    default: return false;
  }
}

}  // namespace

bool DataBuffer::add(std::span<const std::uint8_t> more) {
  if (more.size() > bytes.size() - size) return false;
  std::copy(more.begin(), more.end(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  size += more.size();
  return true;
}

bool DataBuffer::add_u16(std::uint64_t value) {
  return add(std::array{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

bool DataBuffer::add_u32(std::uint64_t value) {
  return add_u16(value >> 16) && add_u16(value & 0xffff);
}

std::uint16_t type_number(std::string_view text) {
  for (const TypeRow& row : kTypes) {
    if (same_word(row.name, text)) return row.number;
  }
  constexpr std::string_view kAnyType = "TYPE";
  std::uint64_t number = 0;
  if (text.size() > kAnyType.size() && same_word({text.data(), kAnyType.size()}, kAnyType)) {
    text.remove_prefix(kAnyType.size());
    if (parse_number(text, 0xffff, number)) return static_cast<std::uint16_t>(number);
  }
  return 0;
}

bool is_served_type(std::uint16_t type) {
  const bool only_asked_for = (type >= 128 && type <= 255) || type == kOpt || type == 0;
  const bool signs = type == kRrsig || type == kNsec || type == kDnskey || type == kNsec3;
  return !only_asked_for && !signs && type != kDname;
}

bool parse_name(std::string_view text, NameView origin, Name& out) {
  out.clear();
  if (text == "@") return out.add_name(origin);
  if (text == ".") return true;
  while (!text.empty()) {
    std::size_t end = 0;
    while (end < text.size() && text[end] != '.') end += text[end] == '\\' ? 2 : 1;
    end = std::min(end, text.size());
    std::array<std::uint8_t, kMaxLabelBytes> label{};
    std::size_t size = 0;
    if (!unescape({text.data(), end}, label, size)) return false;
    if (!out.add_label({label.data(), size})) return false;
    if (end == text.size()) return out.add_name(origin);
    text.remove_prefix(end + 1);
    if (text.empty()) return true;
  }
  return false;
}

bool parse_ttl(std::string_view text, std::uint32_t& out) {
  std::uint64_t total = 0;
  if (text.empty()) return false;
  while (!text.empty()) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    std::uint64_t value = 0;
    if (!parse_number({text.data(), digits}, kMaxTtl, value)) return false;
    text.remove_prefix(digits);
    std::uint64_t unit = 1;
    if (!text.empty()) {
      constexpr std::string_view kUnits = "smhdw";
      constexpr std::array<std::uint64_t, 5> kSeconds{1, 60, 3600, 86400, 604800};
      const char lower = static_cast<char>(text.front() | 0x20);
      const std::size_t index = kUnits.find(lower);
      if (index == std::string_view::npos) return false;
      unit = kSeconds[index];
      text.remove_prefix(1);
    }
    total += value * unit;
    if (total > kMaxTtl) return false;
  }
  out = static_cast<std::uint32_t>(total);
  return true;
}

DataFault parse_data(std::uint16_t type, std::span<const Word> words, NameView origin,
                     DataBuffer& out) {
  out.size = 0;
  const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& r) { return r.number == type; });
  if (!is_served_type(type)) return {"a type that needs more than a server of plain records", {}};
  if (!words.empty() && !words[0].quoted && words[0].text == "\\#") {
    if (!has_names(type)) return parse_generic(type, words, out);
    return {"data with names in it is told in the type's own words", row->name};
  }
  if (row == kTypes.end()) return {"the data of this type is told as \\# LENGTH HEX", {}};
  const bool enough = row->words == 0 ? !words.empty() : words.size() == row->words;
  if (!enough) return {"the wrong number of values for this type", row->name};
  switch (type) {
    case kA:
    case kAaaa: return add_address(type, words[0], out);
    case kSoa: return parse_soa(words, origin, out);
    case kTxt: return parse_text(words, out);
    case kCaa: return parse_caa(words, out);
    case kMx: return parse_numbers_and_name(1, words, origin, out);
    case kSrv: return parse_numbers_and_name(3, words, origin, out);
    default: return add_name(words[0], origin, out);
  }
}

}  // namespace images::dns
