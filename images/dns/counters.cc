#include "images/dns/counters.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace images::dns {
namespace {

struct Label {
  std::uint16_t number;
  std::string_view text;
};
constexpr std::array<Label, Counters::kTypes> kTypeLabels{{
    {1, "A"},     {2, "NS"},   {5, "CNAME"}, {6, "SOA"},   {12, "PTR"},    {15, "MX"},
    {16, "TXT"},  {28, "AAAA"}, {33, "SRV"},  {35, "NAPTR"}, {43, "DS"},    {48, "DNSKEY"},
    {64, "SVCB"}, {65, "HTTPS"}, {255, "ANY"}, {257, "CAA"},  {0, "other"},
}};
// BADVERS has its upper bits elsewhere and counts as NOERROR: nobody has seen another EDNS version.
constexpr std::array<Label, Counters::kRcodes> kRcodeLabels{{
    {0, "NOERROR"},
    {1, "FORMERR"},
    {2, "SERVFAIL"},
    {3, "NXDOMAIN"},
    {4, "NOTIMP"},
    {5, "REFUSED"},
    {0, "other"},
}};

template <std::size_t N>
std::size_t index_of(const std::array<Label, N>& labels, std::uint16_t number) {
  const auto last = labels.end() - 1;
  const auto found = std::find_if(labels.begin(), last,
                                  [&](const Label& label) { return label.number == number; });
  return static_cast<std::size_t>(found - labels.begin());
}

/// Text that stops at its end.
class Text {
 public:
  explicit Text(std::span<char> out) : out_(out) {}
  std::size_t size() const { return size_; }

  void add(std::string_view text) {
    for (const char c : text) {
      if (size_ < out_.size()) out_[size_++] = c;
    }
  }
  void add_all(std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) add(part);
  }
  void add(std::uint64_t number) {
    std::array<char, 20> digits;
    std::size_t begin = digits.size();
    do {
      digits[--begin] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    add(std::string_view(digits.data() + begin, digits.size() - begin));
  }
  void head(std::string_view name, std::string_view kind, std::string_view help) {
    add_all({"# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"});
  }
  void value(std::string_view name, std::uint64_t number) {
    add(name);
    add(" ");
    add(number);
    add("\n");
  }
  void value(std::string_view name, std::string_view label, std::string_view text,
             std::uint64_t number) {
    add_all({name, "{", label, "=\"", text, "\"} "});
    add(number);
    add("\n");
  }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
};

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
  Text text(out);
  for (const Family& family : kFamilies) {
    text.head(family.name, "counter", family.help);
    for (const Row& row : family.rows) {
      text.value(family.name, family.label, row.text, (*this)[row.event]);
    }
  }
  text.head("dns_answers_by_type_total", "counter", "Answers by the type that was asked for.");
  for (std::size_t i = 0; i < types_.size(); ++i) {
    text.value("dns_answers_by_type_total", "type", kTypeLabels[i].text, types_[i]);
  }
  text.head("dns_answers_total", "counter", "Answers by their code.");
  for (std::size_t i = 0; i < rcodes_.size(); ++i) {
    text.value("dns_answers_total", "rcode", kRcodeLabels[i].text, rcodes_[i]);
  }
  text.head("dns_zones", "gauge", "Zones that are served.");
  text.value("dns_zones", zones);
  text.head("dns_uptime_seconds", "gauge", "Since the guest's start.");
  text.value("dns_uptime_seconds", uptime_ms / 1000);
  return text.size();
}

}  // namespace images::dns
