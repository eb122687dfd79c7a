#include "images/dns/counters.h"

#include <gtest/gtest.h>

#include <string>

namespace images::dns {
namespace {

std::string text_of(const Counters& counters, std::size_t room = 8192) {
  std::string text(room, '\0');
  text.resize(counters.write(2, 61'999, text));
  return text;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Counters, AreToldByTypeCodeAndEvent) {
  Counters counters;
  counters.add(Event::by_udp);
  counters.add(Event::forward_forged);
  counters.add_answer(28, Rcode::no_such_name);
  counters.add_answer(28, Rcode::no_such_name);
  counters.add_answer(4711, static_cast<Rcode>(11));
  const std::string text = text_of(counters);
  for (const char* line :
       {"dns_queries_total{transport=\"udp\"} 1", "dns_queries_total{transport=\"tcp\"} 0",
        "dns_forwards_total{state=\"forged\"} 1", "dns_answers_by_type_total{type=\"AAAA\"} 2",
        "dns_answers_by_type_total{type=\"other\"} 1", "dns_answers_total{rcode=\"NXDOMAIN\"} 2",
        "dns_answers_total{rcode=\"other\"} 1", "dns_zones 2", "dns_uptime_seconds 61",
        "# TYPE dns_answers_total counter"}) {
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
  }
}

TEST(Counters, KeepWithinTheirRoom) {
  const Counters counters;
  const std::size_t whole = text_of(counters).size();
  EXPECT_LT(whole + 50 * 20, 8192u);  // with every number at its longest
  for (std::size_t room = 0; room < whole; room += 97) {
    EXPECT_EQ(text_of(counters, room).size(), room);
  }
}

}  // namespace
}  // namespace images::dns
