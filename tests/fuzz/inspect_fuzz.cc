// Any bytes through images/inspect: no crash, no read outside, no character that harms a terminal.
#include <cstddef>
#include <cstdint>
#include <span>

#include "images/inspect.h"
#include "proto/result.h"

namespace {

void check_text(const std::string& text) {
  FLEET_ASSERT(text.size() < 1000);
  for (const char c : text) FLEET_ASSERT(c >= ' ' && c <= '~');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto info = images::inspect(std::as_bytes(std::span(data, size)));
  if (!info) {
    FLEET_ASSERT(info.error().code == proto::Code::bad_image);
    check_text(info.error().what);
    return 0;
  }
  check_text(info->summary);
  check_text(info->obstacle);
  FLEET_ASSERT(!info->summary.empty());
  FLEET_ASSERT(info->devices.size() < 64);
  (void)images::check_runs_on(*info, images::Arch::x86_64);
  return 0;
}
