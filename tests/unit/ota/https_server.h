// A small HTTPS server on loopback for the tests of fetch, with certificates made on the spot.
// One connection at a time, each answered by the test's own function.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "proto/fd.h"

struct ssl_st;

/// Keys and certificates in PEM files: a CA, what it signed, and another CA. P-256.
struct TestPki {
  explicit TestPki(const std::string& directory);

  std::string ca_file, other_ca_file;
  std::string server_certificate, server_key;    // for the name "controller.test"
  std::string expired_certificate, expired_key;  // the same name, past its date
  std::string client_certificate, client_key;
  std::string foreign_certificate, foreign_key;  // a client of the other CA
};

/// One request as it came, and the raw connection to answer on.
struct TestRequest {
  std::string path;
  std::string range;  // "bytes=5-", or empty
  ssl_st* tls;

  void send(const std::string& bytes) const;
  /// Status line, Content-Length and body; `extra` are whole header lines.
  void answer(int status, const std::string& body, const std::string& extra = "") const;
};

class HttpsServer {
 public:
  /// A handler that returns false closes the connection.
  using Handler = std::function<bool(const TestRequest&)>;

  struct Options {
    std::string certificate;
    std::string key;
    std::string client_ca;  // empty: no client certificate is asked for
  };

  HttpsServer(const Options& options, Handler handler);
  ~HttpsServer();
  HttpsServer(const HttpsServer&) = delete;
  HttpsServer& operator=(const HttpsServer&) = delete;

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void serve();
  void talk(ssl_st* tls);

  Options options_;
  Handler handler_;
  proto::Fd listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<int> current_ = -1;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};
