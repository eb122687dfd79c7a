#include "agent/health.h"

#include <netinet/ip_icmp.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/generic/datagram_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "agent/dns_probe.h"
#include "agent/http.h"
#include "ota/hash.h"

namespace agent {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using proto::Code;
using proto::Error;
using proto::Status;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint32_t kIds = 0x10000;

// Closes a socket at the deadline, so that what waits on it ends. Lives in the waiter's frame.
template <typename Socket>
class Expiry {
 public:
  Expiry(proto::Clock& clock, Socket& socket, proto::Deadline deadline) : clock_(clock) {
    if (deadline.is_never()) return;
    timer_ = clock.call_at(deadline.at_ms, [this, &socket] {
      expired_ = true;
      boost::system::error_code ignored;
      socket.close(ignored);
    });
  }
  ~Expiry() { clock_.cancel(timer_); }
  Expiry(const Expiry&) = delete;
  Expiry& operator=(const Expiry&) = delete;
  bool expired() const { return expired_; }

 private:
  proto::Clock& clock_;
  proto::Clock::TimerId timer_ = 0;
  bool expired_ = false;
};

Error failed(const boost::system::error_code& error, bool expired, const std::string& what) {
  if (expired) return Error{Code::timeout, what + ": no answer in time", ""};
  return Error{Code::unreachable, what + ": " + error.message(), ""};
}

tcp::endpoint endpoint(Ipv4 guest, std::uint16_t port) {
  return {asio::ip::address_v4(guest.value), port};
}

std::uint16_t port_of(const fleet::v1::Health& health, std::uint16_t otherwise) {
  return health.port() == 0 ? otherwise : static_cast<std::uint16_t>(health.port());
}

}  // namespace

proto::awaitable<Status> NetworkProber::tcp(Ipv4 guest, std::uint16_t port,
                                            proto::Deadline deadline) {
  tcp::socket socket(loop_);
  const Expiry expiry(clock_, socket, deadline);
  const auto [error] = co_await socket.async_connect(endpoint(guest, port), kAwait);
  if (error) co_return failed(error, expiry.expired(), "tcp " + std::to_string(port));
  co_return Status();
}

proto::awaitable<Status> NetworkProber::http(fleet::v1::Health health, Ipv4 guest,
                                             proto::Deadline deadline) {
  const std::uint16_t port = port_of(health, kHttpPort);
  const std::string path = health.path().empty() ? "/" : health.path();
  const std::string what = "http " + path;
  tcp::socket socket(loop_);
  const Expiry expiry(clock_, socket, deadline);
  const auto [refused] = co_await socket.async_connect(endpoint(guest, port), kAwait);
  if (refused) co_return failed(refused, expiry.expired(), what);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: " + launcher::to_string(guest) +
                              "\r\nUser-Agent: fleet-agent\r\nConnection: close\r\n\r\n";
  const auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(request), kAwait);
  if (unsent) co_return failed(unsent, expiry.expired(), what);
  std::string answer;
  std::array<char, 2048> buffer{};
  while (answer.size() < kMaxProbeAnswerBytes) {
    const auto [ended, size] = co_await socket.async_read_some(asio::buffer(buffer), kAwait);
    answer.append(buffer.data(), size);
    auto status = parse_http_status(answer);
    if (status && *status != 0) {
      const unsigned wanted = health.status() == 0 ? 200 : health.status();
      if (*status == wanted) co_return Status();
      co_return Error{Code::unhealthy,
                      what + ": status " + std::to_string(*status) + ", not " +
                          std::to_string(wanted), ""};
    }
    if (!status) co_return status.error().with(what);
    if (ended) co_return failed(ended, expiry.expired(), what);
  }
  co_return Error{Code::too_large, what + ": the header is longer than 8 KiB", ""};
}

proto::awaitable<Status> NetworkProber::dns(fleet::v1::Health health, Ipv4 guest,
                                            proto::Deadline deadline) {
  CO_TRY(const DnsQuestion question, parse_dns_question(health.query()));
  const std::string what = "dns " + question.name + " " + question.type_name;
  const auto id = static_cast<std::uint16_t>(ota::random_below(kIds));
  udp::socket socket(loop_);
  boost::system::error_code error;
  socket.open(udp::v4(), error);
  if (error) co_return failed(error, false, what);
  // Connected, so that only the guest's answers arrive and a closed port is told at once.
  socket.connect({asio::ip::address_v4(guest.value), port_of(health, kDnsPort)}, error);
  if (error) co_return failed(error, false, what);
  const Expiry expiry(clock_, socket, deadline);
  const auto query = build_dns_query(question, id);
  const auto [unsent, sent] = co_await socket.async_send(asio::buffer(query), kAwait);
  if (unsent) co_return failed(unsent, expiry.expired(), what);
  std::array<std::uint8_t, 4096> buffer{};
  while (true) {
    const auto [lost, size] = co_await socket.async_receive(asio::buffer(buffer), kAwait);
    if (lost) co_return failed(lost, expiry.expired(), what);
    const auto records =
        judge_dns_answer(std::span<const std::uint8_t>(buffer.data(), size), question, id);
    if (records) co_return Status();
    // Something that is no answer to us: the right one may still come.
    if (records.error().code == Code::bad_argument) continue;
    co_return records.error().with(what);
  }
}

// A socket of ICMP that needs no right but the kernel's ping_group_range (icmp(7)): the kernel
// writes identifier and checksum, and hands over the answers to it alone, without their IP header.
proto::awaitable<Status> NetworkProber::icmp(Ipv4 guest, proto::Deadline deadline) {
  const std::string what = "icmp echo";
  asio::generic::datagram_protocol::socket socket(loop_);
  boost::system::error_code error;
  socket.open({AF_INET, IPPROTO_ICMP}, error);
  if (error == asio::error::access_denied) {
    co_return Error{Code::forbidden,
                    what + ": this host allows none; let net.ipv4.ping_group_range hold the "
                    "agent's group", ""};
  }
  if (error) co_return failed(error, false, what);
  const udp::endpoint address(asio::ip::address_v4(guest.value), 0);
  socket.connect({address.data(), address.size()}, error);
  if (error) co_return failed(error, false, what);
  const Expiry expiry(clock_, socket, deadline);
  std::array<std::uint8_t, sizeof(icmphdr) + 16> echo{ICMP_ECHO};
  ota::random_bytes(std::span(echo).subspan(offsetof(icmphdr, un.echo.sequence)));
  const auto [unsent, sent] = co_await socket.async_send(asio::buffer(echo), kAwait);
  if (unsent) co_return failed(unsent, expiry.expired(), what);
  std::array<std::uint8_t, echo.size()> answer{};
  while (true) {
    const auto [lost, size] = co_await socket.async_receive(asio::buffer(answer), kAwait);
    if (lost) co_return failed(lost, expiry.expired(), what);
    constexpr std::size_t kSame = offsetof(icmphdr, un.echo.sequence);
    const bool ours = size == answer.size() && answer[0] == ICMP_ECHOREPLY &&
                      std::equal(answer.begin() + kSame, answer.end(), echo.begin() + kSame);
    if (ours) co_return Status();
  }
}

proto::awaitable<ProbeResult> NetworkProber::probe(fleet::v1::Health health, Ipv4 guest,
                                                   proto::Deadline deadline) {
  const std::int64_t began_ms = clock_.now_ms();
  const fleet::v1::HealthType type = health.type();
  Status done = Error{Code::not_supported, "no network probe", ""};
  if (guest == Ipv4()) {  // which would be this host itself
    done = Error{Code::unreachable, "no address of the guest is known", ""};
  } else if (type == fleet::v1::HEALTH_TCP) {
    const std::uint16_t port = port_of(health, 0);
    done = co_await tcp(guest, port, deadline);
  } else if (type == fleet::v1::HEALTH_HTTP) {
    done = co_await http(std::move(health), guest, deadline);
  } else if (type == fleet::v1::HEALTH_DNS) {
    done = co_await dns(std::move(health), guest, deadline);
  } else if (type == fleet::v1::HEALTH_ICMP) {
    done = co_await icmp(guest, deadline);
  }
  ProbeResult result;
  result.passed = done.has_value();
  result.took_ms = static_cast<std::uint64_t>(clock_.now_ms() - began_ms);
  result.text = done ? "answered" : done.error().what;
  result.answered = done || done.error().code == Code::unhealthy;
  co_return result;
}

}  // namespace agent
