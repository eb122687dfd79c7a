#include "proto/variables.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <regex>

#include "proto/document.h"
#include "proto/limits.h"
#include "proto/manifest_internal.h"
#include "proto/utf8.h"

namespace proto {

using fleet::v1::Var;

namespace {

using namespace manifest_detail;

constexpr std::size_t kMaxUseLength = 60;
constexpr std::size_t kMaxPatternBytes = 128;
constexpr int kMaxRepetition = 255;  // POSIX' RE_DUP_MAX

Error bad_value(const std::string& name, const std::string& why) {
  return Error{Code::bad_argument, name + ": " + why, name};
}

bool is_use_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Thompson's way: linear in the value, so that no pair of pattern and value holds up a controller.
constexpr auto kPatternKind = std::regex::extended | std::regex_constants::__polynomial;

// The library makes a copy for each repetition and walks them recursively: few enough of them, all
// together, fit every stack and every second.
bool repeats_within_bounds(const std::string& pattern) {
  int all = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
      continue;
    }
    if (pattern[i] != '{') continue;
    if (i == 0 || std::string_view(")*+?}").find(pattern[i - 1]) != std::string_view::npos) {
      return false;
    }
    int number = 0;
    for (++i; i < pattern.size() && pattern[i] != '}'; ++i) {
      const bool digit = pattern[i] >= '0' && pattern[i] <= '9';
      number = digit ? number * 10 + (pattern[i] - '0') : 0;
      if (number > kMaxRepetition) return false;
    }
    all += number;
    if (all > kMaxRepetition) return false;
  }
  return true;
}

bool matches(const std::string& pattern, const std::string& value) {
  try {
    return std::regex_match(value, std::regex(pattern, kPatternKind));
  } catch (const std::regex_error&) {
    return false;
  }
}

std::string list_of(const google::protobuf::RepeatedPtrField<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += (out.empty() ? "" : ", ") + value;
  return out;
}

Status check_int(const std::string& name, const Var& var, const std::string& value) {
  const auto number = whole_number(value);
  if (!number) return bad_value(name, "\"" + value + "\" is no whole number");
  if ((var.has_min() && *number < var.min()) || (var.has_max() && *number > var.max())) {
    return bad_value(name, value + " is out of range; it is " + describe(var));
  }
  return {};
}

Status check_enum(const std::string& name, const Var& var, const std::string& value) {
  if (std::find(var.values().begin(), var.values().end(), value) != var.values().end()) return {};
  return bad_value(name, "\"" + value + "\" is not " + describe(var));
}

// What it says of its type alone.
Status check_type(const std::string& name, const Var& var, const std::string& value) {
  const auto is = [&](bool good, const char* what) {
    return good ? Status() : Status(bad_value(name, "\"" + value + "\" is no " + what));
  };
  switch (var.type()) {
    case fleet::v1::VAR_INT: return check_int(name, var, value);
    case fleet::v1::VAR_ENUM: return check_enum(name, var, value);
    case fleet::v1::VAR_BOOL:
      return is(value == "true" || value == "false", "truth value; write true or false");
    case fleet::v1::VAR_IPV4: return is(is_ipv4(value), "IPv4 address");
    case fleet::v1::VAR_IPV6: return is(is_ipv6(value), "IPv6 address");
    case fleet::v1::VAR_CIDR: return is(is_ipv4_with_prefix(value), "network A.B.C.D/N");
    case fleet::v1::VAR_HOSTNAME: return is(is_host_name(value), "host name");
    case fleet::v1::VAR_STRING:
    case fleet::v1::VAR_SECRET: return {};
    default: return bad_value(name, "its type is not known here");
  }
}

}  // namespace

std::vector<VariableUse> variables_in(std::string_view text) {
  std::vector<VariableUse> out;
  std::size_t at = 0;
  while ((at = text.find("((", at)) != std::string_view::npos) {
    std::size_t end = at + 2;
    while (end < text.size() && is_use_character(text[end])) ++end;
    const std::size_t length = end - at - 2;
    if (length == 0 || length > kMaxUseLength || text.substr(end, 2) != "))") {
      ++at;
      continue;
    }
    out.push_back({std::string(text.substr(at + 2, length)), at, length + 4});
    at = end + 2;
  }
  return out;
}

std::string describe(const Var& var) {
  const std::string type = word_of(var.type());
  switch (var.type()) {
    case fleet::v1::VAR_INT:
      if (var.has_min() && var.has_max()) {
        return type + ", " + std::to_string(var.min()) + " to " + std::to_string(var.max());
      }
      if (var.has_min()) return type + ", " + std::to_string(var.min()) + " or more";
      if (var.has_max()) return type + ", " + std::to_string(var.max()) + " or less";
      return type;
    case fleet::v1::VAR_ENUM: return "one of " + list_of(var.values());
    case fleet::v1::VAR_CIDR: return type + ", A.B.C.D/N";
    case fleet::v1::VAR_BOOL: return type + ", true or false";
    default: break;
  }
  std::string out = type;
  if (var.max_length() != 0) out += ", at most " + std::to_string(var.max_length()) + " bytes";
  if (!var.pattern().empty()) out += ", like " + var.pattern();
  return out;
}

Status check_value(const std::string& name, const Var& var, const std::string& value) {
  const bool secret = var.type() == fleet::v1::VAR_SECRET;
  const std::size_t most = secret ? kMaxSecretBytes : kMaxValueBytes;
  const std::size_t limit = var.max_length() == 0 ? most : std::min<std::size_t>(
                                                               var.max_length(), most);
  if (value.size() > limit) {
    return bad_value(name, "is longer than " + std::to_string(limit) + " bytes");
  }
  if (secret && value.empty()) return bad_value(name, "is empty");
  if (value.find('\0') != std::string::npos) return bad_value(name, "holds a zero byte");
  if (!secret) {
    if (!is_printable(value) || !is_utf8(value)) {
      return bad_value(name, "holds a line end, a control byte or what is no UTF-8");
    }
    // Else what comes of filling would be filled once more by who reads it.
    if (value.find("((") != std::string::npos) return bad_value(name, "holds \"((\"");
    TRY_VOID(check_type(name, var, value));
  }
  if (var.pattern().empty() || matches(var.pattern(), value)) return {};
  return bad_value(name, (secret ? std::string("it") : "\"" + value + "\"") +
                             " does not match its pattern " + var.pattern());
}

Result<std::string> fill(std::string_view text, const Values& values) {
  std::string out;
  std::size_t done = 0;
  for (const VariableUse& use : variables_in(text)) {
    const auto value = values.find(use.name);
    if (value == values.end()) {
      return Error{Code::bad_manifest, "((" + use.name + ")) is not declared under vars",
                   use.name};
    }
    out += text.substr(done, use.offset - done);
    out += value->second;
    done = use.offset + use.size_bytes;
    if (out.size() > kMaxFileBytes) {
      return Error{Code::bad_manifest, "with its values it is larger than 1 MiB", use.name};
    }
  }
  out += text.substr(done);
  return out;
}

namespace manifest_detail {

bool holds_variable(std::string_view text) { return !variables_in(text).empty(); }

bool is_pattern(const std::string& text) {
  if (text.size() > kMaxPatternBytes || !is_printable(text) || !repeats_within_bounds(text)) {
    return false;
  }
  try {
    const std::regex read(text, kPatternKind);
    return read.mark_count() < kMaxPatternBytes;
  } catch (const std::regex_error&) {
    return false;
  }
}

}  // namespace manifest_detail

}  // namespace proto
