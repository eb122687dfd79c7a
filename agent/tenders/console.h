// Writing where a reader may be slow, or gone.
#pragma once

#include <cstdint>
#include <span>

namespace tenders {

/// Write all of it, as the reader takes it. Ends early, without an error, when nobody reads any
/// more or an order to stop waits: then at most one piece more is written.
/// in     stop: readable once such an order has come; -1: none can
void write_patiently(int descriptor, std::span<const std::uint8_t> text, int stop);

}  // namespace tenders
