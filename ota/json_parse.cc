// The strict JSON reader: one pass, no recovery, bounded depth.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "ota/json.h"
#include "proto/limits.h"
#include "proto/utf8.h"

namespace ota {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

void append_utf8(std::uint32_t point, std::string& out) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<Json> read_all() {
    skip_space();
    TRY(Json value, read_value(0));
    skip_space();
    if (at_ != text_.size()) return fail("something follows after the end of the JSON value");
    return value;
  }

 private:
  Error fail(const std::string& what) const {
    std::size_t line = 1;
    std::size_t line_start = 0;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] != '\n') continue;
      ++line;
      line_start = i + 1;
    }
    return Error{Code::bad_metadata,
                 "line " + std::to_string(line) + ", column " +
                     std::to_string(at_ - line_start + 1) + ": " + what,
                 ""};
  }

  bool done() const { return at_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }

  void skip_space() {
    while (!done() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }

  bool take(char c) {
    if (done() || peek() != c) return false;
    ++at_;
    return true;
  }

  Result<Json> read_value(int depth) {
    if (done()) return fail("the text ends where a value is wanted");
    if (++values_ > kMaxJsonValues) return fail("more values than metadata may hold");
    switch (peek()) {
      case '{': return read_object(depth + 1);
      case '[': return read_array(depth + 1);
      case '"': {
        TRY(std::string text, read_string());
        return Json(std::move(text));
      }
      case 't': return read_word("true", Json(true));
      case 'f': return read_word("false", Json(false));
      case 'n': return read_word("null", Json());
      default: return read_integer();
    }
  }

  Result<Json> read_word(std::string_view word, Json value) {
    if (text_.substr(at_, word.size()) != word) return fail("a value is wanted here");
    at_ += word.size();
    return value;
  }

  Result<Json> read_integer() {
    const std::size_t start = at_;
    const bool negative = take('-');
    const std::size_t digits = at_;
    std::uint64_t value = 0;
    // One more than the largest positive int64, because of the lowest negative one.
    const std::uint64_t limit = std::uint64_t{1} << 63;
    while (!done() && peek() >= '0' && peek() <= '9') {
      const auto digit = static_cast<std::uint64_t>(peek() - '0');
      if (value > (limit - digit) / 10) return fail("the integer does not fit into 64 bits");
      value = value * 10 + digit;
      ++at_;
    }
    const std::size_t count = at_ - digits;
    if (count == 0) {
      at_ = start;
      return fail("a value is wanted here");
    }
    if (count > 1 && text_[digits] == '0') return fail("an integer does not begin with 0");
    if (negative && value == 0) return fail("-0 is not an integer here");
    if (peek() == '.' || peek() == 'e' || peek() == 'E') {
      return fail("fractions and exponents are not allowed, only integers");
    }
    if (!negative && value == limit) return fail("the integer does not fit into 64 bits");
    if (negative && value == limit) return Json(std::numeric_limits<std::int64_t>::min());
    const auto magnitude = static_cast<std::int64_t>(value);
    return Json(negative ? -magnitude : magnitude);
  }

  Result<std::uint32_t> read_hex4() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<std::uint32_t>(c - 'a' + 10);
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<std::uint32_t>(c - 'A' + 10);
      } else {
        return fail("\\u is followed by four hex digits");
      }
      value = value * 16 + digit;
    }
    return value;
  }

  Status read_unicode_escape(std::string& out) {
    TRY(std::uint32_t point, read_hex4());
    if (point >= 0xDC00 && point <= 0xDFFF) return fail("half of a surrogate pair");
    if (point >= 0xD800 && point <= 0xDBFF) {
      if (!take('\\') || !take('u')) return fail("half of a surrogate pair");
      TRY(const std::uint32_t low, read_hex4());
      if (low < 0xDC00 || low > 0xDFFF) return fail("half of a surrogate pair");
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(point, out);
    return {};
  }

  Status read_escape(std::string& out) {
    if (done()) return fail("the text ends inside a string");
    const char c = text_[at_++];
    switch (c) {
      case '"': case '\\': case '/': out += c; return {};
      case 'b': out += '\b'; return {};
      case 'f': out += '\f'; return {};
      case 'n': out += '\n'; return {};
      case 'r': out += '\r'; return {};
      case 't': out += '\t'; return {};
      case 'u': return read_unicode_escape(out);
      default: --at_; return fail("no such escape in a string");
    }
  }

  Result<std::string> read_string() {
    if (!take('"')) return fail("a string is wanted here");
    std::string out;
    while (!done()) {
      const char c = peek();
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        ++at_;
        TRY_VOID(read_escape(out));
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail("a raw control character in a string");
      const std::size_t length = proto::utf8_length(text_.substr(at_));
      if (length == 0) return fail("the text is not UTF-8 here");
      out.append(text_.substr(at_, length));
      at_ += length;
    }
    return fail("the text ends inside a string");
  }

  Result<Json> read_array(int depth) {
    if (depth > proto::kMaxJsonDepth) return fail("nested too deep");
    ++at_;
    Json::Array items;
    skip_space();
    if (take(']')) return Json::array(std::move(items));
    for (;;) {
      skip_space();
      TRY(Json item, read_value(depth));
      items.push_back(std::move(item));
      skip_space();
      if (take(']')) return Json::array(std::move(items));
      if (!take(',')) return fail("a comma or ] is wanted here");
    }
  }

  Result<Json> read_object(int depth) {
    if (depth > proto::kMaxJsonDepth) return fail("nested too deep");
    ++at_;
    Json::Object members;
    skip_space();
    if (take('}')) return Json::object(std::move(members));
    for (;;) {
      skip_space();
      TRY(std::string key, read_string());
      skip_space();
      if (!take(':')) return fail("a colon is wanted here");
      skip_space();
      TRY(Json value, read_value(depth));
      members.push_back({std::move(key), std::move(value)});
      skip_space();
      if (take('}')) break;
      if (!take(',')) return fail("a comma or } is wanted here");
    }
    TRY_VOID(check_keys(members));
    return Json::object(std::move(members));
  }

  // Sorted once at the end of the object: a set per member would let a long object cost n squared.
  Status check_keys(const Json::Object& members) const {
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const Json::Member& member : members) keys.push_back(member.key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return {};
    return fail("the object that ends here has the member " + compact_json(Json(*twice)) +
                " twice");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text) { return Reader(text).read_all(); }

}  // namespace ota
