// The console ring keeps the newest bytes and says what is gone.
#include "agent/launcher/console_ring.h"

#include <gtest/gtest.h>

#include <string>

namespace launcher {
namespace {

std::string read(const ConsoleRing& ring, std::uint64_t offset, std::size_t max,
                 ConsoleRing::Read* result) {
  std::string text(max, '\0');
  *result = ring.read(offset, text.data(), max);
  text.resize(result->size);
  return text;
}

TEST(ConsoleRing, ReadsOnFromAnOffset) {
  ConsoleRing ring(16);
  ConsoleRing::Read result;
  EXPECT_EQ(read(ring, 0, 16, &result), "");
  ring.append("hello ", 6);
  ring.append("guest", 5);
  EXPECT_EQ(read(ring, 0, 4, &result), "hell");
  EXPECT_EQ(result.next_offset, 4u);
  EXPECT_EQ(read(ring, 4, 100, &result), "o guest");
  EXPECT_EQ(result.lost_bytes, 0u);
}

TEST(ConsoleRing, SaysHowMuchWasOverwritten) {
  ConsoleRing ring(8);
  ConsoleRing::Read result;
  ring.append("abcdef", 6);
  ring.append("ghijkl", 6);
  EXPECT_EQ(read(ring, 0, 100, &result), "efghijkl");
  EXPECT_EQ(result.lost_bytes, 4u);
  EXPECT_EQ(result.next_offset, 12u);
  ring.append("0123456789abcdefghij", 20);
  EXPECT_EQ(read(ring, 12, 100, &result), "cdefghij");
  EXPECT_EQ(result.lost_bytes, 12u);
  EXPECT_EQ(ring.total(), 32u);
}

TEST(ConsoleRing, AnOffsetBeyondTheEndReadsNothing) {
  ConsoleRing ring(8);
  ConsoleRing::Read result;
  ring.append("abc", 3);
  EXPECT_EQ(read(ring, 1000, 8, &result), "");
  EXPECT_EQ(result.next_offset, 3u);
  EXPECT_EQ(result.lost_bytes, 0u);
}

}  // namespace
}  // namespace launcher
