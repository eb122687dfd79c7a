// The machine inside a TlsStream: mbedTLS between two buffers, and the network operations that
// empty and fill them. Only for tls_engine.cc and tls_stream.cc.
#pragma once

#include <mbedtls/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/tls_internal.h"
#include "proto/tls_stream.h"

namespace proto::tls_detail {

/// Owned by its TlsStream and by the network operations under way. All on the loop's thread.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  using error_code = boost::system::error_code;

  Engine(std::shared_ptr<TlsContext> context, boost::beast::tcp_stream tcp, std::string host_name);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Before the handshake. errors internal
  Status set_up();
  void start_handshake(std::unique_ptr<Operation> operation);
  void start_read(boost::asio::mutable_buffer buffer, std::unique_ptr<Operation> operation);
  void begin_write() { gathered_.clear(); }
  bool add_to_write(boost::asio::const_buffer buffer);
  void start_write(std::unique_ptr<Operation> operation);
  void start_shutdown(std::unique_ptr<Operation> operation);
  /// Ends every operation with `why` and closes the socket.
  void fail(error_code why);

  boost::beast::tcp_stream& tcp() { return tcp_; }
  const PeerFacts& peer() const { return peer_; }
  /// Why the handshake failed, in words; only after it failed with `handshake_refused`.
  const std::optional<Error>& refusal() const { return refusal_; }

 private:
  static int send_callback(void* engine, const unsigned char* bytes, std::size_t size_bytes);
  static int receive_callback(void* engine, unsigned char* bytes, std::size_t size_bytes);

  void go_on();
  void step_handshake();
  void end_handshake(int result);
  void step_read();
  void read_network();
  void fit_input(std::size_t last_read);
  void write_network();
  void on_read(error_code error, std::size_t size_bytes);
  void on_written(error_code error);
  void settle();
  std::string refusal_text(int result) const;
  bool check_peer();
  void forget_peer_certificate();

  std::shared_ptr<TlsContext> context_;  // the other owners: the program, other streams
  boost::beast::tcp_stream tcp_;
  std::string host_name_;
  mbedtls_ssl_context ssl_;
  PeerFacts peer_;
  std::optional<Error> refusal_;

  std::vector<unsigned char> in_;  // small while the link is idle, a record while much comes
  std::size_t in_begin_ = 0;
  std::size_t in_end_ = 0;
  bool in_eof_ = false;
  std::string out_;        // made by mbedTLS, not yet given to the network
  std::string in_flight_;  // given to the network
  std::string gathered_;   // plain bytes of the write that is being started
  bool reading_ = false;
  bool writing_ = false;
  bool chain_checked_ = false;
  error_code failure_;

  std::unique_ptr<Operation> handshake_;
  bool handshake_over_ = false;
  std::unique_ptr<Operation> read_;
  boost::asio::mutable_buffer read_into_;
  std::unique_ptr<Operation> write_;
  std::size_t written_bytes_ = 0;
  std::unique_ptr<Operation> shutdown_;
};

}  // namespace proto::tls_detail
