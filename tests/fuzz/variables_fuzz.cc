// Values reach a device from a controller that may be broken into, templates from an operator's
// file: any bytes in either, against a declaration of any limits.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/limits.h"
#include "proto/variables.h"

namespace {

// The first lines are type, pattern, limits and value; what follows is the template.
std::string take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string line(text.substr(0, end));
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string type = take_line(text);
  fleet::v1::Var var;
  var.set_type(static_cast<fleet::v1::VarType>(type.empty() ? 0 : type[0] - '0'));
  var.set_pattern(take_line(text));
  if (type.size() > 1) var.set_max_length(static_cast<unsigned char>(type[1]));
  const std::string value = take_line(text);
  if (!proto::check_declaration("site", var)) return 0;
  if (proto::check_value("site", var, value)) {
    FLEET_ASSERT(value.size() <= proto::kMaxSecretBytes);
    const bool secret = var.type() == fleet::v1::VAR_SECRET;
    FLEET_ASSERT(secret || proto::variables_in(value).empty());
  }
  std::size_t last = 0;
  for (const proto::VariableUse& use : proto::variables_in(text)) {
    FLEET_ASSERT(use.offset >= last && use.offset + use.size_bytes <= text.size());
    last = use.offset + use.size_bytes;
  }
  const auto filled = proto::fill(text, {{"site", value}});
  if (filled && last == 0) FLEET_ASSERT(*filled == text);
  return 0;
}
