// DNS messages on the wire (RFC 1035 section 4, RFC 6891): reading a query, writing an answer with
// compressed names. Nothing is allocated; no length in a packet is trusted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "images/dns/name.h"
#include "images/dns/zone.h"

namespace images::dns {

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kPlainUdpBytes = 512;   // without EDNS
// What crosses every path without fragments, as resolvers agreed on the DNS flag day of 2020.
inline constexpr std::size_t kMaxUdpBytes = 1232;
inline constexpr std::size_t kOptBytes = 11;
inline constexpr std::uint16_t kClassAny = 255;
inline constexpr std::uint16_t kNsidOption = 3;

enum class Rcode : std::uint16_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  no_such_name = 3,
  not_implemented = 4,
  refused = 5,
  bad_version = 16,  // the upper bits travel in OPT
};

struct Query {
  std::uint16_t id = 0;
  std::uint16_t opcode = 0;
  bool recursion_desired = false;
  bool has_question = false;
  Name name;                                // lower case
  std::span<const std::uint8_t> question;   // as it came, name, type and class
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
  bool edns = false;
  std::size_t opt_offset = 0;               // where OPT begins in the packet
  std::uint8_t edns_version = 0;
  bool dnssec_ok = false;
  bool wants_nsid = false;                  // RFC 5001: which server is this?
  std::size_t udp_bytes = kPlainUdpBytes;   // that the asker takes, 512..kMaxUdpBytes
};

enum class Verdict {
  drop,      // not a query: no answer may be sent, or two servers could talk for ever
  refuse,    // answer with the rcode alone
  look_up,   // a question of class IN to be answered
};

/// Read a packet. On `refuse`, rcode says what to answer; query holds what could be read.
Verdict parse_query(std::span<const std::uint8_t> packet, Query& query, Rcode& rcode);

/// What an answer says of itself.
struct AnswerHead {
  std::uint16_t type = 0;           // of its question; 0 = it has none that can be read
  Rcode rcode = Rcode::no_error;    // with the upper bits of OPT, if it has one that can be read
};

/// Read an answer, ours or another server's.
AnswerHead read_answer_head(std::span<const std::uint8_t> packet);

/// Writes a message into a buffer. Every put either fits as a whole or writes nothing.
class Writer {
 public:
  /// limit <= out.size().
  Writer(std::span<std::uint8_t> out, std::size_t limit) : out_(out), limit_(limit) {}

  std::size_t size() const { return size_; }
  void set_limit(std::size_t limit) { limit_ = limit; }
  /// Forget what was written from there on.
  void roll_back(std::size_t size);

  bool put_u16(std::uint64_t value);
  bool put_u32(std::uint64_t value);
  bool put_bytes(std::span<const std::uint8_t> bytes);
  /// A name, its tail replaced by a pointer where the same labels stand already.
  bool put_name(NameView name);
  /// A record under an owner of its own (a wildcard's answers bear the asked name).
  bool put_record(NameView owner, const Record& record);
  /// Remember where an uncompressed name stands, written by put_bytes().
  void learn_name(std::size_t offset);
  void set_u16(std::size_t offset, std::uint64_t value);

 private:
  bool put_data(const Record& record);
  bool find(NameView name, std::uint16_t& offset) const;
  bool stands_at(NameView name, std::size_t offset) const;

  static constexpr std::size_t kMaxPlaces = 128;
  std::span<std::uint8_t> out_;
  std::size_t limit_;
  std::size_t size_ = 0;
  std::array<std::uint16_t, kMaxPlaces> places_{};  // where labels begin that may be pointed to
  std::size_t place_count_ = 0;
};

}  // namespace images::dns
