// Every route by every role, by tokens for the fleet, for the device's group and for another one,
// on the real handlers: what is not allowed here by name does not pass. A route that is not in the
// table is a failure, so whoever adds one says what a token of a group may do with it.
#include "controller/access.h"

#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "controller/embedded.h"
#include "proto/json.h"
#include "tests/unit/controller/api_world.h"

namespace controller {
namespace {

struct Asked {
  std::string path;
  std::string query{};  // one parameter, "name=value"
  std::string body{};
};

// The fleet: edge-1 in group edge, lab-1 in group lab; r-1 is of edge, r-2 of lab, r-3 of both.
struct Case {
  Role least;
  bool for_groups;              // a token of edge may use it, on what is edge's
  Asked own;                    // touches edge alone
  std::vector<Asked> foreign{}; // touches lab, too: never for a token of edge
};

using Table = std::map<std::string, Case>;

constexpr Role kV = Role::viewer;
constexpr Role kD = Role::deployer;
constexpr Role kA = Role::admin;

const std::string kStopLab = R"({"app": "dns", "selector": "lab", "kind": "ORDER_STOP"})";
const std::string kStopAll = R"({"app": "dns", "selector": "all", "kind": "ORDER_STOP"})";
const std::string kStopEdge = R"({"app": "dns", "selector": "edge", "kind": "ORDER_STOP"})";

const Table& table() {
  static const Table all = {
      {"GET /v1/status", {kV, true, {"/v1/status"}}},
      {"GET /v1/whoami", {kV, true, {"/v1/whoami"}}},
      {"GET /v1/openapi.yaml", {kV, true, {"/v1/openapi.yaml"}}},
      {"GET /metrics", {kV, false, {"/metrics"}}},
      {"GET /v1/fleet", {kV, true, {"/v1/fleet"}}},
      {"GET /v1/fleet/devices", {kV, true, {"/v1/fleet/devices"}}},
      {"GET /v1/devices", {kV, true, {"/v1/devices"}}},
      {"GET /v1/devices/{name}", {kV, true, {"/v1/devices/edge-1"}, {{"/v1/devices/lab-1"}}}},
      {"GET /v1/devices/{name}/history",
       {kV, true, {"/v1/devices/edge-1/history"}, {{"/v1/devices/lab-1/history"}}}},
      {"GET /v1/devices/{name}/why",
       {kV, true, {"/v1/devices/edge-1/why"}, {{"/v1/devices/lab-1/why"}}}},
      {"DELETE /v1/devices/{name}", {kA, true, {"/v1/devices/edge-1"}, {{"/v1/devices/lab-1"}}}},
      {"PATCH /v1/devices/{name}",
       {kD, true, {"/v1/devices/edge-1", "", "{}"}, {{"/v1/devices/lab-1", "", "{}"}}}},
      {"POST /v1/devices/accept",
       {kD, true, {"/v1/devices/accept", "", R"({"selector": "edge"})"},
        {{"/v1/devices/accept", "", R"({"selector": "lab"})"}}}},
      {"POST /v1/enroll-tokens",
       {kA, true, {"/v1/enroll-tokens", "", R"({"group": "edge"})"},
        {{"/v1/enroll-tokens", "", R"({"group": "lab"})"}, {"/v1/enroll-tokens", "", "{}"}}}},
      {"GET /v1/tokens", {kA, false, {"/v1/tokens"}}},
      {"POST /v1/tokens",
       {kA, false, {"/v1/tokens", "", R"({"name": "bo", "role": "viewer", "groups": ["edge"]})"}}},
      {"DELETE /v1/tokens/{name}", {kA, false, {"/v1/tokens/viewer-edge"}}},
      {"GET /v1/apps", {kV, true, {"/v1/apps"}}},
      {"GET /v1/apps/{app}/releases", {kV, true, {"/v1/apps/dns/releases"}}},
      {"GET /v1/apps/{app}/history", {kV, true, {"/v1/apps/dns/history"}}},
      {"GET /v1/apps/{app}/logs",
       {kV, true, {"/v1/apps/dns/logs"}, {{"/v1/apps/dns/logs", "device=lab-1"},
                                          {"/v1/apps/dns/logs", "selector=lab"}}}},
      {"GET /v1/apps/{app}/flights",
       {kV, true, {"/v1/apps/dns/flights"}, {{"/v1/apps/dns/flights", "device=lab-1"}}}},
      {"GET /v1/apps/{app}/config",
       {kV, true, {"/v1/apps/dns/config"}}},
      {"POST /v1/apps/{app}/config",
       {kD, true, {"/v1/apps/dns/config", "", R"({"selector": "edge", "unset": ["site"]})"},
        {{"/v1/apps/dns/config", "", R"({"selector": "lab", "unset": ["site"]})"},
         {"/v1/apps/dns/config", "", R"({"selector": "all", "unset": ["site"]})"}}}},
      {"GET /v1/blobs/{sha256}", {kV, true, {"/v1/blobs/" + ota::sha256("image").hex()}}},
      {"PUT /v1/blobs/{sha256}", {kD, true, {"/v1/blobs/" + ota::sha256("x").hex()}}},
      {"GET /v1/metadata/{file}", {kV, true, {"/v1/metadata/timestamp.json"}}},
      {"POST /v1/metadata",
       {kD, true, {"/v1/metadata", "", R"({"role": "apps.web"})"},
        {{"/v1/metadata", "", R"({"role": "apps.dns"})"},
         {"/v1/metadata", "", R"({"role": "root"})"},
         {"/v1/metadata", "", R"({"role": "targets"})"}}}},
      {"GET /v1/online-keys", {kV, true, {"/v1/online-keys"}}},
      {"POST /v1/online-keys/{role}", {kA, false, {"/v1/online-keys/timestamp"}}},
      {"POST /v1/pushes", {kD, true, {"/v1/pushes", "", "edge"},
                           {{"/v1/pushes", "", "lab"}, {"/v1/pushes", "", "all"}}}},
      {"POST /v1/orders", {kD, true, {"/v1/orders", "", kStopEdge},
                           {{"/v1/orders", "", kStopLab}, {"/v1/orders", "", kStopAll}}}},
      {"GET /v1/rollouts", {kV, true, {"/v1/rollouts"}}},
      {"GET /v1/rollouts/{id}", {kV, true, {"/v1/rollouts/r-1"}, {{"/v1/rollouts/r-2"}}}},
      {"POST /v1/rollouts/{id}/abort",
       {kD, true, {"/v1/rollouts/r-1/abort"},
        {{"/v1/rollouts/r-2/abort"}, {"/v1/rollouts/r-3/abort"}}}},
      {"POST /v1/rollouts/{id}/pause",
       {kD, true, {"/v1/rollouts/r-1/pause"},
        {{"/v1/rollouts/r-2/pause"}, {"/v1/rollouts/r-3/pause"}}}},
      {"POST /v1/rollouts/{id}/resume",
       {kD, true, {"/v1/rollouts/r-1/resume"},
        {{"/v1/rollouts/r-2/resume"}, {"/v1/rollouts/r-3/resume"}}}},
      {"POST /v1/rollouts/{id}/retry",
       {kD, true, {"/v1/rollouts/r-1/retry"},
        {{"/v1/rollouts/r-2/retry"}, {"/v1/rollouts/r-3/retry"}}}},
      {"GET /v1/audit", {kV, false, {"/v1/audit"}}},
      {"POST /v1/audit/accept", {kA, false, {"/v1/audit/accept"}}},
      {"GET /v1/events", {kV, true, {"/v1/events", "recent=100"}}},
      {"GET /v1/logs/stream",
       {kV, true, {"/v1/logs/stream", "app=dns"}, {{"/v1/logs/stream", "selector=lab"}}}},
  };
  return all;
}

struct AccessWorld : ApiWorld {
  AccessWorld() {
    world.set_up_trust();
    world.enroll("edge-1", "edge");
    world.enroll("lab-1", "lab");
    world.next_vars["site"].set_type(v1::VAR_STRING);
    for (const char* name : {"edge-1", "lab-1"}) world.online(name);
    EXPECT_TRUE(world.push(world.next_push("edge")).has_value());
    EXPECT_TRUE(world.push(world.next_push("lab")).has_value());
    EXPECT_TRUE(world.order(v1::ORDER_RESTART, "all").has_value());
    for (const char* role : {"viewer", "deployer", "admin"}) {
      const std::string name = std::string(role) + "-edge";
      EXPECT_TRUE(world.store->add_api_token(ota::hash_token(name).hex(), {name, role, {"edge"}}));
    }
  }

  static Request head(const std::string& method, const Asked& asked, const std::string& token) {
    Request out = request(method, asked.path, token, asked.body);
    const std::size_t equals = asked.query.find('=');
    if (equals != std::string::npos) {
      out.query[asked.query.substr(0, equals)] = asked.query.substr(equals + 1);
    }
    return out;
  }

  /// The answer, with the first piece of a stream as its body.
  Response try_it(const std::string& route, Asked asked, const std::string& token) {
    const std::string method = route.substr(0, route.find(' '));
    if (method == "PUT") return upload(ota::sha256("x").hex(), "x", 0, token);
    if (asked.path == "/v1/pushes") asked.body = *proto::to_json(world.next_push(asked.body));
    Response response = asked.path.ends_with("/logs") ? ask_patiently(head(method, asked, token))
                                                      : ask(head(method, asked, token));
    // Consoles are silent here: who reads them waits for ever.
    if (response.feed && asked.path == "/v1/events") {
      run(read_piece(*response.feed, world.clock, response.body));
    }
    response.feed.reset();
    return response;
  }

  /// Consoles are waited for a little: the clock moves on meanwhile.
  Response ask_patiently(Request head) {
    Response out;
    proto::TaskGroup tasks(loop);
    tasks.spawn("ask", answer_to(*operators, std::move(head), out));
    for (int i = 0; i < 3 && tasks.size() > 0; ++i) {
      loop.restart();
      loop.poll();
      world.clock.advance(1000);
    }
    loop.restart();
    loop.poll();
    EXPECT_EQ(tasks.size(), 0u);
    return out;
  }

  static proto::awaitable<void> answer_to(Handler& handler, Request request, Response& out) {
    out = co_await handler.handle(std::move(request));
  }

  static proto::awaitable<void> read_piece(Feed& feed, proto::Clock& clock, std::string& out) {
    const auto piece = co_await feed.next(proto::Deadline::after(clock, 1));
    out = piece ? *piece : piece.error().what;
  }
};

std::string name_of(const Route& route) {
  return std::string(route.method) + " " + route.pattern;
}

TEST(Access, EveryRouteHasItsLineAndEveryLineARoute) {
  std::set<std::string> routes;
  for (const Route& route : operator_routes()) {
    const std::string name = name_of(route);
    EXPECT_TRUE(routes.insert(name).second) << name << " is there twice";
    const auto line = table().find(name);
    ASSERT_TRUE(line != table().end())
        << name << " is new: say here what each role and a token of a group may do with it";
    EXPECT_EQ(route.least, line->second.least) << name;
    EXPECT_EQ(route.reach != Reach::fleet, line->second.for_groups) << name;
  }
  for (const auto& [name, line] : table()) EXPECT_EQ(routes.count(name), 1u) << name;
}

// controller/openapi.yaml, read as text: its paths stand at two blanks, their methods at four.
TEST(Access, TheDescriptionOfTheApiNamesTheSameRoutes) {
  std::set<std::string> described;
  std::istringstream lines{std::string(kApiFiles[0].text())};
  std::string path;
  bool in_paths = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.front() != ' ' && line.front() != '#') in_paths = line == "paths:";
    if (!in_paths || !line.ends_with(':')) continue;
    const std::size_t from = line.find_first_not_of(' ');
    const std::string word = line.substr(from, line.size() - from - 1);
    if (from == 2) path = word;
    if (from != 4 || word == "parameters") continue;
    std::string method;
    for (const char c : word) method += static_cast<char>(std::toupper(c));
    described.insert(method + " " + path);
  }
  std::set<std::string> routes;
  for (const Route& route : operator_routes()) routes.insert(name_of(route));
  EXPECT_EQ(described, routes);
}

TEST(Access, OnlyWhatTheTableAllowsPasses) {
  AccessWorld shared;
  for (const auto& [route, line] : table()) {
    for (const Role role : {kV, kD, kA}) {
      const std::string word = word_of(role);
      const bool by_role = role >= line.least;
      // What is removed for one case is not there for the next.
      const bool removes = route.starts_with("DELETE") && by_role;
      std::optional<AccessWorld> of_fleet;
      std::optional<AccessWorld> of_group;
      if (removes) {
        of_fleet.emplace();
        of_group.emplace();
      }
      AccessWorld& first = removes ? *of_fleet : shared;
      AccessWorld& second = removes ? *of_group : shared;
      EXPECT_EQ(first.try_it(route, line.own, word).status != 403, by_role) << route << word;
      const Response own = second.try_it(route, line.own, word + "-edge");
      EXPECT_EQ(own.status != 403 && own.status != 404, by_role && line.for_groups)
          << route << " by " << word << " of edge: " << own.status << " " << own.body;
    }
  }
}

TEST(Access, ATokenOfAGroupReachesNothingOfAnother) {
  AccessWorld world;  // one: nothing of this changes it
  for (const auto& [route, line] : table()) {
    for (const Asked& asked : line.foreign) {
      for (const Role role : {kV, kD, kA}) {
        const Response response =
            world.try_it(route, asked, std::string(word_of(role)) + "-edge");
        EXPECT_TRUE(response.status == 403 || response.status == 404)
            << route << " " << asked.path << asked.query << asked.body << " by " << word_of(role)
            << ": " << response.status << " " << response.body;
        EXPECT_EQ(world.world.rollout(3).state, v1::ROLLOUT_RUNNING) << route;
        EXPECT_EQ(world.world.store->rollouts(10)->size(), 3u) << route;
      }
    }
  }
}

// Not by name, not by id, not in a count or a suggestion.
TEST(Access, NothingThatATokenOfAGroupReadsNamesAnother) {
  AccessWorld world;
  const std::string id = world.world.id_of("lab-1");
  std::size_t read = 0;
  for (const auto& [route, line] : table()) {
    if (!route.starts_with("GET") || !line.for_groups) continue;
    const Response response = world.try_it(route, line.own, "admin-edge");
    if (response.status != 200) continue;
    ++read;
    for (const std::string& word : {std::string("lab-1"), id}) {
      EXPECT_EQ(response.body.find(word), std::string::npos) << route << "\n" << response.body;
    }
  }
  EXPECT_GE(read, 12u);
  Request near = ApiWorld::request("GET", "/v1/devices", "admin-edge");
  near.query["selector"] = "lap-1";
  EXPECT_EQ(world.ask(near).body.find("lab-1"), std::string::npos);
  const auto all = proto::from_json<v1::DeviceList>(
      world.ask("GET", "/v1/devices", "viewer-edge").body);
  EXPECT_EQ(all->fleet_size(), 1u);
  EXPECT_EQ(proto::from_json<v1::ServerStatus>(
                world.ask("GET", "/v1/status", "viewer-edge").body)->devices(), 1u);
}

TEST(Access, ARolloutOfSeveralGroupsShowsItsOwnDevicesAlone) {
  AccessWorld world;
  const auto shown = proto::from_json<v1::Rollout>(
      world.ask("GET", "/v1/rollouts/r-3", "viewer-edge").body);
  ASSERT_TRUE(shown.has_value());
  ASSERT_EQ(shown->devices_size(), 1);
  EXPECT_EQ(shown->devices(0).device(), "edge-1");
  EXPECT_EQ(shown->counts().devices(), 1u);
  const auto list =
      proto::from_json<v1::RolloutList>(world.ask("GET", "/v1/rollouts", "viewer-edge").body);
  ASSERT_EQ(list->rollouts_size(), 2) << "r-3 and r-1, not r-2";
  EXPECT_EQ(list->rollouts(0).id(), "r-3");
}

TEST(Access, ARefusalNamesTheDevicesOutsideAndWhatToWrite) {
  AccessWorld world;
  const Response refused =
      world.try_it("POST /v1/orders", {"/v1/orders", "", kStopAll}, "deployer-edge");
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("all reaches lab-1, outside the groups of token deployer-edge; "
                              "write --to edge"), std::string::npos) << refused.body;
}

TEST(Access, WhatATokenOfAGroupBeganNeverTakesInAnotherGroupsDevice) {
  AccessWorld world;
  const std::string label = R"({"set": {"site": "lyon"}})";
  EXPECT_EQ(world.ask("PATCH", "/v1/devices/edge-1", "admin", label).status, 200);
  const auto push = world.world.next_push("site=lyon");
  const Response begun = world.ask("POST", "/v1/pushes", "deployer-edge", *proto::to_json(push));
  ASSERT_EQ(begun.status, 201) << begun.body;
  v1::EnrollTokenRequest asked;
  asked.set_group("lab");
  (*asked.mutable_labels())["site"] = "lyon";
  const auto token = world.world.enrolment->make_token(asked, "ana");
  v1::EnrollRequest request;
  request.set_token(token->bootstrap().token());
  request.set_csr_der(*proto::make_csr(*proto::PrivateKey::generate(), "device"));
  request.set_name("lab-2");
  ASSERT_TRUE(world.world.enrolment->enroll(request).has_value());
  world.world.online("lab-2");
  EXPECT_FALSE(world.world.wish("lab-2").has_value()) << "it is of lab";
  (*asked.mutable_labels())["site"] = "lyon";
  asked.set_group("edge");
  const auto own = world.world.enrolment->make_token(asked, "ana");
  request.set_token(own->bootstrap().token());
  request.set_csr_der(*proto::make_csr(*proto::PrivateKey::generate(), "device"));
  request.set_name("edge-2");
  ASSERT_TRUE(world.world.enrolment->enroll(request).has_value());
  world.world.online("edge-2");
  EXPECT_TRUE(world.world.wish("edge-2").has_value()) << "it is of edge, and joins";
}

// --- tokens

struct TokensTest : ::testing::Test, ApiWorld {
  std::string create(const std::string& body) {
    const Response made = ask("POST", "/v1/tokens", "admin", body);
    EXPECT_EQ(made.status, 201) << made.body;
    return proto::from_json<v1::Token>(made.body)->secret();
  }
};

TEST_F(TokensTest, AreGoodAtOnceAndShowTheirRightsAndNoSecretTwice) {
  const std::string secret =
      create(R"({"name": "ana", "role": "deployer", "groups": ["edge", "lab"]})");
  const auto who = proto::from_json<v1::Whoami>(ask("GET", "/v1/whoami", secret).body);
  ASSERT_TRUE(who.has_value());
  EXPECT_EQ(who->name(), "ana");
  EXPECT_EQ(who->role(), "deployer");
  EXPECT_EQ(who->groups_size(), 2);
  const std::string list = ask("GET", "/v1/tokens", "admin").body;
  EXPECT_NE(list.find("\"ana\""), std::string::npos);
  EXPECT_EQ(list.find(secret), std::string::npos);
  EXPECT_EQ(list.find(ota::hash_token(secret).hex()), std::string::npos);
}

TEST_F(TokensTest, EndWhenTheyAreRevokedAndWhenTheirTimeIsOver) {
  const std::string revoked = create(R"({"name": "ana", "role": "viewer"})");
  const std::string timed = create(R"({"name": "bo", "role": "viewer", "ttl_ms": "60000"})");
  world.set_up_trust();
  world.enroll("edge-1");
  Request events = request("GET", "/v1/events", revoked);
  events.query["recent"] = "1";
  const Response stream = ask(events);
  ASSERT_TRUE(stream.feed);
  EXPECT_EQ(ask("DELETE", "/v1/tokens/ana", "admin").status, 204);
  EXPECT_EQ(ask("GET", "/v1/whoami", revoked).status, 401);
  std::string piece;
  run(AccessWorld::read_piece(*stream.feed, world.clock, piece));
  EXPECT_EQ(piece, "the token of this stream is good no more");
  EXPECT_EQ(ask("GET", "/v1/whoami", timed).status, 200);
  world.clock.advance(60000);
  const Response over = ask("GET", "/v1/whoami", timed);
  EXPECT_EQ(over.status, 401);
  EXPECT_NE(over.body.find("has expired"), std::string::npos) << over.body;
}

TEST_F(TokensTest, AreRefusedWithAWordOnWhatIsWrong) {
  const std::pair<const char*, int> cases[] = {
      {R"({"name": "Ana", "role": "viewer"})", 400},
      {R"({"name": "controller", "role": "viewer"})", 400},
      {R"({"name": "ana", "role": "root"})", 400},
      {R"({"name": "ana", "role": "viewer", "groups": ["a,b"]})", 400},
      {R"({"name": "ana", "role": "viewer", "groups": ["all"]})", 400},
      {R"({"name": "ana", "role": "viewer", "ttl_ms": "999999999999999"})", 400},
      {R"({"name": "viewer", "role": "viewer"})", 409}};
  for (const auto& [body, status] : cases) {
    EXPECT_EQ(ask("POST", "/v1/tokens", "admin", body).status, status) << body;
  }
  EXPECT_EQ(ask("DELETE", "/v1/tokens/nobody", "admin").status, 404);
}

TEST_F(TokensTest, TheLastAdminStays) {
  ASSERT_TRUE(world.store->remove_api_token("admin").has_value());  // of `init` and of this test
  ASSERT_TRUE(world.store->add_api_token(ota::hash_token("admin").hex(), {"root", "admin"}));
  EXPECT_EQ(ask("DELETE", "/v1/tokens/root", "admin").status, 409);
  create(R"({"name": "bo", "role": "admin", "ttl_ms": "60000"})");
  EXPECT_EQ(ask("DELETE", "/v1/tokens/root", "admin").status, 409) << "bo's ends by itself";
  create(R"({"name": "cy", "role": "admin"})");
  EXPECT_EQ(ask("DELETE", "/v1/tokens/root", "admin").status, 204);
}

}  // namespace
}  // namespace controller
