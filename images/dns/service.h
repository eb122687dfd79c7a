// What UDP and TCP share: the zones and options, and what becomes of a packet from somebody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "images/dns/address.h"
#include "images/dns/answer.h"
#include "images/dns/counters.h"
#include "images/dns/options.h"
#include "images/dns/rate_limit.h"

namespace images::dns {

/// Everything that it points to outlives the servers.
struct Service {
  std::span<const Zone> zones;
  const Options* options = nullptr;
  RateLimit* rate_limit = nullptr;  // nullptr: no limit
  Counters* counters = nullptr;
};

/// Where the next answer is made, kMaxAnswerBytes: of whoever handles an event, and gone with it.
std::span<std::uint8_t> scratch();

/// A packet that was read.
struct Asked {
  Verdict verdict = Verdict::drop;
  Query query;
  Rcode rcode = Rcode::no_error;
  bool may_forward = false;  // the asker's questions are forwarded
  bool forward = false;      // and this one must be: no zone here answers it
};

/// Read a packet of this asker's. Its bytes must outlive what is returned.
Asked read_asked(const Service& service, std::span<const std::uint8_t> packet,
                 const Address& asker);

/// The answer from the zones. out: kMaxAnswerBytes. Returns its bytes; 0 = send none.
std::size_t answer_here(const Service& service, const Asked& asked, Transport transport,
                        std::span<std::uint8_t> out);

/// "This server failed" to a packet that should have been forwarded, for the asker's id.
std::size_t answer_failure(std::span<const std::uint8_t> packet, std::uint16_t asker_id,
                           std::span<std::uint8_t> out);

/// Count an answer that goes out, by its own bytes.
void count_answer(const Service& service, std::span<const std::uint8_t> answer);

}  // namespace images::dns
