// The agent's pure parts: DNS and HTTP answers, health, restarts, faults, values, times.
#include <gtest/gtest.h>

#include "agent/dns_probe.h"
#include "agent/fault.h"
#include "agent/guest_config.h"
#include "agent/health_judge.h"
#include "agent/http.h"
#include "agent/inventory.h"
#include "agent/link.h"
#include "agent/restart_judge.h"
#include "agent/trust.h"
#include "tests/unit/agent/repository.h"
#include "tests/unit/ota/temp_dir.h"

namespace {

using agent::HealthJudge;
using agent::ProbeResult;
using agent::Verdict;
using proto::Code;

// --- DNS

std::vector<std::uint8_t> answer_to(const agent::DnsQuestion& question, std::uint16_t id,
                                    std::uint8_t rcode, int records) {
  auto bytes = agent::build_dns_query(question, id);
  bytes[2] = 0x84;  // an authoritative answer
  bytes[3] = rcode;
  bytes[7] = static_cast<std::uint8_t>(records);
  for (int i = 0; i < records; ++i) {
    const int type = question.type;
    for (const int byte : {0xC0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 80}) {
      bytes.push_back(static_cast<std::uint8_t>(byte));
    }
  }
  return bytes;
}

TEST(DnsProbe, PassesAnAnswerOfTheAskedTypeAndNamesWhatIsWrongWithOthers) {
  const auto question = *agent::parse_dns_question("www.Example.test A");
  EXPECT_EQ(question.name, "www.example.test");
  const auto good = agent::judge_dns_answer(answer_to(question, 7, 0, 2), question, 7);
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(*good, 2);
  const auto no_name = agent::judge_dns_answer(answer_to(question, 7, 3, 0), question, 7);
  ASSERT_FALSE(no_name.has_value());
  EXPECT_EQ(no_name.error().code, Code::unhealthy);
  EXPECT_NE(no_name.error().what.find("NXDOMAIN"), std::string::npos);
  const auto empty = agent::judge_dns_answer(answer_to(question, 7, 0, 0), question, 7);
  ASSERT_FALSE(empty.has_value());
  EXPECT_EQ(empty.error().code, Code::unhealthy);
}

TEST(DnsProbe, IgnoresAnswersToOtherQueriesAndNeverReadsBeyondTheMessage) {
  const auto question = *agent::parse_dns_question("a.test AAAA");
  const auto whole = answer_to(question, 7, 0, 1);
  EXPECT_EQ(agent::judge_dns_answer(whole, question, 8).error().code, Code::bad_argument);
  const auto other = *agent::parse_dns_question("b.test AAAA");
  EXPECT_EQ(agent::judge_dns_answer(whole, other, 7).error().code, Code::bad_argument);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::span<const std::uint8_t> cut(whole.data(), size);
    EXPECT_FALSE(agent::judge_dns_answer(cut, question, 7).has_value()) << size;
  }
}

TEST(DnsProbe, RefusesAQueryThatCannotBeAsked) {
  for (const char* text : {"a..b A", "a.test NOSUCH", ".a A"}) {
    EXPECT_FALSE(agent::parse_dns_question(text).has_value()) << text;
  }
  EXPECT_FALSE(agent::parse_dns_question(std::string(64, 'a') + ".test A").has_value());
  EXPECT_TRUE(agent::parse_dns_question("example.test").has_value());
}

TEST(HttpProbe, ReadsTheStatusWhenTheHeaderIsWholeAndRefusesWhatIsNoHttp) {
  const std::string whole = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(*agent::parse_http_status(whole), 503u);
  EXPECT_EQ(*agent::parse_http_status("HTTP/1.1 200 OK\r\nServer"), 0u);
  EXPECT_EQ(*agent::parse_http_status("HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), 200u);
  EXPECT_FALSE(agent::parse_http_status("SSH-2.0-OpenSSH\r\n\r\n").has_value());
}

// --- health and restarts

ProbeResult passed() { return {true, 1, "answered"}; }
ProbeResult failed() { return {false, 1, "no answer in time"}; }

TEST(HealthJudge, IsHealthyOnlyAfterSoManyPassesInARow) {
  HealthJudge judge(tests::make_manifest("dns", 1).health(), 10'000);
  EXPECT_EQ(judge.wait_ms(), 50u);
  EXPECT_EQ(judge.on_probe(passed(), 10), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(passed(), 60), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(failed(), 110), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(passed(), 160), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(passed(), 210), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(passed(), 260), Verdict::healthy);
  EXPECT_EQ(judge.wait_ms(), 1000u);
  EXPECT_EQ(judge.passed(), 5u);
  EXPECT_EQ(judge.total(), 6u);
}

TEST(HealthJudge, SaysNoAnswerOnceWhenTheDeadlinePasses) {
  HealthJudge judge(tests::make_manifest("dns", 1).health(), 1000);
  EXPECT_EQ(judge.on_probe(failed(), 999), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(failed(), 1000), Verdict::no_answer);
  EXPECT_EQ(judge.on_time(2000), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(passed(), 2100), Verdict::undecided);
}

TEST(HealthJudge, KnowsSilenceFromAWrongAnswer) {
  HealthJudge judge(tests::make_manifest("dns", 1).health(), 1000);
  judge.on_probe(failed(), 100);
  EXPECT_FALSE(judge.answers_wrongly());
  judge.on_probe({false, 1, "http /: status 404, not 200", true}, 200);
  EXPECT_TRUE(judge.answers_wrongly());
  EXPECT_EQ(judge.last_failure(), "http /: status 404, not 200");
  judge.on_probe(failed(), 300);
  EXPECT_FALSE(judge.answers_wrongly());
}

TEST(HealthJudge, IsUnhealthyAfterSoManyFailuresInARowAndKeepsSixtyProbes) {
  HealthJudge judge(tests::make_manifest("dns", 1).health(), 1000);
  for (int i = 0; i < 3; ++i) judge.on_probe(passed(), 10);
  ASSERT_TRUE(judge.healthy());
  EXPECT_EQ(judge.on_probe(failed(), 2000), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(passed(), 3000), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(failed(), 4000), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(failed(), 5000), Verdict::undecided);
  EXPECT_EQ(judge.on_probe(failed(), 6000), Verdict::unhealthy);
  for (int i = 0; i < 100; ++i) judge.on_probe(passed(), 7000);
  EXPECT_EQ(judge.trace().size(), proto::kFlightProbes);
}

TEST(RestartJudge, BacksOffByDoublingUpToTheMostAndForgetsAfterAGoodRun) {
  using Kind = agent::RestartDecision::Kind;
  auto rules = tests::make_manifest("dns", 1).restart();
  rules.set_crash_loop_count(0);
  rules.set_backoff_max_ms(350);
  agent::RestartJudge judge(rules);
  for (const std::uint64_t wait_ms : {100u, 200u, 350u, 350u}) {
    const auto decision = judge.on_end(true, 0);
    EXPECT_EQ(decision.kind, Kind::restart);
    EXPECT_EQ(decision.wait_ms, wait_ms);
  }
  judge.on_healthy_for(349);
  EXPECT_EQ(judge.on_end(true, 0).wait_ms, 350u);
  judge.on_healthy_for(350);
  EXPECT_EQ(judge.on_end(true, 0).wait_ms, 100u);
  EXPECT_EQ(judge.restarts(), 6u);
}

TEST(RestartJudge, CallsFiveEndsInTenMinutesACrashLoop) {
  using Kind = agent::RestartDecision::Kind;
  agent::RestartJudge judge(tests::make_manifest("dns", 1).restart());
  EXPECT_EQ(judge.on_end(true, 0).kind, Kind::restart);
  EXPECT_EQ(judge.on_end(true, 700'000).kind, Kind::restart);  // the first is out of the window
  EXPECT_EQ(judge.on_end(true, 700'100).kind, Kind::restart);
  EXPECT_EQ(judge.on_end(true, 700'200).kind, Kind::restart);
  EXPECT_EQ(judge.on_end(true, 700'300).kind, Kind::restart);
  EXPECT_EQ(judge.on_end(true, 700'400).kind, Kind::crash_loop);
}

TEST(RestartJudge, ObeysThePolicy) {
  using Kind = agent::RestartDecision::Kind;
  auto rules = tests::make_manifest("dns", 1).restart();
  rules.set_policy(fleet::v1::ON_FAILURE);
  agent::RestartJudge on_failure(rules);
  EXPECT_EQ(on_failure.on_end(false, 0).kind, Kind::leave);
  EXPECT_EQ(on_failure.on_end(true, 0).kind, Kind::restart);
  rules.set_policy(fleet::v1::NEVER);
  agent::RestartJudge never(rules);
  EXPECT_EQ(never.on_end(true, 0).kind, Kind::leave);
}

// --- faults

TEST(Fault, TheTailShowsTheLastLinesWithControlBytesVisible) {
  const auto tail = agent::console_tail("one\n\ntwo\r\n\x1b[31mred\nlast", 3);
  ASSERT_EQ(tail.size(), 3u);
  EXPECT_EQ(tail[0], "two");
  EXPECT_EQ(tail[1], "\\x1b[31mred");
  EXPECT_EQ(tail[2], "last");
  EXPECT_TRUE(agent::console_tail("", 3).empty());
  EXPECT_LE(agent::console_tail(std::string(5000, '\x01'), 3)[0].size(),
            agent::kTailLineBytes + 4);
}

TEST(Fault, TheSameFaultOnTwoDevicesHasOneFingerprint) {
  fleet::v1::Reason one;
  one.set_code(fleet::v1::CODE_NO_ANSWER);
  one.add_console_tail("dns: listening on 10.213.77.3:5353 after 12ms");
  fleet::v1::Reason two = one;
  two.set_console_tail(0, "dns: listening on 10.213.77.19:5353 after 130ms");
  EXPECT_EQ(agent::fingerprint(one, ""), agent::fingerprint(two, ""));
  EXPECT_EQ(agent::fingerprint(one, "").size(), 8u);
  fleet::v1::Reason other = one;
  other.set_console_tail(0, "dns: no zone");
  EXPECT_NE(agent::fingerprint(one, ""), agent::fingerprint(other, ""));
  other = one;
  other.set_code(fleet::v1::CODE_GUEST_EXIT);
  EXPECT_NE(agent::fingerprint(one, ""), agent::fingerprint(other, ""));
  EXPECT_NE(agent::fingerprint(one, "0x100abc"), agent::fingerprint(one, "0x100abd"));
}

// --- values

TEST(GuestConfig, FillsOnlyDeclaredVariablesWithinTheirTypes) {
  auto manifest = tests::make_manifest("dns", 1);
  (*manifest.mutable_vars())["site"].set_type(fleet::v1::VAR_STRING);
  (*manifest.mutable_vars())["site"].set_default_("nowhere");
  (*manifest.mutable_vars())["site"].set_max_length(8);
  (*manifest.mutable_vars())["up"].set_type(fleet::v1::VAR_IPV4);
  (*manifest.mutable_vars())["up"].set_default_("192.0.2.53");
  manifest.mutable_images(0)->mutable_kernel()->set_sha256(std::string(64, 'a'));
  manifest.mutable_images(0)->mutable_kernel()->set_size_bytes(1);
  manifest.add_args("--up=((up))");
  manifest.set_hostname("dns-((site))");
  const auto defaults = agent::variable_values(manifest, {}, nullptr);
  ASSERT_TRUE(defaults.has_value());
  const auto run = agent::configured(manifest, *defaults);
  ASSERT_TRUE(run.has_value()) << run.error().what;
  EXPECT_EQ(run->hostname(), "dns-nowhere");
  EXPECT_EQ(*run->args().rbegin(), "--up=192.0.2.53");
  const agent::Values kRefused[] = {
      {{"site", "much too long"}}, {{"up", "--rrl=0"}}, {{"other", "x"}}, {{"*up", "00"}}};
  for (const agent::Values& values : kRefused) {
    EXPECT_FALSE(agent::variable_values(manifest, values, nullptr).has_value())
        << values.begin()->first;
  }
  // Each value is good, what comes of it is no host name.
  const auto odd = agent::variable_values(manifest, {{"site", "a b"}}, nullptr);
  ASSERT_TRUE(odd.has_value());
  EXPECT_FALSE(agent::configured(manifest, *odd).has_value());
}

TEST(GuestConfig, AVariableWithoutAValueIsHeldByNameWithTheWayToSetIt) {
  auto manifest = tests::make_manifest("dns", 1);
  (*manifest.mutable_vars())["site"].set_type(fleet::v1::VAR_STRING);
  (*manifest.mutable_vars())["site"].set_from("label:place");
  (*manifest.mutable_vars())["site"].set_required(true);
  const auto missing = agent::variable_values(manifest, {}, nullptr);
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().what.find("fleetctl config set dns site=VALUE"), std::string::npos);
  EXPECT_NE(missing.error().what.find("label place"), std::string::npos);
  EXPECT_TRUE(agent::variable_values(manifest, {{"site", "x"}}, nullptr).has_value());
}

TEST(GuestConfig, ASecretReachesATemplateAndNothingElse) {
  TempDir folder;
  const auto disk = ota::RealDisk::open(folder / "");
  ASSERT_TRUE(disk.has_value());
  const auto secrets = agent::Secrets::load(**disk, "device1");
  ASSERT_TRUE(secrets.has_value());
  const auto again = agent::Secrets::load(**disk, "device1");
  EXPECT_EQ(again->public_key(), secrets->public_key());
  auto manifest = tests::make_manifest("dns", 1);
  (*manifest.mutable_vars())["tsig"].set_type(fleet::v1::VAR_SECRET);
  (*manifest.mutable_vars())["tsig"].set_max_length(8);
  fleet::v1::DesiredApp wish;
  const auto sealed = [&](const char* app, const char* value) {
    (*wish.mutable_sealed())["tsig"] =
        *ota::seal(secrets->public_key(), {"device1", app, "tsig"}, ota::Secret(value));
    return agent::values_of(wish);
  };
  const auto values = agent::variable_values(manifest, sealed("dns", "hush"), &*secrets);
  ASSERT_TRUE(values.has_value()) << values.error().what;
  EXPECT_EQ(*proto::fill("key ((tsig))", *values), "key hush");
  EXPECT_FALSE(agent::variable_values(manifest, sealed("web", "hush"), &*secrets).has_value());
  EXPECT_FALSE(agent::variable_values(manifest, sealed("dns", "hush"), nullptr).has_value());
  EXPECT_FALSE(agent::variable_values(manifest, {{"tsig", "hush"}}, &*secrets).has_value());
  const auto longer = agent::variable_values(manifest, sealed("dns", "much too long"), &*secrets);
  ASSERT_FALSE(longer.has_value());
  EXPECT_EQ(longer.error().what.find("much"), std::string::npos);
  EXPECT_EQ(agent::write_overrides(sealed("dns", "hush")).find("hush"), std::string::npos);
}

TEST(GuestConfig, OverridesComeBackAsTheyWereWritten) {
  const agent::Values values = {{"a", "1:2"}, {"b", ""}, {"c", "x=y\n"}};
  EXPECT_EQ(*agent::read_overrides(agent::write_overrides(values)), values);
  EXPECT_EQ(agent::write_overrides({}), "");
  for (const char* text : {"3:ab", "1:a", "x", "1:a9:b"}) {
    EXPECT_FALSE(agent::read_overrides(text).has_value()) << text;
  }
}

TEST(Time, TheFloorHoldsWhereTheClockCannotBeBelieved) {
  agent::TimeFacts facts;
  facts.floor_s = 1000;
  facts.root_expires_s = 5000;
  facts.wall_s = 10;
  EXPECT_EQ(agent::trusted_now(facts), 1000);  // a clock chip that forgot
  facts.wall_s = 2000;
  EXPECT_EQ(agent::trusted_now(facts), 2000);
  facts.wall_s = 9000;
  EXPECT_EQ(agent::trusted_now(facts), 1000);  // beyond what people signed
  facts.synchronised = true;
  EXPECT_EQ(agent::trusted_now(facts), 9000);
}

std::uint32_t most(std::uint32_t bound) { return bound - 1; }
std::uint32_t least(std::uint32_t) { return 0; }

TEST(Link, TheBackOffHasFullJitterUnderADoublingCapAboveTheFloor) {
  EXPECT_EQ(agent::backoff_ms(1, 0, least), 0);
  EXPECT_EQ(agent::backoff_ms(1, 0, most), 999);
  EXPECT_EQ(agent::backoff_ms(4, 0, most), 7999);
  EXPECT_EQ(agent::backoff_ms(100, 0, most), 59'999);
  EXPECT_EQ(agent::backoff_ms(1, 5000, least), 5000);
}

TEST(Inventory, ReadsMeminfo) {
  EXPECT_EQ(*agent::parse_meminfo("MemTotal:  100 kB\nMemAvailable:   50 kB\n", "MemAvailable:"),
            50u * 1024);
  EXPECT_FALSE(agent::parse_meminfo("MemTotal: 1 kB\n", "MemAvailable:").has_value());
  EXPECT_FALSE(agent::parse_meminfo("MemAvailable:", "MemAvailable:").has_value());
}

}  // namespace
