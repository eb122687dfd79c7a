// Messages as JSON, by protobuf's mapping: fields keep their proto names, 64-bit numbers are
// strings. Reading refuses what it does not know.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "proto/result.h"

namespace proto {

struct JsonOptions {
  bool pretty = false;
  bool defaults = true;  // print fields that are 0, "" or []
};

/// errors internal (a string that is not UTF-8)
Result<std::string> to_json(const google::protobuf::Message& message, JsonOptions options = {});

/// Reads one JSON document of at most kMaxHttpJsonBytes into `message`, which is cleared first.
/// errors bad_argument: an unknown field, a wrong type, no JSON, by name | too_large
Status from_json(std::string_view text, google::protobuf::Message& message);

template <typename Message>
Result<Message> from_json(std::string_view text) {
  Message message;
  TRY_VOID(from_json(text, static_cast<google::protobuf::Message&>(message)));
  return message;
}

}  // namespace proto
