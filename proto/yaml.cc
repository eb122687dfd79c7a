#include "proto/yaml.h"

#include <yaml-cpp/eventhandler.h>

#include <sstream>
#include <string>

#include "proto/units.h"
#include "proto/utf8.h"

namespace proto {
namespace {

// YAML 1.2, 5.1. Asked before yaml-cpp is, to which NUL means UTF-16 and 0x04 the end of the file.
Status check_characters(std::string_view text, const std::string& file) {
  int line = 1;
  while (!text.empty()) {
    const char first = text.front();
    const std::size_t length = utf8_length(text);
    const bool control = static_cast<unsigned char>(first) < 0x20 && first != '\t' &&
                         first != '\n' && first != '\r';
    if (length == 0 || control || first == 0x7F) {
      const std::string what = length == 0 ? "not UTF-8 here; save the file as UTF-8"
                                           : "a control character; delete it";
      return Error{Code::bad_argument, file + ":" + std::to_string(line) + ": " + what, ""};
    }
    line += first == '\n';
    text.remove_prefix(length);
  }
  return {};
}

// A document that nobody looks at.
class Unread : public YAML::EventHandler {
  using Mark = YAML::Mark;
  using Style = YAML::EmitterStyle::value;
  using Anchor = YAML::anchor_t;
  using Text = const std::string&;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, Anchor) override {}
  void OnAlias(const Mark&, Anchor) override {}
  void OnScalar(const Mark&, Text, Anchor, Text) override {}
  void OnSequenceStart(const Mark&, Text, Anchor, Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, Text, Anchor, Style) override {}
  void OnMapEnd() override {}
};

// Not YAML::LoadAll, which makes documents without end of a text that begins with a comma.
bool more_than_one_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Unread first;
  parser.HandleNextDocument(first);
  return static_cast<bool>(parser);
}

}  // namespace

Error yaml_error(std::string_view file, const YAML::Exception& error) {
  std::string place(file);
  if (error.mark.line >= 0) place += ":" + std::to_string(error.mark.line + 1);
  return Error{Code::bad_argument, place + ": no YAML: " + error.msg, ""};
}

Result<YAML::Node> load_yaml(std::string_view text, std::string_view file,
                             std::size_t limit_bytes) {
  const std::string name(file);
  if (text.size() > limit_bytes) {
    return Error{Code::too_large, name + ": larger than " + format_size_bytes(limit_bytes), ""};
  }
  TRY_VOID(check_characters(text, name));
  try {
    const std::string copy(text);
    if (more_than_one_document(copy)) {
      return Error{Code::bad_argument, name + ": more than one document", ""};
    }
    const YAML::Node document = YAML::Load(copy);
    if (document.IsNull()) return Error{Code::bad_argument, name + ": empty", ""};
    return document;
  } catch (const YAML::Exception& error) {
    return yaml_error(file, error);
  }
}

}  // namespace proto
