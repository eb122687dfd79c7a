#include "images/firewall/rule_values.h"

#include <algorithm>
#include <iterator>

#include "images/firewall/bytes.h"
#include "images/runtime/address.h"

namespace images::firewall {
namespace {

using runtime::cut;
using runtime::parse_number;

struct Name {
  std::string_view text;
  std::uint32_t number;
};

constexpr Name kProtocols[] = {{"icmp", 1},    {"igmp", 2}, {"tcp", 6},     {"udp", 17},
                               {"gre", 47},    {"esp", 50}, {"ah", 51},     {"icmpv6", 58},
                               {"ipv6-icmp", 58}, {"sctp", 132}};
constexpr Name kEtherTypes[] = {{"ip", kEtherIp4},     {"arp", kEtherArp},    {"ip6", kEtherIp6},
                                {"vlan", kEtherVlan}, {"8021q", kEtherVlan}};
constexpr Name kStates[] = {{"new", 0}, {"established", 1}, {"related", 2},
                            {"invalid", 3}, {"untracked", 4}};
constexpr Name kIcmpTypes[] = {
    {"echo-reply", 0},        {"destination-unreachable", 3}, {"source-quench", 4},
    {"redirect", 5},          {"echo-request", 8},            {"router-advertisement", 9},
    {"router-solicitation", 10}, {"time-exceeded", 11},       {"parameter-problem", 12},
    {"timestamp-request", 13}, {"timestamp-reply", 14},       {"info-request", 15},
    {"info-reply", 16},       {"address-mask-request", 17},   {"address-mask-reply", 18}};
constexpr Name kIcmp6Types[] = {
    {"destination-unreachable", 1}, {"packet-too-big", 2},      {"time-exceeded", 3},
    {"parameter-problem", 4},       {"echo-request", 128},      {"echo-reply", 129},
    {"mld-listener-query", 130},    {"mld-listener-report", 131}, {"mld-listener-done", 132},
    {"mld-listener-reduction", 132}, {"nd-router-solicit", 133}, {"nd-router-advert", 134},
    {"nd-neighbor-solicit", 135},   {"nd-neighbor-advert", 136}, {"nd-redirect", 137},
    {"mld2-listener-report", 143}};
static_assert(static_cast<int>(FlowState::untracked) == 4);

struct RejectName {
  std::string_view family;
  std::string_view word;
  std::uint8_t code;   // of ICMP
  std::uint8_t code6;  // of ICMPv6
};
constexpr RejectName kRejects[] = {
    {"icmp", "net-unreachable", 0, 0},   {"icmp", "host-unreachable", 1, 0},
    {"icmp", "prot-unreachable", 2, 0},  {"icmp", "port-unreachable", 3, 0},
    {"icmp", "net-prohibited", 9, 0},    {"icmp", "host-prohibited", 10, 0},
    {"icmp", "admin-prohibited", 13, 0}, {"icmpv6", "no-route", 0, 0},
    {"icmpv6", "admin-prohibited", 0, 1}, {"icmpv6", "addr-unreachable", 0, 3},
    {"icmpv6", "port-unreachable", 0, 4}, {"icmpv6", "policy-fail", 0, 5},
    {"icmpv6", "reject-route", 0, 6},    {"icmpx", "no-route", 0, 0},
    {"icmpx", "host-unreachable", 1, 3}, {"icmpx", "port-unreachable", 3, 4},
    {"icmpx", "admin-prohibited", 13, 1}};

struct FieldName {
  std::string_view header;
  std::string_view name;
  Field field;
};
constexpr FieldName kFields[] = {
    {"ether", "type", Field::ether_type},   {"vlan", "id", Field::vlan},
    {"ct", "state", Field::flow_state},     {"meta", "l4proto", Field::protocol},
    {"meta", "iifname", Field::in_port},    {"meta", "oifname", Field::out_port},
    {"ip", "protocol", Field::protocol4},   {"ip6", "nexthdr", Field::protocol6},
    {"ip", "saddr", Field::source4},        {"ip", "daddr", Field::target4},
    {"ip6", "saddr", Field::source6},       {"ip6", "daddr", Field::target6},
    {"tcp", "sport", Field::tcp_source},    {"tcp", "dport", Field::tcp_target},
    {"udp", "sport", Field::udp_source},    {"udp", "dport", Field::udp_target},
    {"icmp", "type", Field::icmp_type},     {"icmpv6", "type", Field::icmp6_type},
};

/// The words of a field, and the largest number that it takes beside them.
struct Numbers {
  std::span<const Name> names;
  std::uint32_t most;
  const char* fault;
};

Numbers numbers_of(Field field) {
  switch (field) {
    case Field::ether_type:
      return {kEtherTypes, 0xffff, "not an ether type: ip, ip6, arp, vlan or 0xNNNN"};
    case Field::vlan: return {{}, 4095, "not a VLAN of 0..4095"};
    case Field::flow_state:
      return {kStates, 0, "not a state: new, established, related, invalid or untracked"};
    case Field::protocol:
    case Field::protocol4:
    case Field::protocol6:
      return {kProtocols, 255, "not a protocol: tcp, udp, icmp, icmpv6, ... or 0..255"};
    case Field::icmp_type: return {kIcmpTypes, 255, "not an ICMP type: a name or 0..255"};
    case Field::icmp6_type: return {kIcmp6Types, 255, "not an ICMPv6 type: a name or 0..255"};
    default: return {{}, 65535, "not a port of 0..65535, in digits"};
  }
}

bool parse_hex_number(std::string_view text, std::uint64_t& out) {
  std::uint8_t bytes[2];
  if (text.size() != 6 || !text.starts_with("0x")) return false;
  if (!runtime::parse_hex(text.substr(2), bytes)) return false;
  out = std::uint64_t{bytes[0]} << 8 | bytes[1];
  return true;
}

bool parse_one(const Numbers& numbers, std::string_view word, std::uint32_t& out) {
  const auto name = std::find_if(numbers.names.begin(), numbers.names.end(),
                                 [&](const Name& one) { return one.text == word; });
  if (name != numbers.names.end()) {
    out = name->number;
    return true;
  }
  std::uint64_t value = 0;
  if (numbers.most == 0) return false;
  if (!parse_hex_number(word, value) && !parse_number(word, numbers.most, value)) return false;
  out = static_cast<std::uint32_t>(value);
  return value <= numbers.most;
}

/// Names hold '-' too, so that a word is one value first and a range only else.
const char* parse_numbers(const Numbers& numbers, std::string_view word, Range& out) {
  if (parse_one(numbers, word, out.first)) {
    out.last = out.first;
    return nullptr;
  }
  std::string_view first;
  if (!cut(word, '-', first)) return numbers.fault;
  if (!parse_one(numbers, first, out.first) || !parse_one(numbers, word, out.last)) {
    return numbers.fault;
  }
  return out.first <= out.last ? nullptr : "a range that ends before it begins";
}

const char* parse_port_name(std::string_view word, PortNames ports, Range& out) {
  const auto at = std::find(ports.begin(), ports.end(), word);
  if (word.empty() || at == ports.end()) return "not an interface whose frames this chain sees";
  out.first = out.last = static_cast<std::uint32_t>(at - ports.begin());
  return nullptr;
}

template <std::size_t N>
struct Family;
template <>
struct Family<4> {
  static constexpr const char* kFault = "not an IPv4 address, A.B.C.D/N or range of two";
  static bool parse(std::string_view text, std::array<std::uint8_t, 4>& out) {
    return runtime::parse_ipv4(text, out);
  }
};
template <>
struct Family<16> {
  static constexpr const char* kFault = "not an IPv6 address, prefix or range of two";
  static bool parse(std::string_view text, std::array<std::uint8_t, 16>& out) {
    return runtime::parse_ipv6(text, out);
  }
};

template <std::size_t N>
const char* parse_addresses(std::string_view word, std::array<std::uint8_t, N>& first,
                            std::array<std::uint8_t, N>& last) {
  std::string_view head;
  if (cut(word, '/', head)) {
    std::uint64_t bits = 0;
    if (!Family<N>::parse(head, first) || !parse_number(word, N * 8, bits)) {
      return Family<N>::kFault;
    }
    last = first;
    for (std::size_t bit = bits; bit < N * 8; ++bit) {
      const auto mask = static_cast<std::uint8_t>(0x80 >> (bit % 8));
      if ((first[bit / 8] & mask) != 0) return "an address with bits behind its prefix";
      last[bit / 8] = static_cast<std::uint8_t>(last[bit / 8] | mask);
    }
    return nullptr;
  }
  const bool is_range = cut(word, '-', head);
  if (!Family<N>::parse(is_range ? head : word, first)) return Family<N>::kFault;
  if (!Family<N>::parse(word, last)) return Family<N>::kFault;
  return first <= last ? nullptr : "a range that ends before it begins";
}

}  // namespace

const char* parse_value(Field field, std::string_view word, PortNames ports, Range& out) {
  if (field == Field::in_port || field == Field::out_port) {
    return parse_port_name(word, ports, out);
  }
  if (field != Field::source4 && field != Field::target4) {
    return parse_numbers(numbers_of(field), word, out);
  }
  std::array<std::uint8_t, 4> first{};
  std::array<std::uint8_t, 4> last{};
  const char* fault = parse_addresses(word, first, last);
  if (fault != nullptr) return fault;
  out = {read32(first, 0), read32(last, 0)};
  return nullptr;
}

const char* parse_wide_value(std::string_view word, WideRange& out) {
  return parse_addresses(word, out.first, out.last);
}

bool find_reject_code(std::string_view family, std::string_view word, Rejection& out) {
  const auto at = std::find_if(std::begin(kRejects), std::end(kRejects),
                               [&](const RejectName& one) {
                                 return one.family == family && one.word == word;
                               });
  if (at == std::end(kRejects)) return false;
  out.code = at->code;
  out.code6 = at->code6;
  return true;
}

const char* parse_nat_target(std::string_view word, bool allows_bare_ports, NatTarget& out) {
  std::string_view address = word;
  out.has_ports = cut(word, ':', address);
  out.has_address = !address.empty();
  std::array<std::uint8_t, 4> bytes{};
  if (out.has_address ? !runtime::parse_ipv4(address, bytes) : !allows_bare_ports) {
    return "not an IPv4 address or A.B.C.D:PORT";
  }
  std::copy(bytes.begin(), bytes.end(), out.address.begin());
  if (!out.has_ports) return nullptr;
  Range range;
  const char* fault = parse_numbers(numbers_of(Field::tcp_target), word, range);
  if (fault != nullptr) return fault;
  if (range.first == 0) return "not a port of 1..65535, in digits";
  out.first_port = static_cast<std::uint16_t>(range.first);
  out.last_port = static_cast<std::uint16_t>(range.last);
  return nullptr;
}

bool find_field(std::string_view header, std::string_view name, Field& out) {
  const auto at = std::find_if(std::begin(kFields), std::end(kFields), [&](const FieldName& one) {
    return one.header == header && one.name == name;
  });
  if (at == std::end(kFields)) return false;
  out = at->field;
  return true;
}

bool is_header(std::string_view word) {
  return std::any_of(std::begin(kFields), std::end(kFields),
                     [&](const FieldName& one) { return one.header == word; });
}

}  // namespace images::firewall
