#include "images/dns/answer.h"

#include <gtest/gtest.h>

#include <array>

#include "images/dns/message.h"
#include "images/dns/record_data.h"
#include "tests/unit/images_dns/zones.h"

namespace images::dns {
namespace {

using test::kHead;
using test::Loaded;
using Bytes = std::vector<std::uint8_t>;

void put_u16(Bytes& out, unsigned value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

struct Ask {
  std::string name = "www.example.test";
  std::uint16_t type = kA;
  std::uint16_t klass = 1;
  unsigned flags = 0x0100;
  int edns_bytes = -1;  // < 0: no OPT
  std::uint8_t edns_version = 0;
};

Bytes packet(const Ask& ask) {
  Bytes out;
  put_u16(out, 0x1234);
  put_u16(out, ask.flags);
  for (const unsigned count : {1u, 0u, 0u, ask.edns_bytes >= 0 ? 1u : 0u}) put_u16(out, count);
  Name name;
  const Name root;
  EXPECT_TRUE(parse_name(ask.name, root.view(), name));
  out.insert(out.end(), name.view().begin(), name.view().end());
  put_u16(out, ask.type);
  put_u16(out, ask.klass);
  if (ask.edns_bytes >= 0) {
    out.push_back(0);
    put_u16(out, kOpt);
    put_u16(out, static_cast<unsigned>(ask.edns_bytes));
    out.push_back(0);
    out.push_back(ask.edns_version);
    put_u16(out, 0);
    put_u16(out, 0);
  }
  return out;
}

/// An answer's head, and its records in words: "an www.example.test 1", section, owner, type.
struct Told {
  bool any = false;
  unsigned rcode = 0;
  bool authoritative = false;
  bool truncated = false;
  std::size_t bytes = 0;
  std::vector<std::string> records;
  std::size_t opts = 0;
};

/// A reader of its own, which follows pointers: what resolvers see.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  unsigned u16() {
    const unsigned value = bytes_[at_] * 256u + bytes_[at_ + 1];
    at_ += 2;
    return value;
  }
  void skip(std::size_t count) { at_ += count; }
  std::string name() {
    std::string text;
    std::size_t at = at_;
    bool jumped = false;
    for (int hops = 0; hops < 200; ++hops) {
      const unsigned length = bytes_[at];
      if (length >= 0xc0) {
        if (!jumped) at_ = at + 2;
        jumped = true;
        at = (length & 0x3f) * 256u + bytes_[at + 1];
        continue;
      }
      if (length == 0) break;
      if (!text.empty()) text += '.';
      text.append(bytes_.begin() + static_cast<std::ptrdiff_t>(at + 1),
                  bytes_.begin() + static_cast<std::ptrdiff_t>(at + 1 + length));
      at += 1 + length;
    }
    if (!jumped) at_ = at + 1;
    return text;
  }
  std::size_t at() const { return at_; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

Told read(std::span<const std::uint8_t> bytes) {
  Told told;
  told.bytes = bytes.size();
  if (bytes.empty()) return told;
  told.any = true;
  Reader reader(bytes);
  EXPECT_EQ(reader.u16(), 0x1234u);
  const unsigned flags = reader.u16();
  EXPECT_NE(flags & 0x8000u, 0u);
  told.rcode = flags & 0xf;
  told.authoritative = (flags & 0x0400) != 0;
  told.truncated = (flags & 0x0200) != 0;
  const unsigned questions = reader.u16();
  const unsigned counts[] = {reader.u16(), reader.u16(), reader.u16()};
  for (unsigned i = 0; i < questions; ++i) {
    reader.name();
    reader.skip(4);
  }
  const char* sections[] = {"an ", "ns ", "ar "};
  for (std::size_t s = 0; s < 3; ++s) {
    for (unsigned i = 0; i < counts[s]; ++i) {
      const std::string owner = reader.name();
      const unsigned type = reader.u16();
      reader.skip(2);
      const unsigned ttl_high = reader.u16();
      reader.skip(2);
      const unsigned size = reader.u16();
      reader.skip(size);
      if (type == kOpt) {
        ++told.opts;
        told.rcode |= ttl_high >> 8 << 4;
      } else {
        told.records.push_back(sections[s] + owner + " " + std::to_string(type));
      }
    }
  }
  EXPECT_EQ(reader.at(), bytes.size());
  EXPECT_EQ(static_cast<unsigned>(read_answer_head(bytes).rcode), told.rcode);  // as it is counted
  return told;
}

class Answering : public testing::Test {
 protected:
  Told ask(const Ask& question, Transport transport = Transport::udp) {
    return raw(packet(question), transport);
  }
  Told raw(const Bytes& bytes, Transport transport = Transport::udp) {
    const std::size_t size = answer({&zone_.zone, 1}, bytes, transport, out_);
    return read({out_.data(), size});
  }

  Loaded zone_{std::string(kHead) +
               "www A 192.0.2.80\nwww AAAA 2001:db8::80\n"
               "ftp CNAME www\nloop CNAME loop2\nloop2 CNAME loop\nout CNAME www.other.test.\n"
               "gone CNAME nowhere\n"
               "@ MX 10 www\n"
               "a.b.deep A 192.0.2.1\n"
               "*.wild A 192.0.2.2\n*.wild TXT any\nx.wild A 192.0.2.3\n"
               "sub NS ns.sub\nns.sub A 192.0.2.4\n" +
               many()};
  Bytes out_ = Bytes(kMaxAnswerBytes);

  static std::string many() {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "many A 192.0.2." + std::to_string(i) + "\n";
    return text;
  }
};

using Records = std::vector<std::string>;

TEST_F(Answering, GivesTheRecord) {
  const Told told = ask({});
  EXPECT_EQ(told.rcode, 0u);
  EXPECT_TRUE(told.authoritative);
  EXPECT_EQ(told.records, Records{"an www.example.test 1"});
  EXPECT_EQ(told.opts, 0u);
}

TEST_F(Answering, FollowsAliasesInsideTheZone) {
  EXPECT_EQ(ask({.name = "ftp.example.test"}).records,
            (Records{"an ftp.example.test 5", "an www.example.test 1"}));
  EXPECT_EQ(ask({.name = "out.example.test"}).records, Records{"an out.example.test 5"});
  const Told loop = ask({.name = "loop.example.test"});
  EXPECT_EQ(loop.rcode, 0u);
  EXPECT_EQ(loop.records, (Records{"an loop.example.test 5", "an loop2.example.test 5"}));
  const Told gone = ask({.name = "gone.example.test"});
  EXPECT_EQ(gone.rcode, 3u);
  EXPECT_EQ(gone.records, (Records{"an gone.example.test 5", "ns example.test 6"}));
}

TEST_F(Answering, TellsNoNameFromNoData) {
  const Told no_name = ask({.name = "nope.example.test"});
  EXPECT_EQ(no_name.rcode, 3u);
  EXPECT_EQ(no_name.records, Records{"ns example.test 6"});
  for (const char* name : {"www.example.test", "b.deep.example.test", "deep.example.test"}) {
    const Told no_data = ask({.name = name, .type = kTxt});
    EXPECT_EQ(no_data.rcode, 0u) << name;
    EXPECT_EQ(no_data.records, Records{"ns example.test 6"}) << name;
  }
}

TEST_F(Answering, ExpandsWildcards) {
  EXPECT_EQ(ask({.name = "any.thing.wild.example.test"}).records,
            Records{"an any.thing.wild.example.test 1"});
  EXPECT_EQ(ask({.name = "x.wild.example.test"}).records, Records{"an x.wild.example.test 1"});
  // An existing name is the closest encloser of what is below it (RFC 4592).
  EXPECT_EQ(ask({.name = "y.x.wild.example.test"}).rcode, 3u);
}

TEST_F(Answering, RefersToServersBelowACut) {
  const Told told = ask({.name = "host.sub.example.test"});
  EXPECT_EQ(told.rcode, 0u);
  EXPECT_FALSE(told.authoritative);
  EXPECT_EQ(told.records, (Records{"ns sub.example.test 2", "ar ns.sub.example.test 1"}));
}

TEST_F(Answering, FollowsAliasesIntoItsOtherZones) {
  const Loaded other("$TTL 60\n@ SOA a b 1 1 1 1 1\n@ NS a\nwww A 192.0.2.7\n", 1 << 16,
                     "other.test");
  ASSERT_EQ(other.told(), "");
  const std::array zones{zone_.zone, other.zone};
  const std::size_t size =
      answer(zones, packet({.name = "out.example.test"}), Transport::udp, out_);
  EXPECT_EQ(read({out_.data(), size}).records,
            (Records{"an out.example.test 5", "an www.other.test 1"}));
}

TEST_F(Answering, KnowsTheDsOfADelegationAbove) {
  const Told told = ask({.name = "sub.example.test", .type = kDs});
  EXPECT_TRUE(told.authoritative);
  EXPECT_EQ(told.records, Records{"ns example.test 6"});
  const Loaded sub("$TTL 60\n@ SOA a b 1 1 1 1 1\n@ NS a\n", 1 << 16, "sub.example.test");
  const std::array zones{zone_.zone, sub.zone};
  const Bytes question = packet({.name = "sub.example.test", .type = kDs});
  const std::size_t size = answer(zones, question, Transport::udp, out_);
  EXPECT_EQ(read({out_.data(), size}).records, Records{"ns example.test 6"});
  EXPECT_FALSE(ask({.name = "host.sub.example.test", .type = kDs}).authoritative);
}

TEST_F(Answering, HasNoAuthorityOverEveryClass) {
  const Told told = ask({.klass = kClassAny});
  EXPECT_FALSE(told.authoritative);
  EXPECT_EQ(told.records, Records{"an www.example.test 1"});
}

TEST_F(Answering, TruncatesAReferralWithoutAddressesOnlyInsideIt) {
  std::string text(kHead);
  for (int i = 0; i < 13; ++i) {
    const std::string n = std::to_string(i);
    text += "in NS ns" + n + ".in\nns" + n + ".in AAAA 2001:db8::" + n + "\n";
    text += "far NS ns" + n + ".at\nns" + n + ".at AAAA 2001:db8::" + n + "\n";
  }
  const Loaded zone(text);
  ASSERT_EQ(zone.told(), "");
  const auto told = [&](const char* name) {
    const std::size_t size =
        answer({&zone.zone, 1}, packet({.name = name}), Transport::udp, out_);
    return read({out_.data(), size});
  };
  EXPECT_TRUE(told("x.in.example.test").truncated);
  EXPECT_FALSE(told("x.far.example.test").truncated);
  EXPECT_GE(told("x.far.example.test").records.size(), 13u);
}

TEST_F(Answering, AddsAddressesOfServers) {
  EXPECT_EQ(ask({.name = "example.test", .type = kMx}).records,
            (Records{"an example.test 15", "ar www.example.test 1", "ar www.example.test 28"}));
}

TEST_F(Answering, AnswersAnyWithOneSet) {
  EXPECT_EQ(ask({.type = kAny}).records, Records{"an www.example.test 1"});
}

TEST_F(Answering, RefusesWhatIsNotItsOwn) {
  EXPECT_EQ(ask({.name = "www.other.test"}).rcode, 5u);
  EXPECT_EQ(ask({.name = "test"}).rcode, 5u);
  EXPECT_EQ(ask({.klass = 3}).rcode, 5u);
  EXPECT_EQ(ask({.name = "example.test", .type = kAxfr}).rcode, 5u);
}

TEST_F(Answering, SpeaksEdns) {
  const Told told = ask({.edns_bytes = 4096});
  EXPECT_EQ(told.opts, 1u);
  EXPECT_EQ(told.rcode, 0u);
  const Told later = ask({.edns_bytes = 4096, .edns_version = 1});
  EXPECT_EQ(later.rcode, 16u);
  EXPECT_EQ(later.opts, 1u);
}

TEST_F(Answering, PassesOverWholeEdnsOptionsOnly) {
  const auto with = [](const Bytes& options) {
    Bytes bytes = packet({.edns_bytes = 1232});
    bytes.back() = static_cast<std::uint8_t>(options.size());
    bytes.insert(bytes.end(), options.begin(), options.end());
    return bytes;
  };
  EXPECT_EQ(raw(with({0xfd, 0xe9, 0, 1, 'x', 0, 10, 0, 0})).rcode, 0u);
  EXPECT_EQ(raw(with({0xfd, 0xe9, 0, 2, 'x'})).rcode, 1u);
  EXPECT_EQ(raw(with({0xfd, 0xe9, 0})).rcode, 1u);
}

TEST_F(Answering, SaysWhoItIsIfThereIsRoom) {
  const std::size_t size =
      answer({&zone_.zone, 1}, packet({.edns_bytes = 1232}), Transport::udp, out_);
  EXPECT_EQ(add_option(out_, size, size + 9, kNsidOption, "edge-1"), size);
  ASSERT_EQ(add_option(out_, size, size + 10, kNsidOption, "edge-1"), size + 10);
  const Told told = read({out_.data(), size + 10});
  EXPECT_EQ(told.opts, 1u);
  EXPECT_EQ(std::string(out_.begin() + static_cast<std::ptrdiff_t>(size + 4),
                        out_.begin() + static_cast<std::ptrdiff_t>(size + 10)),
            "edge-1");
  EXPECT_EQ(out_[size + 1], kNsidOption);
}

TEST_F(Answering, TruncatesWhatDoesNotFitAndGivesItByTcp) {
  const Ask many{.name = "many.example.test"};
  const Told udp = ask(many);
  EXPECT_TRUE(udp.truncated);
  EXPECT_TRUE(udp.records.empty());
  const Told large = ask({.name = "many.example.test", .edns_bytes = 65535});
  EXPECT_FALSE(large.truncated);
  EXPECT_LE(large.bytes, kMaxUdpBytes);
  EXPECT_EQ(large.records.size(), 60u);
  const Told tcp = ask(many, Transport::tcp);
  EXPECT_FALSE(tcp.truncated);
  EXPECT_EQ(tcp.records.size(), 60u);
}

TEST_F(Answering, KeepsTheAskersSpelling) {
  Bytes bytes = packet({});
  bytes[13] = 'W';
  ASSERT_TRUE(raw(bytes).any);
  EXPECT_EQ(out_[13], 'W');
  EXPECT_EQ(raw(bytes).records, Records{"an Www.example.test 1"});
}

TEST_F(Answering, SaysFormatErrorToWhatIsCutOrDoubled) {
  const Bytes whole = packet({.edns_bytes = 1232});
  for (std::size_t size = kHeaderBytes; size < whole.size(); ++size) {
    const Told told = raw({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_EQ(told.rcode, 1u) << size;
    EXPECT_TRUE(told.records.empty()) << size;
  }
  Bytes two_questions = packet({});
  two_questions[5] = 2;
  EXPECT_EQ(raw(two_questions).rcode, 1u);
  Bytes pointer = packet({});
  pointer[12] = 0xc0;
  pointer[13] = 12;
  EXPECT_EQ(raw(pointer).rcode, 1u);
  Bytes two_opts = packet({.edns_bytes = 1232});
  const Bytes opt(two_opts.end() - 11, two_opts.end());
  two_opts.insert(two_opts.end(), opt.begin(), opt.end());
  two_opts[11] = 2;
  EXPECT_EQ(raw(two_opts).rcode, 1u);
  Bytes with_answer = packet({.edns_bytes = 1232});
  std::swap(with_answer[7], with_answer[11]);  // the OPT is told as an answer
  EXPECT_EQ(raw(with_answer).rcode, 1u);
}

TEST_F(Answering, DropsAnswersAndStubs) {
  EXPECT_FALSE(ask({.flags = 0x8100}).any);
  for (std::size_t size = 0; size < kHeaderBytes; ++size) EXPECT_FALSE(raw(Bytes(size)).any);
}

TEST_F(Answering, DoesNotImplementOtherOperations) {
  EXPECT_EQ(ask({.flags = 0x2000}).rcode, 4u);
}

TEST_F(Answering, TellsARateLimitedAskerToUseTcp) {
  const std::size_t size = answer_truncated(packet({}), out_);
  const Told told = read({out_.data(), size});
  EXPECT_TRUE(told.truncated);
  EXPECT_TRUE(told.records.empty());
  EXPECT_EQ(answer_truncated(Bytes(5), out_), 0u);
}

TEST_F(Answering, SurvivesEveryFlippedByte) {
  const Bytes whole = packet({.edns_bytes = 1232});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (unsigned value = 0; value < 256; ++value) {
      Bytes bytes = whole;
      bytes[i] = static_cast<std::uint8_t>(value);
      const std::size_t size = answer({&zone_.zone, 1}, bytes, Transport::udp, out_);
      ASSERT_LE(size, kMaxUdpBytes);
    }
  }
}

}  // namespace
}  // namespace images::dns
