// A CA of a test and what it issues, and a listener on loopback inside the process.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "proto/identity.h"
#include "proto/tls.h"

namespace proto_test {

inline const std::int64_t kNowMs =
    std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch()).count() * 1000;
inline constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
inline constexpr const char* kHost = "fleet.example.test";

struct TestCa {
  proto::PrivateKey key = proto::PrivateKey::generate().value();
  std::string certificate_pem =
      proto::make_ca(key, "test-ca", {kNowMs - 100 * kDayMs, 1000}).value();

  proto::Issuer issuer() const { return {certificate_pem, key}; }

  struct Identity {
    std::string certificate_pem;
    std::string key_pem;
  };
  Identity server(const std::string& name, proto::Validity validity = {kNowMs, 30}) const {
    const proto::PrivateKey own = proto::PrivateKey::generate().value();
    return {proto::issue_server_certificate(issuer(), own, {name}, validity).value(),
            own.to_pem()};
  }
  Identity device(const std::string& id, proto::Validity validity = {kNowMs, 90}) const {
    const proto::PrivateKey own = proto::PrivateKey::generate().value();
    const std::string csr = proto::make_csr(own, "device").value();
    return {proto::issue_device_certificate(issuer(), csr, id, validity).value(), own.to_pem()};
  }
};

struct Listener {
  explicit Listener(boost::asio::io_context& loop)
      : acceptor(loop, {boost::asio::ip::make_address("127.0.0.1"), 0}) {}
  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  }
  boost::asio::ip::tcp::acceptor acceptor;
};

}  // namespace proto_test
