// The network probes against answers on loopback: silence, a refusal and a wrong answer are told
// apart, since the first two mean "not there yet" and the last one what the guest says instead.
#include "agent/health.h"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace {

namespace asio = boost::asio;
using agent::ProbeResult;
using asio::ip::tcp;
using proto::awaitable;
using proto::Deadline;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr agent::Ipv4 kLoopback{0x7f000001};

awaitable<void> answer_one(tcp::acceptor& acceptor, std::string answer) {
  auto [refused, socket] = co_await acceptor.async_accept(kAwait);
  if (refused) co_return;
  std::array<char, 1024> request{};
  co_await socket.async_read_some(asio::buffer(request), kAwait);
  co_await asio::async_write(socket, asio::buffer(answer), kAwait);
}

awaitable<void> probe_once(agent::Prober& prober, fleet::v1::Health health, agent::Ipv4 guest,
                           Deadline deadline, ProbeResult& out) {
  out = co_await prober.probe(std::move(health), guest, deadline);
}

struct ProbeTest : ::testing::Test {
  asio::io_context loop{1};
  proto::RealClock clock{loop};
  agent::NetworkProber prober{loop, clock};
  tcp::acceptor acceptor{loop, tcp::endpoint(asio::ip::address_v4(kLoopback.value), 0)};
  fleet::v1::Health health;
  agent::Ipv4 guest = kLoopback;

  ProbeTest() {
    health.set_type(fleet::v1::HEALTH_HTTP);
    health.set_path("/page");
    health.set_port(acceptor.local_endpoint().port());
  }

  ProbeResult probe(Deadline deadline) {
    ProbeResult result;
    proto::TaskGroup tasks(loop);
    tasks.spawn("probe", probe_once(prober, health, guest, deadline, result));
    loop.restart();
    while (tasks.size() > 0) loop.run_one();
    return result;
  }
  ProbeResult probe_answered_with(const std::string& answer) {
    proto::TaskGroup tasks(loop);
    tasks.spawn("server", answer_one(acceptor, answer));
    ProbeResult result = probe(Deadline::never());
    while (tasks.size() > 0) loop.run_one();
    return result;
  }
};

TEST_F(ProbeTest, TheWantedStatusPasses) {
  const ProbeResult result = probe_answered_with("HTTP/1.1 200 OK\r\n\r\nhello");
  EXPECT_TRUE(result.passed) << result.text;
  EXPECT_TRUE(result.answered);
}

TEST_F(ProbeTest, AnotherStatusIsAWrongAnswerAndNamed) {
  const ProbeResult result = probe_answered_with("HTTP/1.0 404 Not Found\r\n\r\n");
  EXPECT_FALSE(result.passed);
  EXPECT_TRUE(result.answered);
  EXPECT_EQ(result.text, "http /page: status 404, not 200");
}

TEST_F(ProbeTest, AGuestWithoutAnAddressIsNotThisHost) {
  guest = agent::Ipv4();
  const ProbeResult result = probe(Deadline::never());
  EXPECT_FALSE(result.passed);
  EXPECT_FALSE(result.answered);
  EXPECT_EQ(result.text, "no address of the guest is known");
}

TEST_F(ProbeTest, ARefusedConnectionIsNoAnswer) {
  acceptor.close();
  const ProbeResult result = probe(Deadline::never());
  EXPECT_FALSE(result.passed);
  EXPECT_FALSE(result.answered);
  EXPECT_NE(result.text.find("http /page: "), std::string::npos) << result.text;
}

TEST_F(ProbeTest, SilenceUntilTheDeadlineIsNoAnswer) {
  const ProbeResult result = probe(Deadline::after(clock, 20));  // the listener accepts nobody
  EXPECT_FALSE(result.passed);
  EXPECT_FALSE(result.answered);
  EXPECT_EQ(result.text, "http /page: no answer in time");
}

}  // namespace
