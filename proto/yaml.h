// A person's YAML text, with the fences that yaml-cpp lacks.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <string_view>

#include "proto/result.h"

namespace proto {

/// What a fence against YAML::Exception answers: bad_argument "FILE:LINE: no YAML: what".
Error yaml_error(std::string_view file, const YAML::Exception& error);

/// The one document in `text`. A reader of its nodes still meets YAML::Exception.
/// in     file: the name for errors
/// errors bad_argument "FILE:LINE: what" (no UTF-8, a control character, no YAML), "FILE: empty",
///        "FILE: more than one document" | too_large
Result<YAML::Node> load_yaml(std::string_view text, std::string_view file, std::size_t limit_bytes);

}  // namespace proto
