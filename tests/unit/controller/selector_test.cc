#include "controller/selector.h"

#include <gtest/gtest.h>

namespace controller {
namespace {

std::vector<Subject> fleet() {
  return {{"1", "edge-1", {"edge"}, {{"site", "lyon"}, {"role", "resolver"}}},
          {"2", "edge-2", {"edge", "canary"}, {{"site", "paris"}, {"role", "resolver"}}},
          {"3", "lab-1", {"lab"}, {}}};
}

std::string matched(const std::string& text) {
  const auto selector = parse_selector(text);
  if (!selector) return "error: " + selector.error().what;
  std::string names;
  for (const Subject& subject : fleet()) {
    if (selector->matches(subject)) names += (names.empty() ? "" : " ") + subject.name;
  }
  return names;
}

struct Case {
  const char* text;
  const char* names;
};

TEST(Selector, MatchesWhatAPersonMeans) {
  const Case cases[] = {{"all", "edge-1 edge-2 lab-1"},
                        {"edge", "edge-1 edge-2"},
                        {"edge-1", "edge-1"},
                        {"edge,canary", "edge-2"},
                        {"site=lyon", "edge-1"},
                        {"site!=paris", "edge-1 lab-1"},
                        {"role=resolver,site!=paris", "edge-1"},
                        {"site in (lyon,paris)", "edge-1 edge-2"},
                        {"site in ( lyon , paris ) , canary", "edge-2"},
                        {" edge , site = lyon ", "edge-1"},
                        {"all,lab", "lab-1"},
                        {"nobody", ""},
                        {"site=rome", ""}};
  for (const Case& each : cases) EXPECT_EQ(matched(each.text), each.names) << each.text;
}

TEST(Selector, RefusesWhatItDoesNotUnderstandByPlace) {
  const Case cases[] = {{"", "column 1: expected a name or a label, found the end"},
                        {"edge,", "column 6: expected a name or a label"},
                        {"site=", "column 6: expected a value"},
                        {"site in lyon", "column 9: expected ( after `in`"},
                        {"site in (lyon", "column 14: expected a comma or )"},
                        {"site in ()", "column 10: expected a value"},
                        {"edge lab", "column 6: expected a comma or the end"},
                        {"site=ly$on", "column 8: expected a comma or the end"}};
  for (const Case& each : cases) {
    EXPECT_NE(matched(each.text).find(each.names), std::string::npos)
        << each.text << " -> " << matched(each.text);
  }
}

TEST(Selector, HasLimits) {
  std::string terms = "a";
  for (std::size_t i = 1; i < kMaxSelectorTerms; ++i) terms += ",a";
  EXPECT_TRUE(parse_selector(terms).has_value());
  EXPECT_EQ(parse_selector(terms + ",a").error().code, proto::Code::too_large);
  EXPECT_EQ(parse_selector(std::string(kMaxSelectorBytes + 1, 'a')).error().code,
            proto::Code::too_large);
}

Suggestion suggestion(const std::string& text, const std::vector<Subject>& devices) {
  const auto selector = parse_selector(text);
  EXPECT_TRUE(selector.has_value());
  return suggest(*selector, text, devices);
}

TEST(Selector, NamesTheNearestValue) {
  const Suggestion out = suggestion("site=lyonn", fleet());
  EXPECT_NE(out.message.find("label site has no value \"lyonn\"; nearest: lyon (1 device)"),
            std::string::npos)
      << out.message;
  ASSERT_FALSE(out.nearest.empty());
  EXPECT_EQ(out.nearest.front(), "lyon");
  EXPECT_EQ(out.known.size(), 2u);
}

TEST(Selector, NamesTheNearestGroupOrDevice) {
  const Suggestion out = suggestion("egde", fleet());
  ASSERT_FALSE(out.nearest.empty());
  EXPECT_EQ(out.nearest.front(), "edge");
}

TEST(Selector, SaysThatThereIsNoSuchLabel) {
  EXPECT_NE(suggestion("sites=lyon", fleet()).message.find("no device has a label \"sites\""),
            std::string::npos);
}

TEST(Selector, SaysThatNoDeviceMatchesAllParts) {
  EXPECT_NE(suggestion("lab,site=lyon", fleet()).message.find("no device matches all"),
            std::string::npos);
}

TEST(Selector, SaysHowToBeginWithoutAnyDevice) {
  EXPECT_NE(suggestion("edge", {}).message.find("fleetctl enroll-token"), std::string::npos);
}

}  // namespace
}  // namespace controller
