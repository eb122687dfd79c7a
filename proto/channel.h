// Envelopes between a device and the controller (DESIGN 6): binary WebSocket messages over TLS,
// and an in-memory pair for simulations and tests.
// It never looks into an Envelope and never keeps more than kMaxQueuedSends of them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "fleet/v1/link.pb.h"
#include "proto/async.h"
#include "proto/tls.h"

namespace proto {

inline constexpr std::size_t kMaxQueuedSends = 256;
inline constexpr const char* kLinkPath = "/device/v1/link";

/// One connection. One receive at a time; sends may come from several tasks and keep their order.
class Channel {
 public:
  virtual ~Channel() = default;

  /// The next Envelope.
  /// errors timeout (the channel is closed then) | closed (by the other side, or an idle link) |
  ///        too_large (over kMaxEnvelopeBytes) | bad_argument (no Envelope) | cancelled
  /// after  any error: closed
  virtual awaitable<Result<fleet::v1::Envelope>> receive(Deadline deadline) = 0;
  /// Returns when the bytes are handed to the network, in the order of the calls.
  /// errors too_large (nothing sent) | unavailable (kMaxQueuedSends wait already) | closed
  virtual awaitable<Status> send(fleet::v1::Envelope envelope) = 0;
  /// Says goodbye to the other side, waits for it at most 2 s, closes. Not beside another close().
  virtual awaitable<void> close() = 0;
  /// Closes at once; the receive and the sends under way end with `closed`.
  virtual void abort() = 0;
  virtual bool is_open() const = 0;
  virtual const PeerFacts& peer() const = 0;
  virtual std::string remote_address() const = 0;
  /// Payload bytes and messages since the start, to show what a link costs.
  struct Counts {
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };
  virtual Counts counts() const = 0;
};

struct ChannelOptions {
  /// Silence after which the other side is taken for gone; a ping goes out at half of it.
  std::int64_t idle_ms = 60000;
};

/// Opens the device's link.
/// in     address HOST:PORT to connect to; host_name to verify; clock outlives the channel
/// errors as tls_connect | forbidden (HTTP 403) | unauthenticated (401) | unavailable (others)
awaitable<Result<std::unique_ptr<Channel>>> connect_channel(Clock& clock,
                                                            std::shared_ptr<TlsContext> context,
                                                            std::string address,
                                                            std::string host_name,
                                                            ChannelOptions options,
                                                            Deadline deadline);
// The server's side, from an HTTP request, is in proto/channel_accept.h.

/// Two ends joined in memory. Each end keeps up to kMaxQueuedSends that were not received.
/// in     what each end says about its peer; clock outlives both
std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>> make_channel_pair(
    Clock& clock, PeerFacts peer_of_first = {}, PeerFacts peer_of_second = {});

}  // namespace proto
