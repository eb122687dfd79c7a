// Browsers that log in: a cookie instead of the token, nothing changed without the session's token,
// and wrong tokens counted.
#include "controller/browser_sessions.h"

#include "proto/json.h"
#include "tests/unit/controller/api_world.h"

namespace controller {
namespace {

struct BrowserSessionTest : ::testing::Test, ApiWorld {
  Request login(const std::string& token, const std::string& from = "192.0.2.7") {
    Request head = request("POST", "/v1/session", "", R"({"token": ")" + token + R"("})");
    head.csrf = "login";
    head.remote_address = from;
    return head;
  }
  // The value of the cookie that a login sets, "" if it sets none.
  static std::string cookie_of(const Response& response) {
    const auto found = response.headers.find("Set-Cookie");
    if (found == response.headers.end()) return "";
    const std::string name = std::string(kSessionCookie) + "=";
    EXPECT_EQ(found->second.rfind(name, 0), 0u);
    return found->second.substr(name.size(), found->second.find(';') - name.size());
  }
  Request browser(const std::string& method, const std::string& path, const std::string& cookie,
                  const std::string& csrf = "") {
    Request head = request(method, path, "");
    head.cookie = cookie;
    head.csrf = csrf;
    return head;
  }
  int status(Request head) { return ask(std::move(head)).status; }
};

TEST_F(BrowserSessionTest, ALoginGivesACookieThatNoScriptAndNoOtherSiteCanUse) {
  const Response in = ask(login("deployer"));
  ASSERT_EQ(in.status, 201) << in.body;
  const std::string& header = in.headers.at("Set-Cookie");
  for (const char* part : {"; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"}) {
    EXPECT_NE(header.find(part), std::string::npos) << part;
  }
  const std::string cookie = cookie_of(in);
  EXPECT_EQ(cookie.size(), 52u);
  const auto said = proto::from_json<v1::BrowserSession>(in.body);
  EXPECT_EQ(said->role(), "deployer");
  EXPECT_EQ(in.body.find(cookie), std::string::npos) << "scripts read the body";
  const auto again = proto::from_json<v1::BrowserSession>(
      ask(browser("GET", "/v1/session", cookie)).body);
  EXPECT_EQ(again->csrf(), said->csrf());
  EXPECT_EQ(status(browser("GET", "/v1/devices", cookie)), 200);
  EXPECT_EQ(status(browser("GET", "/v1/devices", "guessed")), 401);
  EXPECT_EQ(status(browser("GET", "/v1/session", "")), 401);
}

TEST_F(BrowserSessionTest, ALoginWithoutTheHeaderThatOnlyOurPageSendsIsRefused) {
  Request head = login("admin");
  head.csrf.clear();
  const Response refused = ask(head);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(cookie_of(refused), "");
}

TEST_F(BrowserSessionTest, ABrowserChangesNothingWithoutItsSessionsToken) {
  const std::string cookie = cookie_of(ask(login("admin")));
  const std::string csrf = BrowserSessions::csrf_of(cookie);
  const std::string other = BrowserSessions::csrf_of(cookie_of(ask(login("admin"))));
  for (const char* method : {"POST", "PATCH", "DELETE", "PUT"}) {
    for (const std::string& wrong : {std::string(), std::string("login"), other}) {
      EXPECT_EQ(status(browser(method, "/v1/devices/edge-1", cookie, wrong)), 403) << method;
    }
  }
  EXPECT_EQ(status(browser("DELETE", "/v1/devices/edge-1", cookie, csrf)), 404);
  Request head = browser("PUT", "/v1/blobs/" + ota::sha256("x").hex(), cookie);
  EXPECT_EQ(upload(head, "x", 0).status, 403);
  EXPECT_EQ(ask("DELETE", "/v1/devices/edge-1", "admin").status, 404) << "a bearer needs none";
}

TEST_F(BrowserSessionTest, ASessionHasTheRoleOfItsToken) {
  const std::string cookie = cookie_of(ask(login("viewer")));
  const std::string csrf = BrowserSessions::csrf_of(cookie);
  EXPECT_EQ(status(browser("POST", "/v1/orders", cookie, csrf)), 403);
}

TEST_F(BrowserSessionTest, ItEndsByLogoutAndByTime) {
  const std::string first = cookie_of(ask(login("admin")));
  const std::string second = cookie_of(ask(login("admin")));
  EXPECT_EQ(status(browser("DELETE", "/v1/session", first)), 403) << "another site logs nobody out";
  const Response out =
      ask(browser("DELETE", "/v1/session", first, BrowserSessions::csrf_of(first)));
  EXPECT_EQ(out.status, 204);
  EXPECT_NE(out.headers.at("Set-Cookie").find("Max-Age=0"), std::string::npos);
  EXPECT_EQ(status(browser("GET", "/v1/devices", first)), 401);
  EXPECT_EQ(status(browser("GET", "/v1/devices", second)), 200);
  world.clock.advance(kBrowserSession_ms - 1);
  EXPECT_EQ(status(browser("GET", "/v1/devices", second)), 200);
  world.clock.advance(1);
  EXPECT_EQ(status(browser("GET", "/v1/devices", second)), 401);
}

TEST_F(BrowserSessionTest, ItOutlivesARestartAndWhatIsStoredIsNoCookie) {
  const std::string cookie = cookie_of(ask(login("viewer")));
  BrowserSessions restarted(*world.store, world.clock);
  const auto found = restarted.find(cookie);
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->token_hash, ota::hash_token("viewer").hex());
  const auto stored = world.store->setting("browser_sessions");
  EXPECT_EQ((*stored)->find(cookie), std::string::npos);
  ASSERT_TRUE(restarted.end(cookie));
  BrowserSessions again(*world.store, world.clock);
  EXPECT_FALSE(again.find(cookie)->has_value()) << "a logout is kept, too";
}

TEST_F(BrowserSessionTest, OnlySoManyAreKeptAndTheOldestGo) {
  BrowserSessions browsers(*world.store, world.clock);
  const std::string oldest = browsers.begin("hash")->cookie;
  std::string newest;
  for (std::size_t i = 0; i < kBrowserSessionsKept; ++i) {
    world.clock.advance(1);
    newest = browsers.begin("hash")->cookie;
  }
  EXPECT_FALSE(browsers.find(oldest)->has_value());
  EXPECT_TRUE(browsers.find(newest)->has_value());
}

TEST_F(BrowserSessionTest, WrongTokensAreCountedForEachAddress) {
  for (int i = 0; i < kLoginFailuresFromOne; ++i) EXPECT_EQ(status(login("wrong")), 401) << i;
  const Response refused = ask(login("admin"));
  EXPECT_EQ(refused.status, 429) << "the right one, too";
  EXPECT_EQ(refused.headers.at("Retry-After"), "60");
  EXPECT_EQ(status(login("admin", "192.0.2.8")), 201) << "somebody else is let in";
  world.clock.advance(kLoginFailures_ms);
  EXPECT_EQ(status(login("admin")), 201);
}

TEST_F(BrowserSessionTest, WrongTokensAreCountedForAllTogether) {
  for (int i = 0; i < kLoginFailuresFromAll; ++i) {
    EXPECT_EQ(status(login("wrong", "192.0.2." + std::to_string(i))), 401) << i;
  }
  EXPECT_EQ(status(login("admin", "198.51.100.1")), 429);
  EXPECT_EQ(ask("GET", "/v1/devices", "viewer").status, 200) << "who has a token is no browser";
  world.clock.advance(kLoginFailures_ms);
  EXPECT_EQ(status(login("admin", "198.51.100.1")), 201);
}

TEST_F(BrowserSessionTest, OtherMethodsAndBodiesAreRefused) {
  Request head = login("admin");
  head.method = "PUT";
  EXPECT_EQ(status(head), 405);
  head = login("admin");
  head.body = "no json";
  EXPECT_EQ(status(head), 400);
  EXPECT_EQ(ask("GET", "/v1/session", "admin").status, 404) << "a bearer is no browser";
}

}  // namespace
}  // namespace controller
