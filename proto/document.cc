#include "proto/document.h"

#include <charconv>
#include <limits>
#include <set>

#include "proto/units.h"
#include "proto/yaml.h"

namespace proto {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A message with a string field of this name may be written as plain text; it is no key.
constexpr const char* kPlainField = "plain";
// A message whose only field has this name is written as the list itself, so that an empty list
// differs from none.
constexpr const char* kListField = "list";

std::string quoted(const std::string& text) {
  constexpr std::size_t kShown = 60;
  std::string shown;
  for (const char c : text.substr(0, kShown)) {
    shown += static_cast<unsigned char>(c) < ' ' ? '?' : c;
  }
  return "\"" + shown + (text.size() > kShown ? "..." : "") + "\"";
}

const char* kind_of(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null: return "nothing";
    case YAML::NodeType::Scalar: return "a single value";
    case YAML::NodeType::Sequence: return "a list";
    case YAML::NodeType::Map: return "a map";
  }
  return "something else";
}

class Reader {
 public:
  Reader(std::string_view file, SourceLines* lines, const DocumentLimits& limits)
      : file_(file), lines_(lines), limits_(limits) {}

  Status read_message(const YAML::Node& node, const std::string& path, int depth, Message& out);

 private:
  Error fail(const YAML::Node& node, const std::string& path, const std::string& what) const {
    const int line = node.IsDefined() ? node.Mark().line + 1 : 0;
    std::string text = file_;
    if (line > 0) text += ":" + std::to_string(line);
    if (!path.empty()) text += ": " + path;
    return Error{Code::bad_argument, text + ": " + what, path};
  }

  Status enter(const YAML::Node& node, const std::string& path, int depth);
  Status read_entry(const YAML::Node& key, const YAML::Node& value, const std::string& path,
                    int depth, Message& out);
  Status read_field(const YAML::Node& node, const FieldDescriptor& field, const std::string& path,
                    int depth, Message& out);
  Status read_list(const YAML::Node& node, const FieldDescriptor& field, const std::string& path,
                   int depth, Message& out);
  Status read_map(const YAML::Node& node, const FieldDescriptor& field, const std::string& path,
                  int depth, Message& out);
  Status read_scalar(const YAML::Node& node, const FieldDescriptor& field, const std::string& path,
                     Message& out);
  Result<std::uint64_t> read_unsigned(const FieldDescriptor& field, const std::string& text) const;
  Status read_enum(const YAML::Node& node, const FieldDescriptor& field, const std::string& path,
                   Message& out) const;

  std::string file_;
  SourceLines* lines_;
  const DocumentLimits& limits_;
  std::size_t values_ = 0;
};

Status Reader::enter(const YAML::Node& node, const std::string& path, int depth) {
  if (lines_ != nullptr && node.IsDefined()) lines_->add(path, node.Mark().line + 1);
  if (depth > limits_.depth) return fail(node, path, "nested too deeply");
  if (++values_ > limits_.values) {
    return fail(node, path, "more than " + std::to_string(limits_.values) +
                                " values (aliases count each time)");
  }
  return Status();
}

Status Reader::read_message(const YAML::Node& node, const std::string& path, int depth,
                            Message& out) {
  TRY_VOID(enter(node, path, depth));
  const FieldDescriptor* plain = out.GetDescriptor()->FindFieldByName(kPlainField);
  if (node.IsScalar() && plain != nullptr) {
    out.GetReflection()->SetString(&out, plain, node.Scalar());
    return Status();
  }
  const FieldDescriptor* list = out.GetDescriptor()->FindFieldByName(kListField);
  if (list != nullptr && out.GetDescriptor()->field_count() == 1) {
    return read_list(node, *list, path, depth, out);
  }
  if (!node.IsMap()) {
    return fail(node, path, std::string("wants a map of fields, got ") + kind_of(node));
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) return fail(entry.first, path, "a key must be one word");
    if (!seen.insert(entry.first.Scalar()).second) {
      return fail(entry.first, path, "key " + quoted(entry.first.Scalar()) + " is there twice");
    }
    TRY_VOID(read_entry(entry.first, entry.second, path, depth, out));
  }
  return Status();
}

Status Reader::read_entry(const YAML::Node& key, const YAML::Node& value, const std::string& path,
                          int depth, Message& out) {
  const auto* type = out.GetDescriptor();
  std::vector<std::string> known;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor& field = *type->field(i);
    if (field.name() == kPlainField) continue;
    known.push_back(key_of(field));
    if (known.back() != key.Scalar()) continue;
    const std::string below = path.empty() ? known.back() : path + "." + known.back();
    if (lines_ != nullptr) lines_->add(below, key.Mark().line + 1);
    if (value.IsNull()) return fail(key, below, "has no value; give one or leave the key out");
    return read_field(value, field, below, depth + 1, out);
  }
  const std::string near = nearest_word(key.Scalar(), known);
  return fail(key, path, "unknown key " + quoted(key.Scalar()) +
                             (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
}

Status Reader::read_field(const YAML::Node& node, const FieldDescriptor& field,
                          const std::string& path, int depth, Message& out) {
  if (field.is_map()) return read_map(node, field, path, depth, out);
  if (field.is_repeated()) return read_list(node, field, path, depth, out);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return read_message(node, path, depth, *out.GetReflection()->MutableMessage(&out, &field));
  }
  TRY_VOID(enter(node, path, depth));
  return read_scalar(node, field, path, out);
}

Status Reader::read_list(const YAML::Node& node, const FieldDescriptor& field,
                         const std::string& path, int depth, Message& out) {
  TRY_VOID(enter(node, path, depth));
  if (!node.IsSequence()) {
    return fail(node, path, std::string("wants a list, got ") + kind_of(node) + "; write [ ... ]");
  }
  std::size_t index = 0;
  for (const YAML::Node& item : node) {
    const std::string below = path + "[" + std::to_string(index++) + "]";
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message& added = *out.GetReflection()->AddMessage(&out, &field);
      TRY_VOID(read_message(item, below, depth + 1, added));
    } else {
      TRY_VOID(enter(item, below, depth + 1));
      TRY_VOID(read_scalar(item, field, below, out));
    }
  }
  return Status();
}

Status Reader::read_map(const YAML::Node& node, const FieldDescriptor& field,
                        const std::string& path, int depth, Message& out) {
  TRY_VOID(enter(node, path, depth));
  if (!node.IsMap()) {
    return fail(node, path, std::string("wants a map of names to values, got ") + kind_of(node));
  }
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const FieldDescriptor& value_field = *field.message_type()->map_value();
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) return fail(entry.first, path, "a name must be one word");
    const std::string& name = entry.first.Scalar();
    const std::string below = path + "." + name;
    if (!seen.insert(name).second) return fail(entry.first, below, "is there twice");
    Message& added = *out.GetReflection()->AddMessage(&out, &field);
    added.GetReflection()->SetString(&added, &key_field, name);
    if (entry.second.IsNull()) return fail(entry.first, below, "has no value");
    if (lines_ != nullptr) lines_->add(below, entry.first.Mark().line + 1);
    TRY_VOID(read_field(entry.second, value_field, below, depth + 1, added));
  }
  return Status();
}

Result<std::uint64_t> Reader::read_unsigned(const FieldDescriptor& field,
                                            const std::string& text) const {
  const std::string& name = field.name();
  if (name.ends_with("_ms")) return parse_duration_ms(text);
  if (name.ends_with("_bytes_per_second")) return parse_rate_bytes(text);
  if (name.ends_with("_bytes")) return parse_size_bytes(text);
  if (name.ends_with("_percent")) {
    TRY(const std::uint32_t percent, parse_percent(text));
    return std::uint64_t{percent};
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool narrow = field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32;
  if (error != std::errc() || end != text.data() + text.size() ||
      (narrow && number > std::numeric_limits<std::uint32_t>::max())) {
    return Error{Code::bad_argument, "wants a whole number, got " + quoted(text), ""};
  }
  return number;
}

Status Reader::read_enum(const YAML::Node& node, const FieldDescriptor& field,
                         const std::string& path, Message& out) const {
  const auto& type = *field.enum_type();
  const auto* value = value_of_word(type, node.Scalar());
  if (value == nullptr) {
    std::string words;
    for (int i = 0; i < type.value_count(); ++i) {
      if (type.value(i)->name().ends_with("_UNSPECIFIED")) continue;
      words += (words.empty() ? "" : ", ") + word_of(*type.value(i));
    }
    return fail(node, path, quoted(node.Scalar()) + " is not known here; one of " + words);
  }
  if (field.is_repeated()) {
    out.GetReflection()->AddEnum(&out, &field, value);
  } else {
    out.GetReflection()->SetEnum(&out, &field, value);
  }
  return Status();
}

Status Reader::read_scalar(const YAML::Node& node, const FieldDescriptor& field,
                           const std::string& path, Message& out) {
  if (!node.IsScalar()) {
    return fail(node, path, std::string("wants a single value, got ") + kind_of(node));
  }
  const std::string& text = node.Scalar();
  const auto* reflection = out.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    if (field.is_repeated()) {
      reflection->AddString(&out, &field, text);
    } else {
      reflection->SetString(&out, &field, text);
    }
    return Status();
  }
  if (text.starts_with("((")) return fail(node, path, "a variable cannot stand here");
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) return read_enum(node, field, path, out);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
    if (text != "true" && text != "false") {
      return fail(node, path, "wants true or false, got " + quoted(text));
    }
    reflection->SetBool(&out, &field, text == "true");
    return Status();
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      return fail(node, path, "wants a whole number, got " + quoted(text));
    }
    reflection->SetInt64(&out, &field, number);
    return Status();
  }
  const auto number = read_unsigned(field, text);
  if (!number) return fail(node, path, number.error().what);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
    reflection->SetUInt32(&out, &field, static_cast<std::uint32_t>(*number));
  } else {
    FLEET_ASSERT(field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64);
    reflection->SetUInt64(&out, &field, *number);
  }
  return Status();
}

}  // namespace

Status parse_document(std::string_view text, std::string_view file, Message& message,
                      SourceLines* lines, const DocumentLimits& limits) {
  message.Clear();
  TRY(const YAML::Node document, load_yaml(text, file, limits.size_bytes));
  if (lines != nullptr) *lines = SourceLines(std::string(file));
  try {
    return Reader(file, lines, limits).read_message(document, "", 0, message);
  } catch (const YAML::Exception& error) {
    return yaml_error(file, error);
  }
}

}  // namespace proto
