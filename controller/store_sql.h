// For store*.cc alone: the SOCI session, and the fence where its exceptions become errors.
#pragma once

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>

#include "controller/store.h"
#include "proto/json.h"

namespace controller {

struct Store::Session {
  soci::session sql;
  bool in_transaction = false;
};

/// The error of an exception, with what was being done.
Error store_error(const char* doing, const std::exception& exception);

/// Runs SQL; what it throws becomes an Error.
template <typename Work>
auto guard(const char* doing, Work&& work) -> Result<std::invoke_result_t<Work>> {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
      work();
      return {};
    } else {
      return work();
    }
  } catch (const std::exception& exception) {
    return store_error(doing, exception);
  }
}

/// A message as stored text. Thrown errors stay behind guard().
std::string as_json(const google::protobuf::Message& message);
void read_json(const std::string& text, google::protobuf::Message& message);

}  // namespace controller
