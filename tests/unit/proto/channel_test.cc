#include "proto/channel.h"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>

#include "manual_clock.h"
#include "proto/channel_accept.h"
#include "tls_fixture.h"

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using fleet::v1::Envelope;
using proto::awaitable;
using proto::Channel;
using proto::Code;
using proto::Deadline;
using proto::Result;
using proto::Status;
using ChannelResult = Result<std::unique_ptr<Channel>>;

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

Envelope ack(std::uint64_t sequence) {
  Envelope envelope;
  envelope.mutable_ack()->set_sequence(sequence);
  return envelope;
}

Envelope log_of(std::size_t size_bytes) {
  Envelope envelope;
  envelope.mutable_log_chunk()->set_data(std::string(size_bytes, 'x'));
  return envelope;
}

awaitable<void> receive_into(Channel& channel, Deadline deadline,
                             std::vector<Result<Envelope>>& out) {
  Result<Envelope> got = co_await channel.receive(deadline);
  out.push_back(std::move(got));
}

awaitable<void> receive_many(Channel& channel, std::size_t count,
                             std::vector<std::uint64_t>& out) {
  while (out.size() < count) {
    const Result<Envelope> got = co_await channel.receive(Deadline::never());
    if (!got) co_return;
    out.push_back(got->ack().sequence());
  }
}

awaitable<void> send_into(Channel& channel, Envelope envelope, std::vector<Status>& out) {
  const Status status = co_await channel.send(std::move(envelope));
  out.push_back(status);
}

awaitable<void> close_channel(Channel& channel) { co_await channel.close(); }

// --- in memory ---

class MemoryChannelTest : public testing::Test {
 protected:
  void settle() {
    loop_.restart();
    loop_.poll();
  }
  asio::io_context loop_{1};
  proto_test::ManualClock clock_;
  proto::TaskGroup group_{loop_};
};

TEST_F(MemoryChannelTest, WhatOneEndSendsTheOtherReceivesInOrder) {
  auto [one, two] = proto::make_channel_pair(clock_);
  std::vector<Status> sent;
  std::vector<std::uint64_t> got;
  for (std::uint64_t i = 1; i <= 3; ++i) group_.spawn("send", send_into(*one, ack(i), sent));
  group_.spawn("receive", receive_many(*two, 3, got));
  settle();
  EXPECT_EQ(got, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(one->counts().sent, 3U);
}

TEST_F(MemoryChannelTest, ALateMessageIsATimeoutAndClosesTheChannel) {
  auto [one, two] = proto::make_channel_pair(clock_);
  std::vector<Result<Envelope>> got;
  group_.spawn("receive", receive_into(*two, Deadline::after(clock_, 100), got));
  settle();
  clock_.advance(100);
  settle();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].error().code, Code::timeout);
  EXPECT_FALSE(one->is_open());
}

TEST_F(MemoryChannelTest, WhatWasSentBeforeACloseIsReceivedThenTheEnd) {
  auto [one, two] = proto::make_channel_pair(clock_);
  std::vector<Status> sent;
  std::vector<Result<Envelope>> got;
  group_.spawn("send", send_into(*one, ack(7), sent));
  group_.spawn("close", close_channel(*one));
  group_.spawn("receive", receive_into(*two, Deadline::never(), got));
  group_.spawn("receive", receive_into(*two, Deadline::never(), got));
  settle();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].value().ack().sequence(), 7U);
  EXPECT_EQ(got[1].error().code, Code::closed);
}

TEST_F(MemoryChannelTest, TooManyAndTooLargeMessagesAreRefused) {
  auto [one, two] = proto::make_channel_pair(clock_);
  std::vector<Status> sent;
  for (std::size_t i = 0; i <= proto::kMaxQueuedSends; ++i) {
    group_.spawn("send", send_into(*one, ack(i), sent));
  }
  group_.spawn("send", send_into(*one, log_of(1 << 20), sent));
  settle();
  ASSERT_EQ(sent.size(), proto::kMaxQueuedSends + 2);
  EXPECT_TRUE(sent[proto::kMaxQueuedSends - 1]);
  EXPECT_EQ(sent[proto::kMaxQueuedSends].error().code, Code::unavailable);
  EXPECT_EQ(sent[proto::kMaxQueuedSends + 1].error().code, Code::too_large);
}

// --- over TLS ---

awaitable<void> serve_link(proto_test::Listener& listener, proto::Clock& clock,
                           std::shared_ptr<proto::TlsContext> context,
                           std::optional<ChannelResult>& out) {
  const Deadline deadline = Deadline::after(clock, 10000);
  auto [error, socket] = co_await listener.acceptor.async_accept(kAsTuple);
  auto stream = co_await proto::tls_accept(context, std::move(socket), deadline);
  if (!stream) co_return;
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> request;
  auto [read_error, size] = co_await http::async_read(*stream, buffer, request, kAsTuple);
  if (read_error) co_return;
  EXPECT_EQ(request.target(), proto::kLinkPath);
  out = co_await proto::accept_channel(clock, std::move(*stream), std::move(request), {}, deadline);
}

awaitable<void> refuse_link(proto_test::Listener& listener, proto::Clock& clock,
                            std::shared_ptr<proto::TlsContext> context, http::status status) {
  auto [error, socket] = co_await listener.acceptor.async_accept(kAsTuple);
  auto stream = co_await proto::tls_accept(context, std::move(socket),
                                           Deadline::after(clock, 10000));
  if (!stream) co_return;
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> request;
  co_await http::async_read(*stream, buffer, request, kAsTuple);
  http::response<http::string_body> response(status, 11);
  response.prepare_payload();
  co_await http::async_write(*stream, response, kAsTuple);
}

awaitable<void> open_link(std::string address, proto::Clock& clock,
                          std::shared_ptr<proto::TlsContext> context,
                          std::optional<ChannelResult>& out) {
  out = co_await proto::connect_channel(clock, context, address, proto_test::kHost, {},
                                        Deadline::after(clock, 10000));
}

class LinkTest : public testing::Test {
 protected:
  LinkTest() {
    const auto own = ca_.server(proto_test::kHost);
    proto::TlsServerOptions server;
    server.certificate_pem = own.certificate_pem;
    server.key_pem = own.key_pem;
    server.client_ca_pem = ca_.certificate_pem;
    server.client_certificate = proto::ClientCertificate::required;
    server_ = proto::TlsContext::make_server(server).value();
    const auto device = ca_.device("abcdefghij234567");
    proto::TlsClientOptions client;
    client.ca_pem = ca_.certificate_pem;
    client.certificate_pem = device.certificate_pem;
    client.key_pem = device.key_pem;
    client_ = proto::TlsContext::make_client(client).value();
  }

  void open() {
    proto_test::Listener listener(loop_);
    group_.spawn("serve", serve_link(listener, clock_, server_, served_));
    group_.spawn("open", open_link(listener.address(), clock_, client_, opened_));
    while (group_.size() != 0) {
      loop_.restart();
      loop_.run_one();
    }
    ASSERT_TRUE(served_.has_value() && served_->has_value());
    ASSERT_TRUE(opened_.has_value() && opened_->has_value());
  }
  void run() {
    while (group_.size() != 0) {
      loop_.restart();
      loop_.run_one();
    }
  }
  Channel& controller() { return *served_->value(); }
  Channel& device() { return *opened_->value(); }

  proto_test::TestCa ca_;
  asio::io_context loop_{1};
  proto::RealClock clock_{loop_};
  std::shared_ptr<proto::TlsContext> server_;
  std::shared_ptr<proto::TlsContext> client_;
  std::optional<ChannelResult> served_;
  std::optional<ChannelResult> opened_;
  proto::TaskGroup group_{loop_};
};

TEST_F(LinkTest, MessagesPassBothWaysAtOnceInOrder) {
  open();
  EXPECT_EQ(controller().peer().certificate.common_name, "abcdefghij234567");
  std::vector<Status> sent;
  std::vector<std::uint64_t> by_controller;
  std::vector<std::uint64_t> by_device;
  for (std::uint64_t i = 0; i < 50; ++i) {
    group_.spawn("send", send_into(device(), ack(i), sent));
    group_.spawn("send", send_into(controller(), ack(1000 + i), sent));
  }
  group_.spawn("receive", receive_many(controller(), 50, by_controller));
  group_.spawn("receive", receive_many(device(), 50, by_device));
  run();
  ASSERT_EQ(by_controller.size(), 50U);
  ASSERT_EQ(by_device.size(), 50U);
  for (std::uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(by_controller[i], i);
    EXPECT_EQ(by_device[i], 1000 + i);
  }
  EXPECT_EQ(device().counts().received, 50U);
}

TEST_F(LinkTest, AMessageOfNearlyAMegabytePassesAndALargerOneIsNotSent) {
  open();
  std::vector<Status> sent;
  std::vector<Result<Envelope>> got;
  group_.spawn("send", send_into(device(), log_of((1 << 20) - 100), sent));
  group_.spawn("receive", receive_into(controller(), Deadline::after(clock_, 10000), got));
  group_.spawn("too large", send_into(device(), log_of(1 << 20), sent));
  run();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].value().log_chunk().data().size(), (1U << 20) - 100);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].error().code, Code::too_large);
  EXPECT_TRUE(sent[1]);
  EXPECT_TRUE(device().is_open());
}

TEST_F(LinkTest, ACloseEndsTheOthersReceiveAndLaterSends) {
  open();
  std::vector<Result<Envelope>> got;
  std::vector<Status> sent;
  group_.spawn("receive", receive_into(controller(), Deadline::never(), got));
  group_.spawn("close", close_channel(device()));
  run();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].error().code, Code::closed) << got[0].error().what;
  group_.spawn("send", send_into(controller(), ack(1), sent));
  group_.spawn("send", send_into(device(), ack(1), sent));
  run();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].error().code, Code::closed);
  EXPECT_EQ(sent[1].error().code, Code::closed);
}

TEST_F(LinkTest, AnAbortEndsOnesOwnReceive) {
  open();
  std::vector<Result<Envelope>> got;
  group_.spawn("receive", receive_into(device(), Deadline::never(), got));
  loop_.restart();
  loop_.poll();
  device().abort();
  run();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].error().code, Code::closed) << got[0].error().what;
}

TEST_F(LinkTest, AReceiveThatIsLateIsATimeout) {
  open();
  std::vector<Result<Envelope>> got;
  group_.spawn("receive", receive_into(device(), Deadline::after(clock_, 50), got));
  run();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].error().code, Code::timeout);
  EXPECT_FALSE(device().is_open());
}

TEST_F(LinkTest, ACancelledReceiveEnds) {
  open();
  std::vector<Result<Envelope>> got;
  group_.spawn("receive", receive_into(device(), Deadline::never(), got));
  loop_.restart();
  loop_.poll();
  group_.cancel();
  run();
  EXPECT_EQ(group_.size(), 0U);
}

TEST_F(LinkTest, ARefusedUpgradeIsToldByItsStatus) {
  const std::pair<http::status, Code> kCases[] = {{http::status::forbidden, Code::forbidden},
                                                  {http::status::unauthorized,
                                                   Code::unauthenticated},
                                                  {http::status::not_found, Code::unavailable}};
  for (const auto& [status, code] : kCases) {
    proto_test::Listener listener(loop_);
    std::optional<ChannelResult> opened;
    group_.spawn("refuse", refuse_link(listener, clock_, server_, status));
    group_.spawn("open", open_link(listener.address(), clock_, client_, opened));
    run();
    ASSERT_TRUE(opened.has_value());
    ASSERT_FALSE(opened->has_value());
    EXPECT_EQ(opened->error().code, code) << opened->error().what;
  }
}

}  // namespace
