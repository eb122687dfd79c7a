#include "images/dns/counters.h"

#include <algorithm>
#include <string_view>

#include "images/runtime/metrics_text.h"

namespace images::dns {
namespace {

using runtime::kCounter;
using runtime::kGauge;

struct Label {
  std::uint16_t number;
  std::string_view text;
};
constexpr std::array<Label, Counters::kTypes> kTypeLabels{{
    {1, "A"},     {2, "NS"},   {5, "CNAME"}, {6, "SOA"},   {12, "PTR"},    {15, "MX"},
    {16, "TXT"},  {28, "AAAA"}, {33, "SRV"},  {35, "NAPTR"}, {43, "DS"},    {48, "DNSKEY"},
    {64, "SVCB"}, {65, "HTTPS"}, {255, "ANY"}, {257, "CAA"},  {0, "other"},
}};
constexpr std::array<Label, Counters::kRcodes> kRcodeLabels{{
    {0, "NOERROR"},
    {1, "FORMERR"},
    {2, "SERVFAIL"},
    {3, "NXDOMAIN"},
    {4, "NOTIMP"},
    {5, "REFUSED"},
    {16, "BADVERS"},
    {0, "other"},
}};

template <std::size_t N>
std::size_t index_of(const std::array<Label, N>& labels, std::uint16_t number) {
  const auto last = labels.end() - 1;
  const auto found = std::find_if(labels.begin(), last,
                                  [&](const Label& label) { return label.number == number; });
  return static_cast<std::size_t>(found - labels.begin());
}

/// One line of a family whose label tells the event.
struct Row {
  Event event;
  std::string_view text;
};
struct Family {
  std::string_view name;
  std::string_view help;
  std::string_view label;
  std::span<const Row> rows;
};
constexpr std::array<Row, 2> kQueries{{{Event::by_udp, "udp"}, {Event::by_tcp, "tcp"}}};
constexpr std::array<Row, 3> kUnanswered{{{Event::dropped, "no_query"},
                                          {Event::limited_dropped, "rate_limit"},
                                          {Event::limited_truncated, "rate_limit_truncated"}}};
constexpr std::array<Row, 2> kConnections{
    {{Event::connection, "taken"}, {Event::connection_refused, "full"}}};
constexpr std::array<Row, 6> kForwards{{{Event::forwarded, "taken"},
                                        {Event::forward_answered, "answered"},
                                        {Event::forward_tried_again, "tried_again"},
                                        {Event::forward_failed, "failed"},
                                        {Event::forward_full, "full"},
                                        {Event::forward_forged, "forged"}}};
const std::array<Family, 4> kFamilies{{
    {"dns_queries_total", "Packets that asked.", "transport", kQueries},
    {"dns_limited_total", "Packets without a full answer.", "why", kUnanswered},
    {"dns_connections_total", "TCP connections of askers.", "state", kConnections},
    {"dns_forwards_total", "Questions to other servers.", "state", kForwards},
}};

}  // namespace

void Counters::add_answer(std::uint16_t type, Rcode rcode) {
  ++types_[index_of(kTypeLabels, type)];
  ++rcodes_[index_of(kRcodeLabels, static_cast<std::uint16_t>(rcode))];
}

std::size_t Counters::write(std::size_t zones, std::uint64_t uptime_ms, std::span<char> out) const {
  runtime::MetricsText text(out);
  for (const Family& family : kFamilies) {
    text.head(family.name, kCounter, family.help);
    for (const Row& row : family.rows) {
      text.value(family.name, family.label, row.text, (*this)[row.event]);
    }
  }
  text.head("dns_answers_by_type_total", kCounter, "Answers by the type that was asked for.");
  for (std::size_t i = 0; i < types_.size(); ++i) {
    text.value("dns_answers_by_type_total", "type", kTypeLabels[i].text, types_[i]);
  }
  text.head("dns_answers_total", kCounter, "Answers by their code.");
  for (std::size_t i = 0; i < rcodes_.size(); ++i) {
    text.value("dns_answers_total", "rcode", kRcodeLabels[i].text, rcodes_[i]);
  }
  text.figure("dns_zones", kGauge, "Zones that are served.", zones);
  text.figure("dns_uptime_seconds", kGauge, "Since the guest's start.", uptime_ms / 1000);
  return text.size();
}

}  // namespace images::dns
