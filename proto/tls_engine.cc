#include "proto/tls_engine.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

#include "proto/tls_compat.h"

namespace proto::tls_detail {
namespace asio = boost::asio;

namespace {

constexpr std::size_t kRecordBytes = 16384;   // the most that one TLS record holds
constexpr std::size_t kKeptBytes = 1024;      // buffers above this are given back when empty
constexpr std::size_t kIdleInputBytes = 1024;

void give_back(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBytes) buffer = std::string();
}

const char* alert_word(int alert) {
  switch (alert) {
    case 40: return "no common cipher or no certificate";
    case 42: case 43: case 46: return "it does not accept our certificate";
    case 44: return "our certificate is revoked";
    case 45: return "our certificate has expired";
    case 48: return "our certificate is of another CA";
    case 49: return "access denied";
    case 70: return "it does not speak TLS 1.2";
    default: return "it ended the handshake";
  }
}

}  // namespace

Engine::Engine(std::shared_ptr<TlsContext> context, boost::beast::tcp_stream tcp,
               std::string host_name)
    : context_(std::move(context)), tcp_(std::move(tcp)), host_name_(std::move(host_name)) {
  mbedtls_ssl_init(&ssl_);
}

Engine::~Engine() { mbedtls_ssl_free(&ssl_); }

Status Engine::set_up() {
  TlsContext::Impl& impl = context_->impl();
  int result = mbedtls_ssl_setup(&ssl_, &impl.config);
  if (result == 0 && !impl.is_server) {
    // Always: a client without it would accept any name (CVE-2025-27809).
    result = mbedtls_ssl_set_hostname(&ssl_, host_name_.c_str());
    impl.offer_session(ssl_, host_name_);
  }
  if (result != 0) {
    return Error{Code::internal, "TLS: " + tls_compat::error_text(result), ""};
  }
  mbedtls_ssl_set_bio(&ssl_, this, send_callback, receive_callback, nullptr);
  return Status();
}

// Takes everything, so that mbedTLS never stops half-way in a write: what is in out_ is bounded by
// one write of the user (a record) and the handshake's few messages.
int Engine::send_callback(void* self, const unsigned char* bytes, std::size_t size_bytes) {
  auto& engine = *static_cast<Engine*>(self);
  engine.out_.append(reinterpret_cast<const char*>(bytes), size_bytes);
  return static_cast<int>(size_bytes);
}

int Engine::receive_callback(void* self, unsigned char* bytes, std::size_t size_bytes) {
  auto& engine = *static_cast<Engine*>(self);
  const std::size_t have = engine.in_end_ - engine.in_begin_;
  if (have == 0) return engine.in_eof_ ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
  const std::size_t taken = std::min(have, size_bytes);
  std::memcpy(bytes, engine.in_.data() + engine.in_begin_, taken);
  engine.in_begin_ += taken;
  return static_cast<int>(taken);
}

void Engine::start_handshake(std::unique_ptr<Operation> operation) {
  FLEET_ASSERT(!handshake_);
  handshake_ = std::move(operation);
  go_on();
}

void Engine::start_read(asio::mutable_buffer buffer, std::unique_ptr<Operation> operation) {
  FLEET_ASSERT(!read_);  // one read at a time
  if (failure_) return operation->complete(failure_, 0);
  if (buffer.size() == 0) return operation->complete({}, 0);
  read_into_ = buffer;
  read_ = std::move(operation);
  go_on();
}

bool Engine::add_to_write(asio::const_buffer buffer) {
  const std::size_t taken = std::min(buffer.size(), kRecordBytes - gathered_.size());
  gathered_.append(static_cast<const char*>(buffer.data()), taken);
  return gathered_.size() < kRecordBytes;
}

void Engine::start_write(std::unique_ptr<Operation> operation) {
  FLEET_ASSERT(!write_);  // one write at a time
  if (failure_) return operation->complete(failure_, 0);
  if (gathered_.empty()) return operation->complete({}, 0);
  const auto* bytes = reinterpret_cast<const unsigned char*>(gathered_.data());
  const int result = mbedtls_ssl_write(&ssl_, bytes, gathered_.size());
  mbedtls_platform_zeroize(gathered_.data(), gathered_.size());
  give_back(gathered_);
  write_ = std::move(operation);
  if (result <= 0) return fail(asio::error::connection_aborted);
  written_bytes_ = static_cast<std::size_t>(result);
  write_network();
}

void Engine::start_shutdown(std::unique_ptr<Operation> operation) {
  if (failure_ || shutdown_) return operation->complete(failure_, 0);
  mbedtls_ssl_close_notify(&ssl_);  // into out_; it cannot block
  shutdown_ = std::move(operation);
  write_network();
  settle();
}

void Engine::fail(error_code why) {
  if (!failure_) failure_ = why;
  boost::system::error_code ignored;
  tcp_.socket().close(ignored);
  tcp_.close();
  for (auto* operation : {&handshake_, &read_, &write_, &shutdown_}) {
    if (*operation) std::exchange(*operation, nullptr)->complete(failure_, 0);
  }
}

void Engine::go_on() {
  if (failure_) return fail(failure_);
  if (handshake_ && !handshake_over_) step_handshake();
  if (read_) step_read();
  write_network();
  settle();
}

void Engine::step_handshake() {
  TlsContext::Impl& impl = context_->impl();
  impl.chain_checked = false;
  impl.ticket_taken = false;
  const int result = mbedtls_ssl_handshake(&ssl_);
  chain_checked_ = chain_checked_ || impl.chain_checked;
  peer_.resumed = peer_.resumed || impl.ticket_taken;
  if (result == MBEDTLS_ERR_SSL_WANT_READ) {
    read_network();
  } else {
    end_handshake(result);
  }
}

// Whatever mbedTLS still wants to send (a Finished, an alert) goes out before settle() ends it.
void Engine::end_handshake(int result) {
  handshake_over_ = true;
  if (result != 0) {
    refusal_ = Error{Code::unauthenticated, refusal_text(result), ""};
    if (result == MBEDTLS_ERR_SSL_CONN_EOF) {
      refusal_ = Error{Code::closed, "the other side closed during the TLS handshake", ""};
    } else if (result == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
      // The one refusal of which mbedTLS does not tell the client.
      mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                     MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    }
    return;
  }
  TlsContext::Impl& impl = context_->impl();
  if (!impl.is_server) peer_.resumed = !chain_checked_;
  if (!check_peer()) {
    mbedtls_ssl_send_alert_message(&ssl_, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                   MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return;
  }
  ++(peer_.resumed ? impl.resumed : impl.full);
  if (impl.is_server) {
    forget_peer_certificate();
  } else {
    impl.keep_session(ssl_, host_name_);
  }
}

// Its facts are taken; with what mbedTLS computed of its key it is 8 KiB, for as long as the link.
void Engine::forget_peer_certificate() {
  const mbedtls_x509_crt* certificate = mbedtls_ssl_get_peer_cert(&ssl_);
  if (certificate == nullptr) return;
  // mbedTLS offers no other way. What is left is an empty certificate, which it frees again.
  mbedtls_x509_crt_free(const_cast<mbedtls_x509_crt*>(certificate));
}

// What mbedTLS leaves to us: an optional certificate that is bad, and dates on a resumed session.
bool Engine::check_peer() {
  const TlsContext::Impl& impl = context_->impl();
  const mbedtls_x509_crt* certificate = mbedtls_ssl_get_peer_cert(&ssl_);
  if (certificate == nullptr) return true;  // then `required` has refused already
  std::uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
  const bool expired = mbedtls_x509_time_is_past(&certificate->valid_to) != 0;
  const bool may_be_expired = impl.ignore_dates || impl.accept_expired_clients;
  if (expired && !may_be_expired) flags |= MBEDTLS_X509_BADCERT_EXPIRED;
  if (flags != 0) {
    refusal_ = Error{Code::unauthenticated,
                     tls_compat::verify_text(flags, tls_compat::facts_of(*certificate), host_name_),
                     ""};
    return false;
  }
  peer_.has_certificate = true;
  peer_.expired = expired;
  peer_.certificate = tls_compat::facts_of(*certificate);
  return true;
}

std::string Engine::refusal_text(int result) const {
  const std::uint32_t flags = mbedtls_ssl_get_verify_result(&ssl_);
  const bool is_about_certificate = result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
                                    result == MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE;
  if (is_about_certificate && chain_checked_ && flags != 0 && flags != 0xffffffffU) {
    return tls_compat::verify_text(flags, context_->impl().leaf, host_name_);
  }
  if (result == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) return "no client certificate was shown";
  if (result == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION) {
    return "the other side does not speak TLS 1.2";
  }
  if (result == MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN) {
    return "the other side offers no cipher that we allow";
  }
  if (result == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    const int alert = ssl_.MBEDTLS_PRIVATE(in_msg)[1];
    return std::string("the other side refused the TLS handshake: ") + alert_word(alert) +
           " (alert " + std::to_string(alert) + ")";
  }
  return "TLS handshake: " + tls_compat::error_text(result);
}

void Engine::step_read() {
  auto* into = static_cast<unsigned char*>(read_into_.data());
  const int result = mbedtls_ssl_read(&ssl_, into, read_into_.size());
  if (result > 0) {
    std::exchange(read_, nullptr)->complete({}, static_cast<std::size_t>(result));
  } else if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) {
    read_network();
  } else if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    std::exchange(read_, nullptr)->complete(asio::error::eof, 0);
  } else if (result == MBEDTLS_ERR_SSL_CONN_EOF || result == 0) {
    // Without close_notify the end may be an attacker's cut.
    fail(asio::error::connection_reset);
  } else {
    fail(asio::error::connection_aborted);
  }
}

void Engine::read_network() {
  if (reading_ || in_eof_) return;
  reading_ = true;
  fit_input(in_end_);
  in_begin_ = in_end_ = 0;
  tcp_.async_read_some(asio::buffer(in_),
                       [self = shared_from_this()](error_code error, std::size_t size_bytes) {
                         self->on_read(error, size_bytes);
                       });
}

// The last read filled it: much comes. Ten thousand idle links hold ten thousand of them.
void Engine::fit_input(std::size_t last_read) {
  if (last_read == in_.size() && in_.size() < kRecordBytes) {
    in_.resize(in_.empty() ? kIdleInputBytes : kRecordBytes);
  } else if (last_read <= kIdleInputBytes && in_.size() > kIdleInputBytes) {
    in_ = std::vector<unsigned char>(kIdleInputBytes);
  }
}

void Engine::on_read(error_code error, std::size_t size_bytes) {
  reading_ = false;
  if (failure_) return;
  in_end_ = size_bytes;
  if (error == asio::error::eof) {
    in_eof_ = true;
  } else if (error) {
    return fail(error);
  }
  go_on();
}

void Engine::write_network() {
  if (writing_ || out_.empty() || failure_) return;
  writing_ = true;
  in_flight_.swap(out_);
  asio::async_write(tcp_, asio::buffer(in_flight_),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      self->on_written(error);
                    });
}

void Engine::on_written(error_code error) {
  writing_ = false;
  give_back(in_flight_);
  if (failure_) return;
  if (error) return fail(error);
  write_network();
  settle();
}

// Ends what only waited for its bytes to leave.
void Engine::settle() {
  if (writing_ || failure_) return;
  if (write_) std::exchange(write_, nullptr)->complete({}, written_bytes_);
  if (shutdown_) std::exchange(shutdown_, nullptr)->complete({}, 0);
  if (!handshake_ || !handshake_over_) return;
  if (refusal_) return fail(asio::error::no_permission);
  std::exchange(handshake_, nullptr)->complete({}, 0);
}

}  // namespace proto::tls_detail
