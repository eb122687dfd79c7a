// Base URLs and what becomes of names in them. The fetching is tests/e2e/tuf_conformance_test.sh.
#include "ota/remote.h"

#include <gtest/gtest.h>

namespace {

TEST(BaseUrl, HasSchemeHostPortAndPath) {
  struct Case {
    const char* text;
    bool without_tls;
    const char* host;
    std::uint16_t port;
    const char* path;
  };
  const Case cases[] = {
      {"https://mirror.test/tuf/", false, "mirror.test", 443, "/tuf/"},
      {"https://mirror.test", false, "mirror.test", 443, "/"},
      {"http://127.0.0.1:8080/a/b", true, "127.0.0.1", 8080, "/a/b/"},
      {"http://[::1]:8080/", true, "[::1]", 8080, "/"},
      {"http://[::1]/x", true, "[::1]", 80, "/x/"},
  };
  for (const Case& each : cases) {
    const auto url = ota::parse_base_url(each.text);
    ASSERT_TRUE(url.has_value()) << each.text;
    EXPECT_EQ(url->without_tls, each.without_tls) << each.text;
    EXPECT_EQ(url->host, each.host) << each.text;
    EXPECT_EQ(url->port, each.port) << each.text;
    EXPECT_EQ(url->path, each.path) << each.text;
  }
}

TEST(BaseUrl, AnythingElseIsRefused) {
  for (const char* text :
       {"", "mirror.test", "ftp://mirror.test/", "https://", "https:///path", "https://a:/",
        "https://a:0/", "https://a:65536/", "https://a:80x/", "https://user@a/", "https://a/?q",
        "https://a/#f", "https://a\\b/", "http:/a", "HTTP://a/"}) {
    const auto url = ota::parse_base_url(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_EQ(url.error().code, ota::Code::bad_argument) << text;
  }
}

TEST(UrlPath, KeepsWhatMayStandThereAndEncodesTheRest) {
  EXPECT_EQ(ota::url_path("a/b-c_d.e~f"), "a/b-c_d.e~f");
  EXPECT_EQ(ota::url_path("a+b&c=d;e,f!$'()*:@"), "a+b&c=d;e,f!$'()*:@");
  EXPECT_EQ(ota::url_path("a b?c#d%e[f]"), "a%20b%3Fc%23d%25e%5Bf%5D");
  EXPECT_EQ(ota::url_path("\xC3\xBC"), "%C3%BC");
  EXPECT_EQ(ota::percent_encode("../a b"), "..%2Fa%20b");
}

}  // namespace
