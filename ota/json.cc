// The JSON value and its writers; the reader is json_parse.cc.
#include "ota/json.h"

#include <algorithm>
#include <cstdio>

namespace ota {
namespace {

enum class Style { canonical, compact, pretty };

// RFC 8259 section 7: quote, backslash and control characters must be escaped; the rest stays.
void write_escaped(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(byte));
      out += buffer;
    } else {
      out += c;
    }
  }
  out += '"';
}

void write_canonical_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

class Writer {
 public:
  Writer(Style style, std::string& out) : style_(style), out_(out) {}

  void write(const Json& value, std::size_t depth) {
    if (value.is_null()) {
      out_ += "null";
    } else if (value.is_bool()) {
      out_ += value.as_bool() ? "true" : "false";
    } else if (value.is_integer()) {
      out_ += std::to_string(value.as_integer());
    } else if (value.is_string()) {
      write_string(value.as_string());
    } else if (value.is_array()) {
      write_array(value.as_array(), depth);
    } else {
      write_object(value.as_object(), depth);
    }
  }

 private:
  void write_string(std::string_view text) {
    if (style_ == Style::canonical) {
      write_canonical_string(text, out_);
    } else {
      write_escaped(text, out_);
    }
  }

  void new_line(std::size_t depth) {
    if (style_ != Style::pretty) return;
    out_ += '\n';
    out_.append(depth, ' ');
  }

  void write_array(const Json::Array& items, std::size_t depth) {
    out_ += '[';
    bool first = true;
    for (const Json& item : items) {
      if (!first) out_ += ',';
      first = false;
      new_line(depth + 1);
      write(item, depth + 1);
    }
    if (!items.empty()) new_line(depth);
    out_ += ']';
  }

  void write_object(const Json::Object& members, std::size_t depth) {
    std::vector<const Json::Member*> order;
    order.reserve(members.size());
    for (const Json::Member& member : members) order.push_back(&member);
    if (style_ == Style::canonical) {
      // Bytes of UTF-8 sort as code points do; char_traits compares them as unsigned.
      std::sort(order.begin(), order.end(),
                [](const auto* a, const auto* b) { return a->key < b->key; });
    }
    out_ += '{';
    bool first = true;
    for (const Json::Member* member : order) {
      if (!first) out_ += ',';
      first = false;
      new_line(depth + 1);
      write_string(member->key);
      out_ += style_ == Style::pretty ? ": " : ":";
      write(member->value, depth + 1);
    }
    if (!order.empty()) new_line(depth);
    out_ += '}';
  }

  Style style_;
  std::string& out_;
};

std::string write_json(const Json& value, Style style) {
  std::string out;
  Writer(style, out).write(value, 0);
  return out;
}

}  // namespace

Json::Json() = default;
Json::Json(bool value) : value_(value) {}
Json::Json(int value) : value_(std::int64_t{value}) {}
Json::Json(std::int64_t value) : value_(value) {}
Json::Json(std::string value) : value_(std::move(value)) {}
Json::Json(std::string_view value) : value_(std::string(value)) {}
Json::Json(const char* value) : value_(std::string(value)) {}

Json Json::array() { return array({}); }

Json Json::array(std::vector<Json> items) {
  Json value;
  value.value_ = std::move(items);
  return value;
}

Json Json::object() { return object({}); }

Json Json::object(std::initializer_list<Member> members) {
  Json value;
  value.value_ = Object(members);
  return value;
}

Json Json::object(Object members) {
  Json value;
  value.value_ = std::move(members);
  return value;
}

const char* Json::kind_name() const {
  if (is_null()) return "null";
  if (is_bool()) return "a boolean";
  if (is_integer()) return "an integer";
  if (is_string()) return "a string";
  return is_array() ? "a list" : "an object";
}

bool Json::as_bool() const {
  FLEET_ASSERT(is_bool());
  return std::get<bool>(value_);
}

std::int64_t Json::as_integer() const {
  FLEET_ASSERT(is_integer());
  return std::get<std::int64_t>(value_);
}

const std::string& Json::as_string() const {
  FLEET_ASSERT(is_string());
  return std::get<std::string>(value_);
}

const Json::Array& Json::as_array() const {
  FLEET_ASSERT(is_array());
  return std::get<Array>(value_);
}

const Json::Object& Json::as_object() const {
  FLEET_ASSERT(is_object());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const Member& member : as_object()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

void Json::set(std::string_view key, Json value) {
  FLEET_ASSERT(is_object());
  auto& members = std::get<Object>(value_);
  for (Member& member : members) {
    if (member.key != key) continue;
    member.value = std::move(value);
    return;
  }
  members.push_back({std::string(key), std::move(value)});
}

void Json::erase(std::string_view key) {
  FLEET_ASSERT(is_object());
  std::erase_if(std::get<Object>(value_),
                [key](const Member& member) { return member.key == key; });
}

void Json::push_back(Json value) {
  FLEET_ASSERT(is_array());
  std::get<Array>(value_).push_back(std::move(value));
}

bool Json::operator==(const Json& other) const {
  // The canonical form is one per meaning, and tells every kind apart.
  return canonical_json(*this) == canonical_json(other);
}

std::string canonical_json(const Json& value) { return write_json(value, Style::canonical); }
std::string pretty_json(const Json& value) { return write_json(value, Style::pretty) + "\n"; }
std::string compact_json(const Json& value) { return write_json(value, Style::compact); }

}  // namespace ota
