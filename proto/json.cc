#include "proto/json.h"

#include <google/protobuf/util/json_util.h>

#include "proto/limits.h"
#include "proto/utf8.h"

namespace proto {

Result<std::string> to_json(const google::protobuf::Message& message, JsonOptions options) {
  google::protobuf::util::JsonPrintOptions print;
  print.add_whitespace = options.pretty;
  print.always_print_primitive_fields = options.defaults;
  print.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, print);
  if (!status.ok()) {
    return Error{Code::internal, "as JSON: " + std::string(status.message()), ""};
  }
  return text;
}

Status from_json(std::string_view text, google::protobuf::Message& message) {
  message.Clear();
  if (text.size() > kMaxHttpJsonBytes) {
    return Error{Code::too_large, "JSON of more than 8 MiB", ""};
  }
  for (std::size_t at = 0; at < text.size();) {
    // Protobuf would take such bytes into its error, and from there into our answer.
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) {
      return Error{Code::bad_argument, "JSON is UTF-8, byte " + std::to_string(at) + " is not", ""};
    }
    at += length;
  }
  google::protobuf::util::JsonParseOptions parse;
  parse.ignore_unknown_fields = false;
  const google::protobuf::StringPiece piece(text.data(), text.size());
  const auto status = google::protobuf::util::JsonStringToMessage(piece, &message, parse);
  if (status.ok()) return Status();
  return Error{Code::bad_argument,
               "no " + message.GetDescriptor()->name() + " as JSON: " +
                   std::string(status.message()),
               ""};
}

}  // namespace proto
