// The words of document.h: of enums, of fields, and the nearest known one.
#include <algorithm>
#include <cctype>

#include "proto/document.h"

namespace proto {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "HealthType" -> "HEALTH_TYPE_".
std::string type_prefix(const std::string& name) {
  std::string prefix;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z' && !prefix.empty()) prefix += '_';
    prefix += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return prefix + "_";
}

// What all values but the first share up to a '_': HEALTH_DNS, HEALTH_TCP -> "HEALTH_".
std::string shared_prefix(const EnumDescriptor& type) {
  if (type.value_count() < 3) return "";
  std::string shared = type.value(1)->name();
  for (int i = 2; i < type.value_count(); ++i) {
    const std::string& name = type.value(i)->name();
    const auto [end, unused] =
        std::mismatch(shared.begin(), shared.end(), name.begin(), name.end());
    shared.erase(end, shared.end());
  }
  const std::size_t last = shared.rfind('_');
  return last == std::string::npos ? "" : shared.substr(0, last + 1);
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

std::string camel(const std::string& name) {
  std::string out;
  bool raise = false;
  for (const char c : name) {
    if (c == '_') {
      raise = true;
      continue;
    }
    out += raise ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    raise = false;
  }
  return out;
}

}  // namespace

std::string word_of(const EnumValueDescriptor& value) {
  std::string name = value.name();
  for (const std::string& prefix :
       {type_prefix(value.type()->name()), shared_prefix(*value.type())}) {
    if (!prefix.empty() && name.size() > prefix.size() && name.starts_with(prefix)) {
      name.erase(0, prefix.size());
      break;
    }
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool in_number = name[i] == '_' && i > 0 && i + 1 < name.size() &&
                           is_digit(name[i - 1]) && is_digit(name[i + 1]);
    if (name[i] == '_' && !in_number) {
      name[i] = '-';
    } else {
      name[i] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
    }
  }
  return name;
}

const EnumValueDescriptor* value_of_word(const EnumDescriptor& type, std::string_view word) {
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor* value = type.value(i);
    if (value->name().ends_with("_UNSPECIFIED")) continue;
    if (word_of(*value) == word) return value;
  }
  return nullptr;
}

std::string key_of(const FieldDescriptor& field) {
  if (field.json_name() != camel(field.name())) return field.json_name();
  // The longest first: _bytes_per_second ends no other.
  for (const std::string_view unit : {"_bytes_per_second", "_percent", "_bytes", "_ms"}) {
    const std::string& name = field.name();
    if (name.size() > unit.size() && name.ends_with(unit)) {
      return name.substr(0, name.size() - unit.size());
    }
  }
  return field.name();
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  std::string nearest;
  std::size_t best = std::max<std::size_t>(word.size() / 3, 1) + 1;
  if (word.size() > 64) return "";
  for (const std::string& candidate : candidates) {
    const std::size_t far = distance(word, candidate);
    if (far < best) {
      best = far;
      nearest = candidate;
    }
  }
  return nearest;
}

int SourceLines::line_of(std::string_view path) const {
  while (!path.empty()) {
    const auto found = lines_.find(path);
    if (found != lines_.end()) return found->second;
    const std::size_t cut = path.find_last_of(".[");
    if (cut == std::string_view::npos) break;
    path = path.substr(0, cut);
  }
  return 0;
}

std::string SourceLines::place_of(std::string_view path) const {
  const int line = line_of(path);
  return line == 0 ? file_ : file_ + ":" + std::to_string(line);
}

}  // namespace proto
