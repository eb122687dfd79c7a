// The routes without a network: who may ask what, and which status tells what is wrong.
#include "controller/api.h"

#include <regex>
#include <set>

#include "proto/json.h"
#include "tests/unit/controller/api_world.h"

namespace controller {
namespace {

proto::awaitable<void> keep_flight(Flights& flights, std::vector<ReceivedFlight> batch) {
  const Status kept = co_await flights.keep(batch);
  EXPECT_TRUE(kept.has_value());
}

proto::awaitable<void> next_piece(Feed& feed, proto::Clock& clock, std::string& out) {
  const auto piece = co_await feed.next(proto::Deadline::after(clock, 1));
  out = piece ? *piece : piece.error().what;
}

struct ApiTest : ::testing::Test, ApiWorld {};

TEST_F(ApiTest, WithoutAKnownTokenNothingIsTold) {
  for (const char* token : {"", "wrong"}) {
    EXPECT_EQ(ask("GET", "/v1/devices", token).status, 401) << token;
    EXPECT_EQ(ask("GET", "/v1/nothing", token).status, 401) << token;
    EXPECT_EQ(upload(ota::sha256("x").hex(), "x", 0, token).status, 401) << token;
  }
}

TEST_F(ApiTest, HealthAndTheDashboardNeedNoToken) {
  EXPECT_EQ(ask("GET", "/healthz", "").status, 200);
  const Response page = ask("GET", "/", "");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  for (const char* path : {"/rollouts/r-1", "/rollouts", "/devices/edge-1", "/apps", "/audit"}) {
    EXPECT_EQ(ask("GET", path, "").body, page.body) << path;
  }
  EXPECT_EQ(ask("GET", "/index.htm", "").status, 401);
}

TEST_F(ApiTest, MetricsAreAViewersAndInPrometheusFormat) {
  world.set_up_trust();
  EXPECT_EQ(ask("GET", "/metrics", "").status, 401);
  ask("POST", "/v1/pushes", "deployer", "{}");
  const Response scraped = ask("GET", "/metrics", "viewer");
  EXPECT_EQ(scraped.status, 200);
  EXPECT_EQ(scraped.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(scraped.body.find("fleet_pushes_total{result=\"refused\"} 1\n"), std::string::npos);
  EXPECT_NE(scraped.body.find("_expiry_timestamp_seconds{role=\"root\"}"), std::string::npos);
}

TEST_F(ApiTest, ADeployerMayYankAndNoMore) {
  world.set_up_trust();
  EXPECT_EQ(ask("POST", "/v1/metadata", "viewer", R"({"role": "apps.dns"})").status, 403);
  EXPECT_EQ(ask("POST", "/v1/metadata", "deployer", R"({"role": "root"})").status, 403);
  EXPECT_EQ(ask("POST", "/v1/metadata", "deployer", R"({"role": "targets"})").status, 403);
  EXPECT_EQ(ask("POST", "/v1/metadata", "deployer", R"({"role": "apps.dns"})").status, 400)
      << "nothing was published";
  EXPECT_EQ(ask("POST", "/v1/online-keys/timestamp", "deployer").status, 403);
  EXPECT_EQ(ask("POST", "/v1/online-keys/timestamp", "admin").status, 201);
  EXPECT_EQ(ask("POST", "/v1/online-keys/targets", "admin").status, 400);
}

// The page of foreign text: whatever gets into it, the browser runs and fetches nothing else.
TEST_F(ApiTest, TheDashboardsPolicyAllowsOnlyItsOwnFiles) {
  for (const char* path :
       {"/", "/rollouts/r-1", "/app.js", "/plots.js", "/style.css", "/icon.svg"}) {
    const Response file = ask("GET", path, "");
    ASSERT_EQ(file.status, 200) << path;
    const std::string& policy = file.headers.at("Content-Security-Policy");
    for (const char* part : {"default-src 'none'", "script-src 'self';", "style-src 'self';",
                             "connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'",
                             "form-action 'none'", "require-trusted-types-for 'script'"}) {
      EXPECT_NE(policy.find(part), std::string::npos) << path << ": " << part;
    }
    EXPECT_EQ(policy.find("unsafe"), std::string::npos) << path;
    EXPECT_EQ(file.headers.at("Referrer-Policy"), "no-referrer") << path;
  }
}

// The page, then each script and style that it names, by absolute address or "./name".
TEST_F(ApiTest, EveryFileThatTheDashboardNamesIsServedAndNoOther) {
  const std::regex names(R"re((?:(?:src|href)="|import\("\.)(/[^"]*\.[a-z]+)")re");
  std::vector<std::string> todo = {"/"};
  std::set<std::string> seen;
  while (!todo.empty()) {
    const std::string path = todo.back();
    todo.pop_back();
    if (!seen.insert(path).second) continue;
    const Response file = ask("GET", path, "");
    ASSERT_EQ(file.status, 200) << path;
    if (path == "/") {
      for (const char* word : {"http://", "https://", "<script>", "onclick=", "style=", "<style"}) {
        EXPECT_EQ(file.body.find(word), std::string::npos) << word;
      }
    }
    const std::sregex_iterator end;
    for (std::sregex_iterator at(file.body.begin(), file.body.end(), names); at != end; ++at) {
      todo.push_back((*at)[1]);
    }
  }
  EXPECT_EQ(seen.count("/app.js") + seen.count("/style.css") + seen.count("/plots.js"), 3u);
  EXPECT_EQ(ask("GET", "/app.js", "").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(ask("GET", "/icon.svg", "").content_type, "image/svg+xml");
}

TEST_F(ApiTest, EventsBeginWithTheNewestAndGoOnWhereAFollowerWas) {
  world.set_up_trust();
  world.enroll("edge-1");
  const auto id = world.enroll("edge-2");
  EXPECT_EQ(ask("GET", "/v1/events", "").status, 401);
  Request head = request("GET", "/v1/events", "viewer");
  head.query["recent"] = "1";
  const Response newest = ask(head);
  EXPECT_EQ(newest.content_type, "text/event-stream");
  ASSERT_TRUE(newest.feed);
  std::string text;
  run(next_piece(*newest.feed, world.clock, text));
  EXPECT_EQ(text.find("edge-1"), std::string::npos) << text;
  EXPECT_NE(text.find("\"text\":\"edge-2 joined"), std::string::npos) << text;
  ASSERT_EQ(text.rfind("id: ", 0), 0u);
  head.last_event_id = text.substr(4, text.find('\n') - 4);
  ASSERT_TRUE(world.fleet->came_online(id, "edge-2"));
  const Response rest = ask(head);
  run(next_piece(*rest.feed, world.clock, text));
  EXPECT_EQ(text.find("joined"), std::string::npos) << text;
  EXPECT_NE(text.find("device.online"), std::string::npos) << text;
}

TEST_F(ApiTest, AListOfDevicesComesInPages) {
  world.set_up_trust();
  for (const char* name : {"edge-1", "edge-2", "edge-3"}) world.enroll(name);
  world.enroll("other", "rest");
  const auto names = [&](const std::string& after, const std::string& limit) {
    Request question = request("GET", "/v1/devices", "viewer");
    question.query["selector"] = "edge";
    question.query["limit"] = limit;
    if (!after.empty()) question.query["after"] = after;
    const auto list = proto::from_json<v1::DeviceList>(ask(question).body);
    EXPECT_TRUE(list.has_value());
    EXPECT_EQ(list->fleet_size(), 4u);
    std::string text;
    for (const v1::Device& device : list->devices()) text += device.name() + " ";
    return text;
  };
  EXPECT_EQ(names("", "2"), "edge-1 edge-2 ");
  EXPECT_EQ(names("edge-2", "2"), "edge-3 ");
  EXPECT_EQ(names("edge-3", "2"), "");
  EXPECT_EQ(names("edge-1", "100"), "edge-2 edge-3 ");
  Request bad = request("GET", "/v1/devices", "viewer");
  for (const char* limit : {"0", "-1", "x", "1x", "99999999999"}) {
    bad.query["limit"] = limit;
    EXPECT_EQ(ask(bad).status, 400) << limit;
  }
}

TEST_F(ApiTest, ARoleCanDoNoMoreThanItsOwn) {
  struct Case {
    const char* method;
    const char* path;
    const char* least;
  };
  const Case cases[] = {{"GET", "/v1/devices", "viewer"},
                        {"GET", "/v1/apps/dns/flights", "viewer"},
                        {"POST", "/v1/pushes", "deployer"},
                        {"POST", "/v1/orders", "deployer"},
                        {"POST", "/v1/metadata", "admin"},
                        {"POST", "/v1/enroll-tokens", "admin"},
                        {"DELETE", "/v1/devices/edge-1", "admin"}};
  const std::vector<std::string> roles = {"viewer", "deployer", "admin"};
  for (const Case& each : cases) {
    bool allowed = false;
    for (const std::string& role : roles) {
      allowed = allowed || role == each.least;
      const int status = ask(each.method, each.path, role, "{}").status;
      EXPECT_EQ(status == 403, !allowed) << each.method << " " << each.path << " by " << role;
    }
  }
  EXPECT_EQ(upload(ota::sha256("x").hex(), "x", 0, "viewer").status, 403);
}

TEST_F(ApiTest, StatusSaysWhatKindOfWrong) {
  EXPECT_EQ(ask("GET", "/v1/nothing", "viewer").status, 404);
  EXPECT_EQ(ask("GET", "/v1/devices/nobody", "viewer").status, 404);
  EXPECT_EQ(ask("GET", "/v1/rollouts/r-9", "viewer").status, 404);
  EXPECT_EQ(ask("GET", "/v1/rollouts/9", "viewer").status, 400);
  EXPECT_EQ(ask("PUT", "/v1/devices", "viewer").status, 405);
  EXPECT_EQ(ask("POST", "/v1/pushes", "admin", "no json").status, 400);
  EXPECT_EQ(ask("POST", "/v1/pushes", "admin", R"({"no_such_field": 1})").status, 400);
  EXPECT_EQ(ask("GET", "/v1/metadata/timestamp.json", "viewer").status, 404);
  EXPECT_EQ(ask("POST", "/v1/metadata", "admin", R"({"role":"snapshot","json":"{}"})").status, 400);
}

TEST_F(ApiTest, ABlobIsThereOnceItsBytesMatch) {
  const std::string bytes = "the bytes of an image";
  const std::string name = ota::sha256(bytes).hex();
  EXPECT_EQ(ask("GET", "/v1/blobs/" + name, "viewer").status, 404);
  EXPECT_EQ(upload(name, bytes).status, 201);
  EXPECT_EQ(upload(name, bytes).status, 200) << "again changes nothing";
  const Response found = ask("HEAD", "/v1/blobs/" + name, "viewer");
  ASSERT_TRUE(found.file.has_value());
  EXPECT_EQ(found.file->size_bytes, bytes.size());
}

TEST_F(ApiTest, ABlobWithAnotherDigestIsRefused) {
  const std::string name = ota::sha256("other").hex();
  EXPECT_EQ(upload(name, "bytes").status, 422);
  EXPECT_EQ(ask("GET", "/v1/blobs/" + name, "viewer").status, 404);
  EXPECT_EQ(upload("no-digest", "bytes").status, 400);
}

TEST_F(ApiTest, AnUploadThatIsCutLeavesNoBlobAndCanBeRepeated) {
  const std::string bytes(100000, 'x');
  const std::string name = ota::sha256(bytes).hex();
  EXPECT_EQ(upload(name, bytes, 1).status, 0) << "nobody to answer";
  EXPECT_EQ(ask("GET", "/v1/blobs/" + name, "viewer").status, 404);
  EXPECT_EQ(upload(name, bytes).status, 201);
}

TEST_F(ApiTest, AnUploadOfUnknownLengthIsRefused) {
  Request head = request("PUT", "/v1/blobs/" + ota::sha256("x").hex(), "deployer");
  EXPECT_EQ(upload(std::move(head), "x", 0).status, 400);
}

TEST_F(ApiTest, AStrangersBodyIsSmall) {
  EXPECT_EQ(operators->body_max_bytes(request("POST", "/v1/pushes", "wrong")), kUnknownBodyBytes);
  EXPECT_EQ(operators->body_max_bytes(request("POST", "/v1/pushes", "deployer")),
            proto::kMaxHttpJsonBytes);
  EXPECT_EQ(devices->body_max_bytes(Request()), kUnknownBodyBytes);
}

TEST_F(ApiTest, APushToNobodySaysWhatIsNear) {
  world.set_up_trust();
  world.enroll("edge-1");
  const auto body = proto::to_json(world.next_push("egde"));
  const Response refused = ask("POST", "/v1/pushes", "deployer", *body);
  EXPECT_EQ(refused.status, 422);
  const auto error = proto::from_json<v1::ApiError>(refused.body);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->nearest(0), "edge");
}

TEST_F(ApiTest, FlightRecordsAreListedByDeviceAndReleaseAndGoWithTheirDevice) {
  world.set_up_trust();
  for (const char* name : {"edge-1", "edge-2"}) {
    v1::FlightRecord record;
    record.set_id(std::string(15, 'a') + name[5]);
    record.set_app("dns");
    record.set_release(name[5] == '1' ? 1 : 2);
    record.set_console("crashed");
    record.mutable_why()->set_fingerprint("0123abcd");
    run(keep_flight(*flights, {{world.enroll(name), record}}));
  }
  const auto listed = [this](const std::string& name = "", const std::string& value = "") {
    Request head = request("GET", "/v1/apps/dns/flights", "viewer");
    if (!name.empty()) head.query[name] = value;
    return ask(head);
  };
  const auto all = proto::from_json<v1::FlightList>(listed().body);
  ASSERT_EQ(all->flights_size(), 2);
  EXPECT_EQ(all->flights(0).device(), "edge-2") << "newest first";
  EXPECT_GT(all->flights(0).received_ms(), 0u);
  EXPECT_EQ(all->flights(1).record().console(), "crashed");
  ASSERT_EQ(all->faults_size(), 1);
  EXPECT_EQ(all->faults(0).devices(), 2u);
  EXPECT_EQ(proto::from_json<v1::FlightList>(listed("device", "edge-1").body)->flights_size(), 1);
  EXPECT_EQ(proto::from_json<v1::FlightList>(listed("release", "3").body)->flights_size(), 0);
  EXPECT_EQ(proto::from_json<v1::FlightList>(listed("last", "1").body)->kept(), 2u);
  EXPECT_EQ(listed("device", "edge-9").status, 404);
  EXPECT_EQ(listed("last", "-1").status, 400);
  EXPECT_EQ(listed("release", "x").status, 400);
  EXPECT_EQ(ask("DELETE", "/v1/devices/edge-1", "admin").status, 204);
  EXPECT_EQ(flight_disk->list("")->size(), 1u);
  EXPECT_EQ(proto::from_json<v1::FlightList>(listed().body)->faults(0).devices(), 1u);
}

TEST_F(ApiTest, APushIsShownAsItsRollout) {
  world.set_up_trust();
  world.enroll("edge-1");
  const auto body = proto::to_json(world.next_push("edge"));
  Request head = request("POST", "/v1/pushes", "deployer", *body);
  head.idempotency_key = "the-key-of-it";
  const Response begun = ask(head);
  ASSERT_EQ(begun.status, 201) << begun.body;
  const auto rollout = proto::from_json<v1::Rollout>(begun.body);
  ASSERT_TRUE(rollout.has_value());
  EXPECT_EQ(rollout->id(), "r-1");
  EXPECT_EQ(rollout->by(), "deployer");
  ASSERT_EQ(rollout->devices_size(), 1);
  EXPECT_GT(rollout->last_event(), 0u);
  EXPECT_EQ(ask(head).body, begun.body) << "asked again it is the same";
  EXPECT_EQ(ask("GET", "/v1/rollouts/r-1", "viewer").status, 200);
  const auto apps = proto::from_json<v1::AppList>(ask("GET", "/v1/apps", "viewer").body);
  EXPECT_EQ(apps->apps(0).newest_release(), 1u);
  const auto releases =
      proto::from_json<v1::ReleaseList>(ask("GET", "/v1/apps/dns/releases", "viewer").body);
  ASSERT_EQ(releases->releases_size(), 1);
  EXPECT_TRUE(releases->releases(0).listed());
  const auto events = world.store->events_after(0, {1, "", ""}, 1);
  EXPECT_EQ(events->front().event.text(), "deployer began r-1: push dns 1 to edge");
  EXPECT_EQ(ask("POST", "/v1/rollouts/r-1/abort", "deployer").status, 200);
  EXPECT_EQ(ask("POST", "/v1/rollouts/r-1/abort", "deployer").status, 200) << "it is so already";
  EXPECT_EQ(ask("POST", "/v1/rollouts/r-1/pause", "deployer").status, 409);
}

TEST_F(ApiTest, ADeviceWithoutACertificateMayEnrolAndNothingElse) {
  Response out = ask_as_device(request("GET", "/device/v1/metadata/timestamp.json", ""));
  EXPECT_EQ(out.status, 401);
  out = ask_as_device(request("POST", "/device/v1/enroll", "", "{}"));
  EXPECT_EQ(out.status, 400) << out.body;
  EXPECT_EQ(devices->may_link(Request()).error().code, proto::Code::unauthenticated);
}

TEST_F(ApiTest, ARevokedOrUnknownOrExpiredDeviceIsRefused) {
  world.set_up_trust();
  Request head = request("GET", "/device/v1/metadata/timestamp.json", "");
  head.peer.has_certificate = true;
  head.peer.certificate.common_name = world.enroll("edge-1");
  Response out = ask_as_device(head);
  EXPECT_EQ(out.status, 200);
  head.peer.expired = true;
  out = ask_as_device(head);
  EXPECT_EQ(out.status, 401);
  EXPECT_TRUE(devices->may_link(head).has_value()) << "for Renew";
  head.peer.expired = false;
  EXPECT_EQ(ask("DELETE", "/v1/devices/edge-1", "admin").status, 204);
  out = ask_as_device(head);
  EXPECT_EQ(out.status, 403);
  head.peer.certificate.common_name = "somebody";
  out = ask_as_device(head);
  EXPECT_EQ(out.status, 401);
}

}  // namespace
}  // namespace controller
