// Files that are part of the program: the schema's steps and the dashboard. Written at build time
// by controller/embed.cmake, in the order of their names.
#pragma once

#include <cstddef>
#include <string_view>

namespace controller {

struct EmbeddedFile {
  const char* name;            // "001_fleet.sql"
  const unsigned char* bytes;  // a zero follows them
  std::size_t size_bytes;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes), size_bytes}; }
};

// `extern` makes them visible to the files that use them; a last entry has a null name.
extern const EmbeddedFile kSchemaFiles[];
extern const std::size_t kSchemaFiles_count;
extern const EmbeddedFile kDashboardFiles[];
extern const std::size_t kDashboardFiles_count;
extern const EmbeddedFile kApiFiles[];  // openapi.yaml alone
extern const std::size_t kApiFiles_count;

}  // namespace controller
