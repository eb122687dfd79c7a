#include "images/runtime/metrics_text.h"

#include <gtest/gtest.h>

#include <string>

namespace images::runtime {
namespace {

/// True if the last sample fitted.
bool write(MetricsText& page) {
  page.head("frames_total", kCounter, "Frames that came in.");
  page.value("frames_total", "interface", "wan", 18'446'744'073'709'551'615U);
  page.figure("up", kGauge, "It runs.", 1);
  return page.value("x", 0);
}

TEST(MetricsText, IsPrometheusFormat) {
  std::string text(1000, '\0');
  MetricsText page(text);
  EXPECT_TRUE(write(page));
  text.resize(page.size());
  EXPECT_EQ(text,
            "# HELP frames_total Frames that came in.\n"
            "# TYPE frames_total counter\n"
            "frames_total{interface=\"wan\"} 18446744073709551615\n"
            "# HELP up It runs.\n"
            "# TYPE up gauge\n"
            "up 1\n"
            "x 0\n");
}

TEST(MetricsText, EndsAtAWholeLineBeforeTheFirstThatDoesNotFit) {
  std::string all(1000, '\0');
  MetricsText whole(all);
  write(whole);
  all.resize(whole.size());
  for (std::size_t room = 0; room < all.size(); ++room) {
    std::string text(room, '\0');
    MetricsText page(text);
    EXPECT_FALSE(write(page)) << room;
    text.resize(page.size());
    EXPECT_TRUE(text.empty() || text.back() == '\n') << text;
    EXPECT_TRUE(all.starts_with(text)) << text;  // nothing shorter from behind it
  }
}

}  // namespace
}  // namespace images::runtime
