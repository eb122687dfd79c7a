// A YAML or JSON file of a person -> a checked message, by reflection (yaml-cpp).
// A key is the field's name; fields in units are written without it: x_ms is `x: 250ms`, x_bytes is
// `x: 16M`, x_bytes_per_second is `x: 16K/s`, x_percent is `x: 50%`; a json_name in the schema
// wins. A message with a field `plain` may be a single value; one whose only field is `list`, a
// list. Enums are their words (word_of). Nothing is ever guessed or ignored: what is not understood
// is an error with file, line, field and the nearest known name.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace proto {

/// Where each value of a document stands: "applications[0].health.deadline" -> 45.
class SourceLines {
 public:
  SourceLines() = default;
  explicit SourceLines(std::string file) : file_(std::move(file)) {}

  /// The first line told for a path stays: that of its key, not of what follows it.
  void add(const std::string& path, int line) { lines_.emplace(path, line); }
  /// The line of the path, or of its nearest known parent; 0 when nothing is known.
  int line_of(std::string_view path) const;
  /// "manifest.yml:45".
  std::string place_of(std::string_view path) const;
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::map<std::string, int, std::less<>> lines_;
};

struct DocumentLimits {
  std::size_t size_bytes = 256 * 1024;
  int depth = 16;
  std::size_t values = 10000;  // nodes after aliases are followed: an alias bomb ends here
};

/// Reads the one document in `text` into `message`, which is cleared first.
/// in     file: the name for errors; lines: filled when not null
/// errors bad_argument "FILE:LINE: FIELD: what; fix" | too_large
Status parse_document(std::string_view text, std::string_view file,
                      google::protobuf::Message& message, SourceLines* lines = nullptr,
                      const DocumentLimits& limits = {});

/// The key under which a person writes the field.
std::string key_of(const google::protobuf::FieldDescriptor& field);

/// The word for an enum value: lower case, its enum's prefix gone, '-' for '_' but in x86_64.
std::string word_of(const google::protobuf::EnumValueDescriptor& value);
template <typename Enum>
std::string word_of(Enum value) {
  const auto* known = google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(value);
  return known != nullptr ? word_of(*known) : std::to_string(static_cast<int>(value));
}
/// The value for a word; null when the enum has no such word.
const google::protobuf::EnumValueDescriptor* value_of_word(
    const google::protobuf::EnumDescriptor& type, std::string_view word);

/// The candidate nearest to `word` by edit distance, "" when none is near (more than a third off).
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace proto
