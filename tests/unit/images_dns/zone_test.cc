#include <gtest/gtest.h>

#include "images/dns/record_data.h"
#include "tests/unit/images_dns/zones.h"

namespace images::dns {
namespace {

using test::kHead;
using test::Loaded;

std::string text_of(NameView name) {
  std::array<char, 1100> buffer;
  return std::string(name_text(name, buffer));
}

std::span<const Record> find(const Loaded& loaded, std::string_view name, std::uint16_t type) {
  Name wire;
  const Name root;
  EXPECT_TRUE(parse_name(name, root.view(), wire));
  return of_type(loaded.zone.at(wire.view()), type);
}

std::string bytes_of(const Record& record) { return {record.data.begin(), record.data.end()}; }

TEST(Zone, ReadsEveryTypeAndSortsThem) {
  const Loaded loaded(std::string(kHead) +
                      "www A 192.0.2.80\n"
                      "www AAAA 2001:db8::80\n"
                      "@ MX 10 mail.example.test.\n"
                      "txt TXT \"one; two\" three\n"
                      "ftp CNAME www\n"
                      "_sip._udp SRV 1 2 5060 www\n"
                      "80 PTR www\n");
  ASSERT_EQ(loaded.told(), "");
  EXPECT_EQ(loaded.zone.records().size(), 10u);
  EXPECT_EQ(text_of(loaded.zone.origin()), "example.test");
  EXPECT_EQ(loaded.zone.negative_ttl_s(), 300u);
  ASSERT_EQ(find(loaded, "www.example.test", kA).size(), 1u);
  EXPECT_EQ(bytes_of(find(loaded, "WWW.example.TEST", kA)[0]), std::string("\xc0\x00\x02\x50", 4));
  EXPECT_EQ(bytes_of(find(loaded, "txt.example.test", kTxt)[0]), "\x08one; two\x05three");
  EXPECT_EQ(find(loaded, "www.example.test", kAaaa)[0].data[15], 0x80);
  EXPECT_EQ(find(loaded, "_sip._udp.example.test", kSrv)[0].data.size(), 6u + 18u);
}

TEST(Zone, TakesRelativeNamesParenthesesCommentsAndBlankOwners) {
  const Loaded loaded(
      "; a comment\r\n\n"
      "$TTL 1h30m\n"
      "@ IN SOA ( ns1 ; first\n hostmaster\n 1 1 1 1 60 ) ; done\n"
      "\tIN NS ns1\n"
      "ns1 600 IN A 192.0.2.1\n"
      "    IN 700 A 192.0.2.2\n"
      "$ORIGIN deep.example.test.\n"
      "a A 192.0.2.3\n"
      "esc\\097pe\\.d A 192.0.2.4");
  ASSERT_EQ(loaded.told(), "");
  const auto addresses = find(loaded, "ns1.example.test", kA);
  ASSERT_EQ(addresses.size(), 2u);
  EXPECT_EQ(addresses[0].ttl_s, 600u);
  EXPECT_EQ(addresses[1].ttl_s, 600u);  // one set, one TTL
  EXPECT_EQ(find(loaded, "example.test", kNs)[0].ttl_s, 5400u);
  EXPECT_EQ(find(loaded, "a.deep.example.test", kA).size(), 1u);
  EXPECT_EQ(find(loaded, "escape\\.d.deep.example.test", kA).size(), 1u);
}

TEST(Zone, TakesCaaAndTypesThatItHasNoNameFor) {
  const Loaded loaded(std::string(kHead) +
                      "@ CAA 128 issue \"ca.example; policy=ev\"\n"
                      "t TYPE65280 \\# 4 0A00 0001\n"
                      "t CLASS1 TYPE65281 \\# 0\n"
                      "a A \\# 4 c0000201\n"
                      "b type1 192.0.2.2\n");
  ASSERT_EQ(loaded.told(), "");
  EXPECT_EQ(bytes_of(find(loaded, "example.test", kCaa)[0]),
            "\x80\x05issueca.example; policy=ev");
  EXPECT_EQ(bytes_of(find(loaded, "t.example.test", 65280)[0]), std::string("\x0a\0\0\x01", 4));
  EXPECT_EQ(bytes_of(find(loaded, "t.example.test", 65281)[0]), "");
  EXPECT_EQ(bytes_of(find(loaded, "a.example.test", kA)[0]), std::string("\xc0\0\x02\x01", 4));
  EXPECT_EQ(find(loaded, "b.example.test", kA).size(), 1u);
}

TEST(Zone, KeepsOneOfEqualRecordsAndTheFirstTtlOfASet) {
  const Loaded loaded(std::string(kHead) +
                      "x 60 A 192.0.2.2\nx 70 A 192.0.2.1\nx A 192.0.2.2\n"
                      "x MX 1 A\nx MX 1 a\ny A 192.0.2.2\n");
  ASSERT_EQ(loaded.told(), "");
  const auto addresses = find(loaded, "x.example.test", kA);
  ASSERT_EQ(addresses.size(), 2u);
  EXPECT_EQ(addresses[0].data[3], 2);
  EXPECT_EQ(addresses[1].ttl_s, 60u);
  EXPECT_EQ(find(loaded, "x.example.test", kMx).size(), 1u);
  EXPECT_EQ(find(loaded, "y.example.test", kA)[0].ttl_s, 3600u);
}

struct BadZone {
  const char* why;
  std::string text;
  const char* told;
};

TEST(Zone, TellsWhatIsWrongAndInWhichLine) {
  const std::string head(kHead);
  const BadZone cases[] = {
      {"no byte", "", "0: the zone is empty: no record in it"},
      {"comments only", "; nothing\n\n", "0: the zone is empty: no record in it"},
      {"no SOA", "$TTL 1\na A 192.0.2.1\n", "0: the zone has no SOA record"},
      {"two SOAs", head + "@ SOA a b 1 1 1 1 1\n", "6: a second SOA: one zone, one SOA"},
      {"no NS", "@ 5 SOA a b 1 1 1 1 1\n", "1: the zone's own name has no NS record"},
      {"no TTL", "a A 192.0.2.1\n", "1: no TTL: none here, and no $TTL above"},
      {"outside", head + "www.other.test. A 192.0.2.1\n",
       "6: the record lies outside the zone of the SOA"},
      {"CNAME beside A", head + "x A 192.0.2.1\nx CNAME y\n",
       "7: a CNAME must be the only record of its name"},
      {"two CNAMEs", head + "x CNAME y\nx CNAME z\n",
       "6: a CNAME must be the only record of its name"},
      {"bad IPv4", head + "x A 192.0.2.256\n", "6: not an IPv4 address: 192.0.2.256"},
      {"short IPv4", head + "x A 192.0.2\n", "6: not an IPv4 address: 192.0.2"},
      {"bad IPv6", head + "x AAAA 1::2::3\n", "6: not an IPv6 address: 1::2::3"},
      {"nine groups", head + "x AAAA 1:2:3:4:5:6:7:8:9\n",
       "6: not an IPv6 address: 1:2:3:4:5:6:7:8:9"},
      {"bad preference", head + "@ MX 65536 a\n", "6: not a number of 0..65535: 65536"},
      {"missing value", head + "@ MX a\n", "6: the wrong number of values for this type: MX"},
      {"unknown type", head + "x HINFO a b\n",
       "6: not a type that this server knows, nor TYPEnnn of RFC 3597: HINFO"},
      {"unknown type in words", head + "x TYPE13 a b\n",
       "6: the data of this type is told as \\# LENGTH HEX"},
      {"a type of questions", head + "x TYPE255 \\# 0\n",
       "6: a type that needs more than a server of plain records"},
      {"DNAME", head + "x TYPE39 \\# 1 00\n",
       "6: a type that needs more than a server of plain records"},
      {"names in hexadecimal", head + "x TYPE15 \\# 3 000100\n",
       "6: data with names in it is told in the type's own words: MX"},
      {"no length", head + "x TYPE300 \\#\n",
       "6: behind \\# stand the data's length in bytes and its bytes in hexadecimal"},
      {"another length", head + "x TYPE300 \\# 3 0102\n",
       "6: the data is not as long as it is said to be: 3"},
      {"half a byte", head + "x TYPE300 \\# 1 012\n", "6: not bytes in hexadecimal: 012"},
      {"a short address", head + "x A \\# 3 010203\n", "6: not the data of this type"},
      {"a cut string", head + "x TXT \\# 3 030102\n", "6: not the data of this type"},
      {"no string", head + "x TXT \\# 0\n", "6: not the data of this type"},
      {"a cut tag", head + "x CAA \\# 3 000261\n", "6: not the data of this type"},
      {"flags of CAA", head + "x CAA 256 issue a\n", "6: not a number of 0..255: 256"},
      {"tag of CAA", head + "x CAA 0 is-sue a\n", "6: not a tag of CAA: is-sue"},
      {"other class", head + "x CH TXT a\n", "6: only class IN is served, not: CH"},
      {"no type", head + "x 60 IN\n", "6: a record without a type"},
      {"directive", head + "$INCLUDE other\n",
       "6: this server reads only the directives $ORIGIN and $TTL, not: $INCLUDE"},
      {"bad TTL", head + "$TTL 5x\n", "6: not a time: 5x"},
      {"TTL too large", head + "x 2147483648 A 192.0.2.1\n", "6: not a time: 2147483648"},
      {"empty label", head + "a..b A 192.0.2.1\n", "6: not a domain name: a..b"},
      {"long label", head + std::string(64, 'a') + " A 192.0.2.1\n",
       "6: not a domain name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
      {"bad escape", head + "a\\300 A 192.0.2.1\n", "6: not a domain name: a\\300"},
      {"open parenthesis", head + "x A (\n192.0.2.1\n",
       "8: '(' is not closed before the end of the file"},
      {"closing alone", head + "x A ) 192.0.2.1\n", "6: ')' without '('"},
      {"open quote", head + "x TXT \"abc\n", "6: a quote is not closed before the end of the line"},
      {"owner missing", " A 192.0.2.1\n", "1: the first record names no owner"},
  };
  for (const BadZone& c : cases) EXPECT_EQ(Loaded(c.text).told(), c.told) << c.why;
}

TEST(Zone, ReadsIpv6AddressesOfEveryShape) {
  const struct {
    const char* text;
    std::string hex;
  } cases[] = {
      {"::", "00000000000000000000000000000000"},
      {"::1", "00000000000000000000000000000001"},
      {"1::", "00010000000000000000000000000000"},
      {"1:2:3:4:5:6:7:8", "00010002000300040005000600070008"},
      {"2001:DB8::5:6", "20010db8000000000000000000050006"},
      {"::ffff:192.0.2.1", "00000000000000000000ffffc0000201"},
  };
  for (const auto& c : cases) {
    const Loaded loaded(std::string(kHead) + "x AAAA " + c.text + "\n");
    ASSERT_EQ(loaded.told(), "") << c.text;
    std::string hex;
    for (const std::uint8_t byte : find(loaded, "x.example.test", kAaaa)[0].data) {
      hex += "0123456789abcdef"[byte >> 4];
      hex += "0123456789abcdef"[byte & 15];
    }
    EXPECT_EQ(hex, c.hex) << c.text;
  }
}

TEST(Zone, SaysSoWhenMemoryEnds) {
  std::string text(kHead);
  for (int i = 0; i < 200; ++i) text += "host" + std::to_string(i) + " A 192.0.2.1\n";
  EXPECT_EQ(Loaded(text).told(), "");
  for (std::size_t bytes = 0; bytes < 24'000; bytes += 331) {
    const std::string told = Loaded(text, bytes).told();
    EXPECT_NE(told.find("do not fit into memory"), std::string::npos) << bytes << " " << told;
  }
}

TEST(Zone, RefusesASetThatFitsNoAnswer) {
  std::string text(kHead);
  for (int i = 0; i < 60; ++i) {
    text += "big TXT \"" + std::to_string(i) + std::string(240, 'x') + "\"\n";
  }
  EXPECT_NE(Loaded(text).told().find("too many or too long"), std::string::npos);
}

TEST(Name, OrdersAsDnssecDoes) {
  // RFC 4034 section 6.1.
  const char* sorted[] = {"example",       "a.example",   "yljkjljk.a.example",
                          "Z.a.example",   "zABC.a.EXAMPLE", "z.example",
                          "\\001.z.example", "*.z.example", "\\200.z.example"};
  const Name root;
  for (std::size_t i = 0; i + 1 < std::size(sorted); ++i) {
    Name a;
    Name b;
    ASSERT_TRUE(parse_name(sorted[i], root.view(), a));
    ASSERT_TRUE(parse_name(sorted[i + 1], root.view(), b));
    EXPECT_LT(compare_names(a.view(), b.view()), 0) << sorted[i];
    EXPECT_GT(compare_names(b.view(), a.view()), 0) << sorted[i];
    EXPECT_EQ(compare_names(a.view(), a.view()), 0);
  }
}

TEST(Name, KeepsToItsLimits) {
  Name name;
  const std::array<std::uint8_t, 63> label{1};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(name.add_label(label));
  EXPECT_FALSE(name.add_label(label));  // 4 * 64 + 1 > 255
  EXPECT_TRUE(name.add_label({label.data(), 61}));
  EXPECT_EQ(name.view().size(), kMaxNameBytes);
  EXPECT_FALSE(name.add_label({label.data(), 1}));
}

}  // namespace
}  // namespace images::dns
