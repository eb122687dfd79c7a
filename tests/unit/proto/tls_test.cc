// TLS between two ends on loopback inside this process.
#include "proto/tls.h"

#include <gtest/gtest.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <thread>

#include "proto/async.h"
#include "proto/tls_compat.h"
#include "proto/tls_stream.h"
#include "tls_fixture.h"

namespace {

namespace asio = boost::asio;
using proto::awaitable;
using proto::ClientCertificate;
using proto::Code;
using proto::Deadline;
using proto::Result;
using proto::TlsContext;
using proto::TlsStream;
using proto_test::kDayMs;
using proto_test::kHost;
using proto_test::kNowMs;
using proto_test::TestCa;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
using Context = std::shared_ptr<TlsContext>;

awaitable<void> accept_one(proto_test::Listener& listener, Context context, Deadline deadline,
                           std::optional<Result<TlsStream>>& out) {
  auto [error, socket] = co_await listener.acceptor.async_accept(kAsTuple);
  if (!error) out = co_await proto::tls_accept(context, std::move(socket), deadline);
}

awaitable<void> connect_one(std::string address, Context context, std::string host,
                            Deadline deadline, std::optional<Result<TlsStream>>& out) {
  out = co_await proto::tls_connect(context, address, host, deadline);
}

class TlsTest : public testing::Test {
 protected:
  struct Meeting {
    std::optional<Result<TlsStream>> server;
    std::optional<Result<TlsStream>> client;
  };

  Meeting meet(Context server, Context client, const std::string& host = kHost) {
    Meeting meeting;
    proto_test::Listener listener(loop_);
    const Deadline deadline = Deadline::after(clock_, 10000);
    proto::TaskGroup group(loop_);
    group.spawn("server", accept_one(listener, server, deadline, meeting.server));
    group.spawn("client", connect_one(listener.address(), client, host, deadline, meeting.client));
    loop_.restart();
    proto::run_loop(loop_);
    return meeting;
  }

  Context server(const proto::TlsServerOptions& options) {
    return TlsContext::make_server(options).value();
  }
  proto::TlsServerOptions server_options(ClientCertificate wanted) {
    const auto own = ca_.server(kHost);
    proto::TlsServerOptions options;
    options.certificate_pem = own.certificate_pem;
    options.key_pem = own.key_pem;
    options.client_ca_pem = ca_.certificate_pem;
    options.client_certificate = wanted;
    return options;
  }
  proto::TlsClientOptions client_options(const TestCa::Identity& own = {}) {
    proto::TlsClientOptions options;
    options.ca_pem = ca_.certificate_pem;
    options.certificate_pem = own.certificate_pem;
    options.key_pem = own.key_pem;
    return options;
  }
  Context client(const proto::TlsClientOptions& options) {
    return TlsContext::make_client(options).value();
  }

  // Destroyed last: the streams of a meeting end their operations on it.
  asio::io_context loop_{1};
  proto::RealClock clock_{loop_};
  TestCa ca_;
};

void expect_refusal(const std::optional<Result<TlsStream>>& side, Code code,
                    const std::string& words) {
  ASSERT_TRUE(side.has_value());
  ASSERT_FALSE(side->has_value());
  EXPECT_EQ(side->error().code, code) << side->error().what;
  EXPECT_NE(side->error().what.find(words), std::string::npos) << side->error().what;
}

TEST_F(TlsTest, BothSidesKnowEachOther) {
  const auto meeting = meet(server(server_options(ClientCertificate::required)),
                            client(client_options(ca_.device("abcdefghij234567"))));
  ASSERT_TRUE(meeting.server->has_value()) << meeting.server->error().what;
  ASSERT_TRUE(meeting.client->has_value()) << meeting.client->error().what;
  const proto::PeerFacts& device = meeting.server->value().peer();
  EXPECT_TRUE(device.has_certificate);
  EXPECT_EQ(device.certificate.common_name, "abcdefghij234567");
  EXPECT_FALSE(device.expired);
  EXPECT_FALSE(device.resumed);
  EXPECT_EQ(meeting.client->value().peer().certificate.common_name, kHost);
  EXPECT_EQ(meeting.server->value().remote_address().substr(0, 10), "127.0.0.1:");
}

TEST_F(TlsTest, AServerOfAnotherCaIsRefusedByName) {
  const TestCa other;
  auto options = client_options();
  options.ca_pem = other.certificate_pem;
  const auto meeting = meet(server(server_options(ClientCertificate::none)), client(options));
  expect_refusal(meeting.client, Code::unauthenticated, "certificate of another CA");
  expect_refusal(meeting.server, Code::unauthenticated, "refused the TLS handshake");
}

TEST_F(TlsTest, AServerWithAnotherHostNameIsRefusedByBothNames) {
  const auto meeting = meet(server(server_options(ClientCertificate::none)),
                            client(client_options()), "evil.example.test");
  expect_refusal(meeting.client, Code::unauthenticated, "evil.example.test");
  expect_refusal(meeting.client, Code::unauthenticated, kHost);
}

TEST_F(TlsTest, AClientOfAnotherCaIsRefusedAlsoWhereACertificateIsOptional) {
  const TestCa other;
  const auto stranger = other.device("abcdefghij234567");
  for (const auto wanted : {ClientCertificate::required, ClientCertificate::optional}) {
    const auto meeting = meet(server(server_options(wanted)), client(client_options(stranger)));
    expect_refusal(meeting.server, Code::unauthenticated, "certificate of another CA");
  }
}

TEST_F(TlsTest, AClientWithoutACertificateIsRefusedWhereOneIsRequired) {
  const auto meeting = meet(server(server_options(ClientCertificate::required)),
                            client(client_options()));
  expect_refusal(meeting.server, Code::unauthenticated, "no client certificate");
  expect_refusal(meeting.client, Code::unauthenticated, "refused the TLS handshake");
}

TEST_F(TlsTest, AClientWithoutACertificateIsLetInWhereItIsOptional) {
  const auto meeting = meet(server(server_options(ClientCertificate::optional)),
                            client(client_options()));
  ASSERT_TRUE(meeting.server->has_value()) << meeting.server->error().what;
  EXPECT_FALSE(meeting.server->value().peer().has_certificate);
}

TEST_F(TlsTest, AServerCertificateAsAClientIsRefused) {
  const auto meeting = meet(server(server_options(ClientCertificate::required)),
                            client(client_options(ca_.server("device"))));
  expect_refusal(meeting.server, Code::unauthenticated, "not made for this use");
}

TEST_F(TlsTest, AnExpiredClientIsRefusedOrLetInAndMarked) {
  const auto expired = ca_.device("abcdefghij234567", {kNowMs - 50 * kDayMs, 10});
  for (const auto wanted : {ClientCertificate::required, ClientCertificate::optional}) {
    auto options = server_options(wanted);
    const auto refused = meet(server(options), client(client_options(expired)));
    expect_refusal(refused.server, Code::unauthenticated, "expired");
    options.accept_expired_clients = true;
    const auto accepted = meet(server(options), client(client_options(expired)));
    ASSERT_TRUE(accepted.server->has_value()) << accepted.server->error().what;
    EXPECT_TRUE(accepted.server->value().peer().expired);
  }
}

TEST_F(TlsTest, AnExpiredServerIsRefusedUnlessDatesAreIgnored) {
  auto options = server_options(ClientCertificate::none);
  const auto expired = ca_.server(kHost, {kNowMs - 50 * kDayMs, 10});
  options.certificate_pem = expired.certificate_pem;
  options.key_pem = expired.key_pem;
  const auto refused = meet(server(options), client(client_options()));
  expect_refusal(refused.client, Code::unauthenticated, "expired");
  auto no_dates = client_options();
  no_dates.ignore_dates = true;
  const auto accepted = meet(server(options), client(no_dates));
  ASSERT_TRUE(accepted.client->has_value()) << accepted.client->error().what;
  EXPECT_TRUE(accepted.client->value().peer().expired);
}

TEST_F(TlsTest, ATicketResumesAlsoAcrossARestartOfTheServerAndKeepsTheCertificate) {
  auto options = server_options(ClientCertificate::required);
  options.ticket_keys = {std::string(32, 'k')};
  const Context device = client(client_options(ca_.device("abcdefghij234567")));
  EXPECT_FALSE(meet(server(options), device).server->value().peer().resumed);
  const Context restarted = server(options);
  const auto again = meet(restarted, device);
  ASSERT_TRUE(again.server->has_value()) << again.server->error().what;
  EXPECT_TRUE(again.server->value().peer().resumed);
  EXPECT_TRUE(again.client->value().peer().resumed);
  EXPECT_EQ(again.server->value().peer().certificate.common_name, "abcdefghij234567");
  EXPECT_EQ(restarted->handshakes_resumed(), 1U);
  EXPECT_EQ(restarted->handshakes_full(), 0U);
}

TEST_F(TlsTest, ATicketUnderAnOlderKeyStillResumesAndOneUnderAForgottenKeyDoesNot) {
  auto options = server_options(ClientCertificate::required);
  options.ticket_keys = {std::string(32, 'k')};
  const Context device = client(client_options(ca_.device("abcdefghij234567")));
  EXPECT_FALSE(meet(server(options), device).server->value().peer().resumed);
  options.ticket_keys = {std::string(32, 'n'), std::string(32, 'k')};
  EXPECT_TRUE(meet(server(options), device).server->value().peer().resumed);
  options.ticket_keys = {std::string(32, 'x')};
  EXPECT_FALSE(meet(server(options), device).server->value().peer().resumed);
}

TEST_F(TlsTest, ContextsNameWhatIsWrongWithTheirPems) {
  auto options = server_options(ClientCertificate::none);
  options.key_pem = proto::PrivateKey::generate().value().to_pem();
  EXPECT_NE(TlsContext::make_server(options).error().what.find("do not belong together"),
            std::string::npos);
  proto::TlsClientOptions client_side;
  client_side.ca_pem = "nonsense";
  EXPECT_NE(TlsContext::make_client(client_side).error().what.find("CA certificate"),
            std::string::npos);
  auto short_key = server_options(ClientCertificate::none);
  short_key.ticket_keys = {"short"};
  EXPECT_EQ(TlsContext::make_server(short_key).error().code, Code::bad_argument);
}

TEST_F(TlsTest, AddressesThatAreNoneAndPortsThatNobodyServesAreTold) {
  std::optional<Result<TlsStream>> out;
  for (const char* address : {"", "host", "host:", ":1", "host:x", "::1:80", "host:123456"}) {
    proto::TaskGroup group(loop_);
    group.spawn("client", connect_one(address, client(client_options()), kHost,
                                      Deadline::after(clock_, 5000), out));
    loop_.restart();
    proto::run_loop(loop_);
    expect_refusal(out, Code::bad_argument, "HOST:PORT");
  }
  std::string closed;
  {
    const proto_test::Listener listener(loop_);
    closed = listener.address();
  }
  proto::TaskGroup group(loop_);
  group.spawn("client", connect_one(closed, client(client_options()), kHost,
                                    Deadline::after(clock_, 5000), out));
  loop_.restart();
  proto::run_loop(loop_);
  expect_refusal(out, Code::unreachable, closed);
}

TEST_F(TlsTest, AServerThatSaysNothingIsATimeout) {
  const proto_test::Listener silent(loop_);
  std::optional<Result<TlsStream>> out;
  proto::TaskGroup group(loop_);
  group.spawn("client", connect_one(silent.address(), client(client_options()), kHost,
                                    Deadline::after(clock_, 100), out));
  loop_.restart();
  proto::run_loop(loop_);
  expect_refusal(out, Code::timeout, "127.0.0.1");
}

awaitable<void> write_all(TlsStream& stream, std::string bytes, bool& done) {
  auto [error, size] = co_await asio::async_write(stream, asio::buffer(bytes), kAsTuple);
  EXPECT_FALSE(error) << error.message();
  done = size == bytes.size();
}

awaitable<void> read_all(TlsStream& stream, std::size_t size_bytes, std::string& out) {
  out.resize(size_bytes);
  auto [error, size] = co_await asio::async_read(stream, asio::buffer(out), kAsTuple);
  EXPECT_FALSE(error) << error.message();
  out.resize(size);
}

std::string pattern(std::size_t size_bytes, unsigned seed) {
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<char>(seed >> 24);
  }
  return bytes;
}

TEST_F(TlsTest, ThreeMegabytesPassInBothDirectionsAtOnceUnchanged) {
  auto meeting = meet(server(server_options(ClientCertificate::none)), client(client_options()));
  TlsStream& one = meeting.server->value();
  TlsStream& two = meeting.client->value();
  const std::string there = pattern(3 << 20, 1);
  const std::string back = pattern(3 << 20, 2);
  std::string got_there;
  std::string got_back;
  bool wrote_there = false;
  bool wrote_back = false;
  proto::TaskGroup group(loop_);
  group.spawn("write there", write_all(two, there, wrote_there));
  group.spawn("write back", write_all(one, back, wrote_back));
  group.spawn("read there", read_all(one, there.size(), got_there));
  group.spawn("read back", read_all(two, back.size(), got_back));
  loop_.restart();
  proto::run_loop(loop_);
  EXPECT_TRUE(wrote_there);
  EXPECT_TRUE(wrote_back);
  EXPECT_TRUE(got_there == there);
  EXPECT_TRUE(got_back == back);
}

awaitable<void> read_error(TlsStream& stream, boost::system::error_code& out) {
  char byte = 0;
  auto [error, size] = co_await stream.async_read_some(asio::buffer(&byte, 1), kAsTuple);
  out = error;
}

awaitable<void> shut_down(TlsStream& stream) {
  auto [error, size] = co_await stream.async_shutdown(kAsTuple);
  EXPECT_FALSE(error) << error.message();
}

TEST_F(TlsTest, ACloseNotifyIsAnEndAndACutIsAnError) {
  auto polite = meet(server(server_options(ClientCertificate::none)), client(client_options()));
  boost::system::error_code error;
  proto::TaskGroup group(loop_);
  group.spawn("read", read_error(polite.server->value(), error));
  group.spawn("shutdown", shut_down(polite.client->value()));
  loop_.restart();
  proto::run_loop(loop_);
  EXPECT_EQ(error, asio::error::eof);
  auto rude = meet(server(server_options(ClientCertificate::none)), client(client_options()));
  group.spawn("read", read_error(rude.server->value(), error));
  rude.client->value().close();
  loop_.restart();
  proto::run_loop(loop_);
  EXPECT_EQ(error, asio::error::connection_reset);
}

TEST_F(TlsTest, AReadThatIsLateOrCancelledClosesTheStream) {
  auto meeting = meet(server(server_options(ClientCertificate::none)), client(client_options()));
  boost::system::error_code error;
  proto::TaskGroup group(loop_);
  meeting.server->value().expires_at(Deadline::after(clock_, 50));
  group.spawn("read", read_error(meeting.server->value(), error));
  loop_.restart();
  proto::run_loop(loop_);
  EXPECT_EQ(proto::stream_error(error, "reading").code, Code::timeout);
  group.spawn("read", read_error(meeting.client->value(), error));
  loop_.restart();
  loop_.poll();
  group.cancel();
  loop_.restart();
  proto::run_loop(loop_);
  EXPECT_NE(error, boost::system::error_code());
  group.spawn("read", read_error(meeting.client->value(), error));
  loop_.restart();
  proto::run_loop(loop_);
  EXPECT_NE(error, boost::system::error_code());
}

// A client of plain mbedTLS, to offer what ours never would.
int offer_version(const std::string& port, int minor) {
  mbedtls_net_context net;
  mbedtls_ssl_context ssl;
  mbedtls_ssl_config config;
  mbedtls_net_init(&net);
  mbedtls_ssl_init(&ssl);
  mbedtls_ssl_config_init(&config);
  mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                              MBEDTLS_SSL_PRESET_DEFAULT);
  mbedtls_ssl_conf_rng(&config, proto::tls_compat::kernel_random, nullptr);
  mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
  mbedtls_ssl_conf_min_version(&config, 3, 1);
  mbedtls_ssl_conf_max_version(&config, 3, minor);
  int result = mbedtls_net_connect(&net, "127.0.0.1", port.c_str(), MBEDTLS_NET_PROTO_TCP);
  if (result == 0) result = mbedtls_ssl_setup(&ssl, &config);
  if (result == 0) {
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, nullptr);
    result = mbedtls_ssl_handshake(&ssl);
  }
  mbedtls_ssl_free(&ssl);
  mbedtls_ssl_config_free(&config);
  mbedtls_net_free(&net);
  return result;
}

TEST_F(TlsTest, OldVersionsAreRefusedAndTheCurrentOneIsNot) {
  for (const int minor : {1, 2, 3}) {  // TLS 1.0, 1.1, 1.2
    proto_test::Listener listener(loop_);
    const std::string port = std::to_string(listener.acceptor.local_endpoint().port());
    std::optional<Result<TlsStream>> out;
    int client_result = 1;
    std::thread other(
        [&client_result, &port, minor] { client_result = offer_version(port, minor); });
    proto::TaskGroup group(loop_);
    group.spawn("server", accept_one(listener, server(server_options(ClientCertificate::none)),
                                     Deadline::after(clock_, 10000), out));
    loop_.restart();
    proto::run_loop(loop_);
    other.join();
    EXPECT_EQ(client_result == 0, minor == 3) << minor;
    if (minor == 3) {
      EXPECT_TRUE(out->has_value());
    } else {
      expect_refusal(out, Code::unauthenticated, "does not speak TLS 1.2");
    }
  }
}

}  // namespace
