// Any text through the loader of board files: a board that keeps its rules, or an error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "boards/board.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto board = boards::parse_board(text, "board.yaml");
  if (board) {
    FLEET_ASSERT(!board->name.empty() && board->name.size() <= 40);
    FLEET_ASSERT(!board->monitors.empty());
    FLEET_ASSERT(board->arch != fleet::v1::ARCH_UNSPECIFIED);
  } else {
    FLEET_ASSERT(board.error().code == proto::Code::bad_argument ||
                 board.error().code == proto::Code::too_large);
  }
  return 0;
}
