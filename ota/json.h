// Strict JSON for signed metadata: one text has one meaning, or it is refused.
// The reader refuses what two parsers could read differently: duplicate keys, floats, exponents,
// integers beyond int64, bad UTF-8, lone surrogates, trailing bytes; and what is too deep or too
// many values to be metadata.
// It never guesses, and never recovers from an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "proto/result.h"

namespace ota {

/// How many values one text may hold. A value of two bytes becomes 40 in memory; without this a
/// text within its size limit could still take all of a small device's memory.
inline constexpr std::size_t kMaxJsonValues = 256 * 1024;

/// A JSON value. Objects keep the order of their members; equality ignores that order.
class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;

  // Defined in json.cc: here Member is not complete yet.
  Json();                        // null
  Json(bool value);              // NOLINT: all of these are implicit by design
  Json(int value);               // NOLINT
  Json(std::int64_t value);      // NOLINT
  Json(std::string value);       // NOLINT
  Json(std::string_view value);  // NOLINT
  Json(const char* value);       // NOLINT
  static Json array();
  static Json array(std::vector<Json> items);
  static Json object();
  static Json object(std::initializer_list<Member> members);
  static Json object(Object members);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  /// "null", "a boolean", "an integer", "a string", "a list", "an object": for error texts.
  const char* kind_name() const;

  // Each of these is a programmer error on a value of another kind.
  bool as_bool() const;
  std::int64_t as_integer() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;

  /// The member of that name, or null. Also null on a value that is no object.
  const Json* find(std::string_view key) const;
  /// Adds a member, or replaces the one of that name in its place. Only on an object.
  void set(std::string_view key, Json value);
  /// Removes the member of that name, if there is one. Only on an object.
  void erase(std::string_view key);
  /// Only on an array.
  void push_back(Json value);

  bool operator==(const Json& other) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::string, Array, Object> value_;
};

struct Json::Member {
  std::string key;
  Json value;
};

/// Reads one JSON text.
/// in     text: UTF-8, the whole of it is the value and white space around it
/// errors bad_metadata, with line and column (both from 1; columns count bytes)
proto::Result<Json> parse_json(std::string_view text);

/// OLPC canonical JSON, the bytes that TUF signs: members sorted by the bytes of their keys, no
/// white space, only `"` and `\` escaped, everything else raw, PEM newlines and zeros too.
/// source TUF 1.0 section 4.1; http://wiki.laptop.org/go/Canonical_JSON
std::string canonical_json(const Json& value);

/// JSON for files and for people: members in their order, one space per level, escapes by RFC 8259.
/// parse_json() of it gives an equal value.
std::string pretty_json(const Json& value);
/// The same on one line without white space.
std::string compact_json(const Json& value);

}  // namespace ota
