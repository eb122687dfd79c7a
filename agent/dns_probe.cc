#include "agent/dns_probe.h"

#include <array>
#include <cstddef>
#include <optional>

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kMaxLabelBytes = 63;
constexpr std::size_t kMaxNameBytes = 253;
constexpr std::uint16_t kClassIn = 1;

struct TypeName {
  std::string_view name;
  std::uint16_t number;
};
constexpr std::array kTypes = {
    TypeName{"A", 1},    TypeName{"NS", 2},    TypeName{"CNAME", 5}, TypeName{"SOA", 6},
    TypeName{"PTR", 12}, TypeName{"MX", 15},   TypeName{"TXT", 16},  TypeName{"AAAA", 28},
    TypeName{"SRV", 33}, TypeName{"CAA", 257}};

constexpr std::array<std::string_view, 6> kRcodes = {"NOERROR",  "FORMERR", "SERVFAIL",
                                                     "NXDOMAIN", "NOTIMP",  "REFUSED"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Error malformed() { return Error{Code::bad_argument, "the DNS answer is cut short", ""}; }

// A cursor that never reads beyond the message.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::optional<std::uint16_t> u16() {
    if (bytes_.size() - at_ < 2) return std::nullopt;
    const auto high = static_cast<unsigned>(bytes_[at_]);
    const auto low = static_cast<unsigned>(bytes_[at_ + 1]);
    at_ += 2;
    return static_cast<std::uint16_t>(high << 8 | low);
  }

  bool skip(std::size_t count) {
    if (bytes_.size() - at_ < count) return false;
    at_ += count;
    return true;
  }

  // Steps over a name. A compression pointer ends it; where it leads is of no interest here.
  bool skip_name() {
    for (std::size_t steps = 0; steps <= kMaxNameBytes; ++steps) {
      if (at_ >= bytes_.size()) return false;
      const std::uint8_t length = bytes_[at_];
      if ((length & 0xC0u) == 0xC0u) return skip(2);
      if (length > kMaxLabelBytes) return false;
      if (!skip(std::size_t{length} + 1)) return false;
      if (length == 0) return true;
    }
    return false;
  }

  // Reads an uncompressed name, as it stands in a question; nothing if there is none.
  std::optional<std::string> name() {
    std::string out;
    while (out.size() <= kMaxNameBytes) {
      if (at_ >= bytes_.size()) return std::nullopt;
      const std::size_t length = bytes_[at_];
      if (length > kMaxLabelBytes || bytes_.size() - at_ - 1 < length) return std::nullopt;
      ++at_;
      if (length == 0) return out;
      if (!out.empty()) out += '.';
      for (std::size_t i = 0; i < length; ++i) out += lower(static_cast<char>(bytes_[at_ + i]));
      at_ += length;
    }
    return std::nullopt;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

void put_u16(std::vector<std::uint8_t>& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value & 0xFFu));
}

// Counts the records of the asked type in the answer section.
Result<int> count_answers(Reader& reader, std::uint16_t records, const DnsQuestion& question) {
  int found = 0;
  for (std::uint16_t i = 0; i < records; ++i) {
    if (!reader.skip_name()) return malformed();
    const auto type = reader.u16();
    const auto record_class = reader.u16();
    if (!type || !record_class || !reader.skip(4)) return malformed();
    const auto length = reader.u16();
    if (!length || !reader.skip(*length)) return malformed();
    if (*type == question.type && *record_class == kClassIn) ++found;
  }
  if (found > 0) return found;
  return Error{Code::unhealthy,
               "NOERROR without a record of type " + question.type_name + " for " + question.name,
               ""};
}

}  // namespace

Result<DnsQuestion> parse_dns_question(std::string_view text) {
  DnsQuestion question;
  question.type_name = "A";
  const std::size_t blank = text.find(' ');
  std::string_view name = text.substr(0, blank);
  if (blank != std::string_view::npos) question.type_name = std::string(text.substr(blank + 1));
  bool known = false;
  for (const TypeName& type : kTypes) {
    if (type.name != question.type_name) continue;
    question.type = type.number;
    known = true;
  }
  if (!known) {
    return Error{Code::bad_argument,
                 "health.query: \"" + question.type_name +
                     "\" is no record type known here; write NAME TYPE, as in www.example.test A",
                 ""};
  }
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > kMaxNameBytes) {
    return Error{Code::bad_argument, "health.query: the name is longer than 253 bytes", ""};
  }
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return Error{Code::bad_argument, "health.query: empty label in the name", ""};
      label = 0;
    } else if (++label > kMaxLabelBytes) {
      return Error{Code::bad_argument, "health.query: a label is longer than 63 bytes", ""};
    }
    question.name += lower(c);
  }
  if (!name.empty() && label == 0) {
    return Error{Code::bad_argument, "health.query: empty label in the name", ""};
  }
  return question;
}

std::vector<std::uint8_t> build_dns_query(const DnsQuestion& question, std::uint16_t id) {
  std::vector<std::uint8_t> out;
  out.reserve(kHeaderBytes + question.name.size() + 6);
  put_u16(out, id);
  put_u16(out, 0);  // a plain query; recursion is not wanted of an authoritative server
  put_u16(out, 1);
  put_u16(out, 0);
  put_u16(out, 0);
  put_u16(out, 0);
  std::string_view rest = question.name;
  while (!rest.empty()) {
    const std::size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    FLEET_ASSERT(!label.empty() && label.size() <= kMaxLabelBytes);
    out.push_back(static_cast<std::uint8_t>(label.size()));
    for (const char c : label) out.push_back(static_cast<std::uint8_t>(c));
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  out.push_back(0);
  put_u16(out, question.type);
  put_u16(out, kClassIn);
  return out;
}

Result<int> judge_dns_answer(std::span<const std::uint8_t> answer, const DnsQuestion& question,
                             std::uint16_t id) {
  Reader reader(answer);
  const auto got_id = reader.u16();
  const auto flags = reader.u16();
  const auto questions = reader.u16();
  const auto answers = reader.u16();
  if (!got_id || !flags || !questions || !answers || !reader.skip(4)) return malformed();
  if (*got_id != id || (*flags & 0x8000u) == 0 || *questions != 1) {
    return Error{Code::bad_argument, "not an answer to this query", ""};
  }
  const auto name = reader.name();
  const auto type = reader.u16();
  const auto question_class = reader.u16();
  if (!name || !type || !question_class) return malformed();
  if (*name != question.name || *type != question.type || *question_class != kClassIn) {
    return Error{Code::bad_argument, "the answer repeats another question", ""};
  }
  const std::size_t rcode = *flags & 0x0Fu;
  if (rcode != 0) {
    const std::string word =
        rcode < kRcodes.size() ? std::string(kRcodes.at(rcode)) : "rcode " + std::to_string(rcode);
    return Error{Code::unhealthy, word + " for " + question.name, ""};
  }
  if ((*flags & 0x0200u) != 0 && *answers == 0) {
    return Error{Code::unhealthy, "the answer was cut (TC) and holds no record", ""};
  }
  return count_answers(reader, *answers, question);
}

}  // namespace agent
