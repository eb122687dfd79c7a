#include "images/runtime/net/http_request.h"

#include <gtest/gtest.h>

#include <string>

namespace images::runtime::net {
namespace {

TEST(HttpRequest, IsReadOnceItsHeadIsWhole) {
  const std::string whole = "GET /metrics?a=b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(read_http_request({whole.data(), size}).status, 0) << size;
  }
  const HttpRequest request = read_http_request(whole);
  EXPECT_EQ(request.status, 200);
  EXPECT_EQ(request.path, "/metrics");
  EXPECT_FALSE(request.head_only);
}

TEST(HttpRequest, IsAnsweredOrRefused) {
  const struct {
    const char* text;
    int status;
  } cases[] = {
      {"GET / HTTP/1.0\n\n", 200},
      {"HEAD / HTTP/1.1\r\n\r\n", 200},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 405},
      {"get / HTTP/1.1\r\n\r\n", 405},
      {"GET / HTTP/2.0\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\n\r\n", 400},
      {"GET /\x01 HTTP/1.1\r\n\r\n", 400},
      {"GET /\xff HTTP/1.1\r\n\r\n", 400},
      {"\r\n\r\n", 400},
      {" / HTTP/1.1\r\n\r\n", 405},
  };
  for (const auto& c : cases) EXPECT_EQ(read_http_request(c.text).status, c.status) << c.text;
  EXPECT_TRUE(read_http_request("HEAD / HTTP/1.1\r\n\r\n").head_only);
}

TEST(HttpRequest, HasALimit) {
  const std::string endless(kMaxRequestBytes, 'a');
  EXPECT_EQ(read_http_request(endless).status, 431);
  EXPECT_EQ(read_http_request({endless.data(), kMaxRequestBytes - 1}).status, 0);
}

}  // namespace
}  // namespace images::runtime::net
