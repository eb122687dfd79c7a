// Columns, ages, and foreign bytes made harmless.
#include "deploy/fleetctl/text.h"

#include <gtest/gtest.h>

#include "deploy/fleetctl/table.h"

namespace fleetctl {
namespace {

TEST(Text, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(display_width("edge"), 4u);
  EXPECT_EQ(display_width("✔ é"), 3u);
  EXPECT_EQ(display_width("e\xcc\x81"), 1u) << "a combining mark takes no column";
  EXPECT_EQ(display_width("漢字"), 4u);
  EXPECT_EQ(display_width("\xff"), 1u) << "broken UTF-8 takes one column a byte";
}

TEST(Text, AgesAreRoundedForTables) {
  EXPECT_EQ(age_text(4'200), "4s");
  EXPECT_EQ(age_text(59'999), "59s");
  EXPECT_EQ(age_text(21 * 60'000), "21m");
  EXPECT_EQ(age_text((3 * 60 + 12) * 60'000), "3h12m");
  EXPECT_EQ(age_text(3 * 3'600'000), "3h");
  EXPECT_EQ(age_text(9ull * 24 * 3'600'000), "9d");
}

TEST(Text, MemoryIsShownInTheUnitOfTheLimit) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  EXPECT_EQ(size_of_text(3 * kMiB + kMiB / 5, 16 * kMiB), "3.2/16 MiB");
  EXPECT_EQ(size_of_text(402 * kMiB, 415 * kMiB), "402/415 MiB");
  EXPECT_EQ(size_of_text(4 * kMiB, 16 * kMiB), "4/16 MiB");
  EXPECT_EQ(size_of_text(41 * kMiB, 16 * kMiB), "41 MiB");
  EXPECT_EQ(size_of_text(4 * kMiB, 0), "4 MiB");
}

TEST(Text, AGuestCannotReachTheTerminal) {
  EXPECT_EQ(visible("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(visible("a\rb\nc"), "a\\x0db\\x0ac");
  EXPECT_EQ(visible("a\tb"), "a    b");
  EXPECT_EQ(visible("\xc2\x9b" "31m"), "\\xc2\\x9b31m") << "C1 has escape codes too";
  EXPECT_EQ(visible("a\xe2\x80\xae" "b"), "a\\xe2\\x80\\xaeb") << "no turning of the direction";
  EXPECT_EQ(visible("\xc0\xaf"), "\\xc0\\xaf") << "overlong forms are no text";
  EXPECT_EQ(visible("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "nor are surrogates";
  EXPECT_EQ(visible("grün ✔"), "grün ✔");
}

TEST(Text, SplitAndJoinAreOpposites) {
  EXPECT_EQ(split("a\nb\nc", '\n'), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{});
  EXPECT_EQ(join({"a", "b"}, ", "), "a, b");
}

TEST(Table, ColumnsFollowTheWidestCellAndLinesHaveNoTrailingBlanks) {
  Table table({"NAME", "STATE", "NOTE"});
  table.add({"edge-1", "online", ""});
  table.add({"e", "offline", "x"});
  EXPECT_EQ(table.lines(), (std::vector<std::string>{"NAME    STATE    NOTE",
                                                     "edge-1  online",
                                                     "e       offline  x"}));
}

TEST(Table, AMarkInFrontIndentsTheHeaderToo) {
  Table table({"DEVICE", "STATE"});
  table.add({"edge-1", "healthy"}, "✔");
  EXPECT_EQ(table.lines(),
            (std::vector<std::string>{"  DEVICE  STATE", "✔ edge-1  healthy"}));
}

TEST(Table, WideCellsKeepTheColumnsStraight) {
  Table table({"A", "B"});
  table.add({"é", "1"});
  table.add({"ab", "2"});
  EXPECT_EQ(table.lines(), (std::vector<std::string>{"A   B", "é   1", "ab  2"}));
}

}  // namespace
}  // namespace fleetctl
