#include "images/dns/counters.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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
  counters.add_answer(1, Rcode::bad_version);
  const std::string text = text_of(counters);
  for (const char* line :
       {"dns_queries_total{transport=\"udp\"} 1", "dns_queries_total{transport=\"tcp\"} 0",
        "dns_forwards_total{state=\"forged\"} 1", "dns_answers_by_type_total{type=\"AAAA\"} 2",
        "dns_answers_by_type_total{type=\"other\"} 1", "dns_answers_total{rcode=\"NXDOMAIN\"} 2",
        "dns_answers_total{rcode=\"other\"} 1", "dns_answers_total{rcode=\"BADVERS\"} 1",
        "dns_answers_total{rcode=\"NOERROR\"} 0", "dns_zones 2", "dns_uptime_seconds 61",
        "# TYPE dns_answers_total counter"}) {
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
  }
}

TEST(Counters, AnAnswersCodeIsReadWithItsUpperBitsWhereverOptStands) {
  const std::vector<std::uint8_t> whole{
      0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 2,     // NOERROR so far
      3, 'w', 'w', 'w', 0, 0, 28, 0, 1,                   // www AAAA
      0, 0, 41, 0x04, 0xd0, 1, 0, 0, 0, 0, 0,             // OPT: 1 << 4
      0xc0, 12, 0, 1, 0, 1, 9, 0, 0, 0, 0, 4, 1, 2, 3, 4  // an address, with a TTL that is no code
  };
  EXPECT_EQ(read_answer_head(whole).rcode, Rcode::bad_version);
  EXPECT_EQ(read_answer_head(whole).type, 28);
  const std::size_t opt_end = 32;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto rcode = read_answer_head(std::span(whole).first(size)).rcode;
    EXPECT_EQ(rcode, size < opt_end ? Rcode::no_error : Rcode::bad_version) << size;
  }
}

TEST(Counters, KeepWithinTheirRoom) {
  const Counters counters;
  const std::string all = text_of(counters);
  EXPECT_LT(all.size() + 50 * 20, 8192u);  // with every number at its longest
  for (std::size_t room = 0; room < all.size(); room += 97) {
    const std::string text = text_of(counters, room);
    EXPECT_LE(text.size(), room);
    EXPECT_TRUE(text.empty() || text.back() == '\n') << room;
    EXPECT_EQ(text, all.substr(0, text.size())) << room;
  }
}

}  // namespace
}  // namespace images::dns
