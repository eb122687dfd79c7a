#include "controller/http_text.h"

#include <gtest/gtest.h>

#include "controller/api_routes.h"
#include "controller/report_bounds.h"

namespace controller {
namespace {

TEST(HttpText, SplitsAPathAndItsQuery) {
  Request request;
  ASSERT_TRUE(split_target("/v1/devices?selector=site%3Dlyon%2Cedge&state=on+line", request));
  EXPECT_EQ(request.path, "/v1/devices");
  EXPECT_EQ(request.parameter("selector"), "site=lyon,edge");
  EXPECT_EQ(request.parameter("state"), "on line");
  EXPECT_EQ(request.parameter("none"), "");
}

TEST(HttpText, RefusesPathsThatAreNotPlain) {
  for (const char* target : {"", "v1", "//", "/v1//x", "/..", "/v1/../x", "/./x", "/v1/%2e%2e/x",
                             "/v1/%00", "/v1/%zz", "/v1/%2", "/v1/a%2f%2fb", "/v1/?x=%0",
                             "/v1/\x01", "/v1/?x=%0A", "/v1/?x=\x7F"}) {
    Request request;
    EXPECT_FALSE(split_target(target, request).has_value()) << target;
  }
  Request request;
  EXPECT_FALSE(split_target(std::string_view("/v1\0x", 6), request).has_value());
}

struct RangeCase {
  const char* header;
  std::uint64_t offset;
  std::uint64_t length;
  bool partial;
};

TEST(HttpText, ReadsRangesAndIgnoresOtherForms) {
  const RangeCase cases[] = {{"", 0, 100, false},
                             {"bytes=0-", 0, 100, true},
                             {"bytes=10-19", 10, 10, true},
                             {"bytes=90-500", 90, 10, true},
                             {"bytes=99-99", 99, 1, true},
                             {"bytes=-5", 0, 100, false},
                             {"bytes=5-1", 0, 100, false},
                             {"bytes=1-2,4-5", 0, 100, false},
                             {"lines=1-2", 0, 100, false},
                             {"bytes=99999999999999999999-", 0, 100, false}};
  for (const RangeCase& each : cases) {
    const auto range = parse_range(each.header, 100);
    ASSERT_TRUE(range.has_value()) << each.header;
    EXPECT_EQ(range->offset, each.offset) << each.header;
    EXPECT_EQ(range->length, each.length) << each.header;
    EXPECT_EQ(range->partial, each.partial) << each.header;
  }
  EXPECT_FALSE(parse_range("bytes=100-", 100).has_value());
  EXPECT_FALSE(parse_range("bytes=0-", 0).has_value());
  EXPECT_EQ(parse_range("bytes=10-19", 100)->content_range(100), "bytes 10-19/100");
}

TEST(Routes, PatternsMatchWholePaths) {
  std::vector<std::string> words;
  EXPECT_TRUE(matches("/v1/devices/{name}", "/v1/devices/edge-1", words));
  EXPECT_EQ(words, std::vector<std::string>{"edge-1"});
  EXPECT_TRUE(matches("/v1/apps/{app}/logs", "/v1/apps/dns/logs", words));
  EXPECT_FALSE(matches("/v1/devices/{name}", "/v1/devices", words));
  EXPECT_FALSE(matches("/v1/devices/{name}", "/v1/devices/a/b", words));
  EXPECT_FALSE(matches("/v1/devices", "/v1/device", words));
}

TEST(Routes, WhatChangesSomethingNeedsMoreThanAViewer) {
  for (const Route& route : operator_routes()) {
    if (std::string(route.method) == "GET") continue;
    EXPECT_GE(route.least, Role::deployer) << route.method << " " << route.pattern;
  }
}

TEST(ReportBounds, CutWhatADeviceSaysAtACharacter) {
  fleet::v1::Report report;
  report.set_detail(std::string(255, 'a') + "\xc3\xa9 and more");
  report.set_attempt(std::string(1000, 'b'));
  for (int i = 0; i < 100; ++i) {
    report.mutable_why()->add_console_tail(std::string(10000, 'c'));
    report.add_steps();
  }
  report.mutable_status()->mutable_spare()->set_id(std::string(1000, 'd'));
  bound_report(report);
  EXPECT_EQ(report.status().spare().id().size(), 64u);
  EXPECT_EQ(report.detail(), std::string(255, 'a')) << "not half a character";
  EXPECT_EQ(report.attempt().size(), 32u);
  EXPECT_EQ(report.why().console_tail_size(), 20);
  EXPECT_EQ(report.why().console_tail(0).size(), 512u);
  EXPECT_EQ(report.steps_size(), 32);
  EXPECT_LE(report.ByteSizeLong(), 16u * 1024);
}

TEST(ReportBounds, RefuseFactsThatAreTooLarge) {
  fleet::v1::Telemetry facts;
  EXPECT_TRUE(is_bounded(facts));
  for (int i = 0; i < 65; ++i) facts.add_apps();
  EXPECT_FALSE(is_bounded(facts));
  facts.clear_apps();
  facts.mutable_inventory()->set_kernel(std::string(kMaxFactsBytes, 'x'));
  EXPECT_FALSE(is_bounded(facts));
}

TEST(HttpText, ACookieIsFoundByItsWholeName) {
  EXPECT_EQ(cookie_named("a", "a=1"), "1");
  EXPECT_EQ(cookie_named("b", "a=1; b=2;c=3"), "2");
  EXPECT_EQ(cookie_named("c", "a=1; b=2;c=3=4"), "3=4");
  EXPECT_EQ(cookie_named("a", "aa=1; xa=2; =3; a"), "");
  EXPECT_EQ(cookie_named("a", "a=1; a=2"), "1") << "the first counts";
  for (const char* header : {"", ";", " ; ;", "=", "a"}) EXPECT_EQ(cookie_named("a", header), "");
}

}  // namespace
}  // namespace controller
