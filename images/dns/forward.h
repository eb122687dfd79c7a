// Forwarding without the network: what is asked of another server, and whether what comes back is
// its answer. Whoever can guess id, port and question together could put names into our mouth.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "images/dns/message.h"
#include "images/dns/options.h"

namespace images::dns {

inline constexpr std::size_t kMaxQueryBytes = 1400;  // longer ones are no sensible query
inline constexpr std::size_t kForwardTries = 3;

/// A question on its way: as it is sent, and who asked.
struct Forwarded {
  std::array<std::uint8_t, kMaxQueryBytes> query{};
  std::size_t query_size = 0;
  std::size_t question_size = 0;
  std::size_t udp_bytes = kPlainUdpBytes;  // that the asker takes
  std::uint16_t asker_id = 0;
  std::uint8_t first = 0;                  // an index: who was asked first
  std::uint8_t upstream = 0;               // an index: who is asked now
  std::uint8_t tries = 0;
  std::uint64_t deadline_ms = 0;           // of this try

  std::span<const std::uint8_t> packet() const { return {query.data(), query_size}; }
};

/// Take a question over to be sent: as it came, but for EDNS's size, which is made what we take.
/// packet: at most kMaxQueryBytes, and what `query` was read from.
void take_over(std::span<const std::uint8_t> packet, const Query& query, Forwarded& out);

/// The servers to forward to, and which of them is asked first: the one that answered last.
class Upstreams {
 public:
  explicit Upstreams(std::span<const Endpoint> servers) : servers_(servers) {}

  std::size_t count() const { return servers_.size(); }
  const Endpoint& operator[](std::size_t index) const { return servers_[index]; }
  std::size_t preferred() const { return preferred_; }
  void answered(std::size_t index) { preferred_ = index; }
  void was_silent(std::size_t index) {
    if (preferred_ == index) preferred_ = (index + 1) % count();
  }

 private:
  std::span<const Endpoint> servers_;
  std::size_t preferred_ = 0;
};

/// The next try, to the next server, with another id. False: enough was tried.
bool begin_try(Forwarded& forwarded, const Upstreams& upstreams, std::uint16_t id,
               std::uint64_t now_ms);

/// True if these bytes answer this try's question: id, opcode, and the question itself.
bool is_answer(const Forwarded& forwarded, std::span<const std::uint8_t> bytes);

/// True if the server could not or would not answer: another one may.
bool is_failure(std::span<const std::uint8_t> answer);

/// The answer as the asker gets it: its id, its spelling of the question; told to come by TCP if it
/// is longer than the asker or a datagram may take. In place; returns its size.
/// answer: is_answer().
std::size_t hand_back(const Forwarded& forwarded, std::span<std::uint8_t> answer, bool by_tcp);

}  // namespace images::dns
