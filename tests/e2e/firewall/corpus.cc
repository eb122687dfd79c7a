#include "tests/e2e/firewall/corpus.h"

#include <random>

#include "images/firewall/packet.h"

namespace images::firewall {
namespace {

constexpr char kInside[] = "10.0.0.1";
constexpr char kOutside[] = "192.0.2.7";
constexpr char kInside6[] = "2001:db8:5::1";
constexpr char kOutside6[] = "2001:db8:9::9";
constexpr std::uint8_t kSynAck = kTcpSyn | kTcpAck;
constexpr std::uint8_t kFinAck = kTcpFin | kTcpAck;

class Corpus {
 public:
  std::vector<Step> make() {
    add_openings();
    add_connections();
    add_datagrams();
    add_errors();
    add_pieces();
    add_changed();
    add_changed_inside();
    return std::move(steps_);
  }

 private:
  void add(const std::string& name, bool from_lan, std::vector<Frame> frames) {
    if (!from_lan) {
      for (Frame& frame : frames) frame = turned(frame);
    }
    steps_.push_back({name, from_lan, std::move(frames)});
  }
  void add4(const std::string& name, bool from_lan, std::uint8_t protocol, const Frame& payload) {
    add4(name, from_lan, protocol, payload, kInside, kOutside);
  }
  void add4(const std::string& name, bool from_lan, std::uint8_t protocol, const Frame& payload,
            const std::string& in, const std::string& out) {
    const Ip4 header{from_lan ? in : out, from_lan ? out : in, protocol, 1, 0, {}};
    add(name, from_lan, {ether(kEtherIp4, ip4(header, payload))});
  }
  void add6(const std::string& name, bool from_lan, std::uint8_t next, const Frame& payload) {
    const Frame packet = from_lan ? ip6(kInside6, kOutside6, next, payload)
                                  : ip6(kOutside6, kInside6, next, payload);
    add(name, from_lan, {ether(kEtherIp6, packet)});
  }
  std::uint16_t fresh_port() { return port_++; }

  // What may open a flow: every port that rules name, its neighbours, from both sides.
  void add_openings() {
    for (const bool lan : {true, false}) {
      const std::string side = lan ? "lan" : "wan";
      for (const int port : {21, 22, 23, 53, 79, 80, 81, 443, 7999, 8000, 8100, 8101}) {
        const auto to = static_cast<std::uint16_t>(port);
        const std::string what = side + " to " + std::to_string(port);
        add4("open tcp " + what, lan, kTcp, tcp({fresh_port(), to, kTcpSyn}));
        add6("open tcp6 " + what, lan, kTcp, tcp({fresh_port(), to, kTcpSyn}));
        add4("open udp " + what, lan, kUdp, udp(fresh_port(), to));
        add6("open udp6 " + what, lan, kUdp, udp(fresh_port(), to));
      }
      for (const char* address : {"10.0.0.0", "10.0.0.255", "10.0.1.0", "9.255.255.255"}) {
        add4("open from net " + side + " " + address, lan, kTcp, tcp({fresh_port(), 80, kTcpSyn}),
             address, kOutside);
      }
      for (int type = 0; type < 20; ++type) {
        add4("icmp " + side + " " + std::to_string(type), lan, kIcmp,
             icmp(static_cast<std::uint8_t>(type), 0, fresh_port(), Frame(12)));
      }
      for (const int type : {1, 2, 3, 4, 100, 128, 129, 130, 133, 134, 135, 136, 137, 143, 200}) {
        add6("icmp6 " + side + " " + std::to_string(type), lan, kIcmp6,
             icmp(static_cast<std::uint8_t>(type), 0, fresh_port(), Frame(16)));
      }
      for (const int protocol : {2, 41, 47, 50, 51, 89, 132, 255}) {
        add4("protocol " + side + " " + std::to_string(protocol), lan,
             static_cast<std::uint8_t>(protocol), Frame(40));
      }
      for (int flags = 0; flags < 64; ++flags) {
        add4("flags " + side + " " + std::to_string(flags), lan, kTcp,
             tcp({fresh_port(), 80, static_cast<std::uint8_t>(flags), 1000, 2000}));
      }
    }
  }

  struct Talk {
    std::uint16_t port = 0;
    std::string name;
  };
  void say(const Talk& talk, const std::string& what, bool from_lan, Tcp header) {
    header.from = from_lan ? talk.port : 80;
    header.to = from_lan ? 80 : talk.port;
    add4(talk.name + ": " + what, from_lan, kTcp, tcp(header));
  }
  Talk opened(const std::string& name, int lan_shift = -1, int wan_shift = -1) {
    const Talk talk{fresh_port(), name};
    say(talk, "syn", true, {0, 0, kTcpSyn, 100, 0, 1000, 0, lan_shift});
    say(talk, "syn+ack", false, {0, 0, kSynAck, 500, 101, 1000, 0, wan_shift});
    say(talk, "ack", true, {0, 0, kTcpAck, 101, 501});
    return talk;
  }

  void add_connections() {
    const struct {
      const char* what;
      bool from_lan;
      Tcp header;
    } tries[] = {
        {"data", true, {0, 0, kTcpAck, 101, 501, 1000, 400}},
        {"data back", false, {0, 0, kTcpAck, 501, 101, 1000, 400}},
        {"the window's end", false, {0, 0, kTcpAck, 1501, 101}},
        {"beyond the window", false, {0, 0, kTcpAck, 1503, 101}},
        {"far beyond the window", false, {0, 0, kTcpAck, 90'000'000, 101, 1000, 10}},
        {"far before the window", false, {0, 0, kTcpAck, 501U - 90'000, 101, 1000, 10}},
        {"an ack of what was not sent", false, {0, 0, kTcpAck, 501, 5000}},
        {"an ack of long ago", false, {0, 0, kTcpAck, 501, 101U - 90'000}},
        {"a blind reset", false, {0, 0, kTcpRst, 7'000'000, 0}},
        {"a reset in time", false, {0, 0, kTcpRst | kTcpAck, 501, 101}},
        {"syn and fin", false, {0, 0, kTcpSyn | kTcpFin, 501, 101}},
        {"no flags", false, {0, 0, 0, 501, 101}},
        {"a syn of the other", false, {0, 0, kTcpSyn, 501, 0}},
        {"fin", true, {0, 0, kFinAck, 101, 501}},
    };
    for (const auto& one : tries) {
      const Talk talk = opened(std::string("talk with ") + one.what);
      say(talk, "that", one.from_lan, one.header);
      say(talk, "on it goes", true, {0, 0, kTcpAck, 101, 501, 1000, 10});
    }
    Talk talk = opened("both ways of the end");
    say(talk, "fin", true, {0, 0, kFinAck, 101, 501});
    say(talk, "fin back", false, {0, 0, kFinAck, 501, 102});
    say(talk, "last ack", true, {0, 0, kTcpAck, 102, 502});
    say(talk, "again", true, {0, 0, kTcpSyn, 90'000'000, 0});
    talk = opened("scaled by both", 7, 7);
    say(talk, "far data", false, {0, 0, kTcpAck, 501 + 100'000, 101});
    talk = opened("scaled by one", 7, -1);
    say(talk, "far data", false, {0, 0, kTcpAck, 501 + 100'000, 101});
    talk = {fresh_port(), "refused"};
    say(talk, "syn", true, {0, 0, kTcpSyn, 100, 0});
    say(talk, "reset", false, {0, 0, kTcpRst | kTcpAck, 0, 101, 0});
    talk = {fresh_port(), "answered wrongly"};
    say(talk, "syn", true, {0, 0, kTcpSyn, 100, 0});
    say(talk, "an ack of another", false, {0, 0, kSynAck, 500, 77});
    say(talk, "data before", false, {0, 0, kTcpAck, 501, 101, 1000, 5});
    talk = {fresh_port(), "never opened"};
    say(talk, "ack", true, {0, 0, kTcpAck, 101, 501});
    say(talk, "syn+ack", false, {0, 0, kSynAck, 500, 101});
    say(talk, "fin", true, {0, 0, kFinAck, 101, 501});
    say(talk, "reset", true, {0, 0, kTcpRst, 101, 0});
  }

  void add_datagrams() {
    const std::uint16_t port = fresh_port();
    add4("udp asks", true, kUdp, udp(port, 53));
    add4("udp answers", false, kUdp, udp(53, port));
    add4("udp answers another", false, kUdp, udp(53, fresh_port()));
    add6("udp6 asks", true, kUdp, udp(port, 53));
    add6("udp6 answers", false, kUdp, udp(53, port));
    add4("ping asks", true, kIcmp, icmp(8, 0, port));
    add4("ping answers", false, kIcmp, icmp(0, 0, port));
    add4("ping answers another", false, kIcmp, icmp(0, 0, fresh_port()));
    add4("ping asks back", false, kIcmp, icmp(8, 0, port));
    add4("gre there", true, 47, Frame(20));
    add4("gre back", false, 47, Frame(20));
    add("arp", true, {ether(kEtherArp, Frame(28))});
    add("another type", true, {ether(0x88cc, Frame(28))});
    add("another length", true, {ether(40, Frame(40))});
  }

  void add_errors() {
    const std::uint16_t port = fresh_port();
    add4("error: udp asks", true, kUdp, udp(port, 53));
    const Frame quoted = ip4({kInside, kOutside, kUdp, 1, 0, {}}, udp(port, 53));
    const Frame unknown = ip4({kInside, kOutside, kUdp, 1, 0, {}}, udp(fresh_port(), 53));
    for (const int type : {3, 4, 5, 11, 12}) {
      const auto number = static_cast<std::uint8_t>(type);
      const std::string name = "error " + std::to_string(type);
      add4(name + " of ours", false, kIcmp, icmp(number, 1, 0, quoted));
      add4(name + " of nobody", false, kIcmp, icmp(number, 1, 0, unknown));
      add4(name + " from a router", false, kIcmp, icmp(number, 1, 0, quoted), kInside,
           "198.51.100.1");
      add4(name + " to another", false, kIcmp, icmp(number, 1, 0, quoted), "10.0.0.9", kOutside);
      add4(name + " cut short", false, kIcmp,
           icmp(number, 1, 0, Frame(quoted.begin(), quoted.begin() + 24)));
    }
    add6("error6: udp asks", true, kUdp, udp(port, 53));
    const Frame quoted6 = ip6(kInside6, kOutside6, kUdp, udp(port, 53));
    for (const int type : {1, 2, 3, 4}) {
      const auto number = static_cast<std::uint8_t>(type);
      add6("error6 " + std::to_string(type), false, kIcmp6, icmp(number, 0, 0, quoted6));
      add6("error6 " + std::to_string(type) + " cut short", false, kIcmp6,
           icmp(number, 0, 0, Frame(quoted6.begin(), quoted6.begin() + 44)));
    }
  }

  void add_pieces() {
    const auto whole = [this](const char* name, std::uint16_t to, std::size_t size) {
      const Ip4 header{kInside, kOutside, kUdp, ++id_, 0, {}};
      add(name, true, pieces4(header, udp(fresh_port(), to, size), 1480));
    };
    whole("two pieces", 53, 2000);
    whole("five pieces", 53, 7000);
    whole("pieces to a closed port", 54, 2000);
    const Ip4 header{kInside, kOutside, kUdp, ++id_, 0, {}};
    auto pieces = pieces4(header, udp(fresh_port(), 53, 3000), 1000);
    add("pieces without the first", true, {pieces[1], pieces[2]});
    const auto in_order = [this](const char* name, std::uint16_t to,
                                 const std::vector<std::size_t>& order) {
      const Ip4 mixed{kInside, kOutside, kUdp, ++id_, 0, {}};
      const auto all = pieces4(mixed, udp(fresh_port(), to, 3000), 1000);
      std::vector<Frame> frames;
      for (const std::size_t at : order) frames.push_back(all[at]);
      add(name, true, frames);
    };
    in_order("pieces, the first one last", 53, {1, 2, 3, 0});
    in_order("pieces in turn", 53, {3, 2, 1, 0});
    in_order("pieces, the last one second", 53, {0, 3, 1, 2});
    in_order("pieces, two and two", 53, {2, 3, 0, 1});
    in_order("pieces in turn to a closed port", 54, {3, 2, 1, 0});
    const Ip4 twice{kInside, kOutside, kUdp, ++id_, 0, {}};
    pieces = pieces4(twice, udp(fresh_port(), 53, 1500), 1000);
    Ip4 over = twice;
    over.fragment = 0x2000 | 2;
    add("pieces that overlap", true,
        {pieces[0], ether(kEtherIp4, ip4(over, Frame(800))), pieces[1]});
    Ip4 tiny{kInside, kOutside, kTcp, ++id_, 0x2000, {}};
    const Frame segment = tcp({fresh_port(), 80, kTcpSyn});
    Ip4 rest = tiny;
    rest.fragment = 1;
    add("a TCP header in two pieces", true,
        {ether(kEtherIp4, ip4(tiny, Frame(segment.begin(), segment.begin() + 8))),
         ether(kEtherIp4, ip4(rest, Frame(segment.begin() + 8, segment.end())))});
  }

  // Good packets with a byte changed, some cut short; of most of IPv4 the header's checksum holds.
  void add_changed() {
    std::mt19937 random(7);
    for (int i = 0; i < 1500; ++i) {
      const bool is_tcp = i % 3 == 0;
      const bool is_six = i % 3 == 2;
      const Frame payload = is_tcp ? tcp({fresh_port(), 80, kTcpSyn, 5, 0, 1000, 0, 3})
                                   : udp(fresh_port(), 53, 20);
      const std::uint8_t protocol = is_tcp ? kTcp : kUdp;
      const Ip4 header{kInside, kOutside, protocol, 1, 0, {}};
      Frame frame = is_six ? ether(kEtherIp6, ip6(kInside6, kOutside6, protocol, payload))
                           : ether(kEtherIp4, ip4(header, payload));
      const std::size_t at = 14 + random() % (frame.size() - 14);
      frame[at] = static_cast<std::uint8_t>(random());
      if (!is_six && i % 4 != 0) fix_ip4_checksum(frame);
      if (i % 5 == 0) frame.resize(14 + random() % (frame.size() - 13));
      const char* kind = is_tcp ? "tcp" : is_six ? "udp6" : "udp";
      add("changed " + std::string(kind) + " " + std::to_string(i) + " at " +
              std::to_string(at - 14),
          true, {frame});
    }
  }

  // What is behind the IP header changed, all checksums right.
  void add_changed_inside() {
    std::mt19937 random(8);
    for (int i = 0; i < 1500; ++i) {
      const bool is_six = i % 2 == 1;
      const int kind = i / 2 % 3;
      const std::uint8_t protocol = kind == 0 ? kTcp : kind == 1 ? kUdp : is_six ? kIcmp6 : kIcmp;
      Frame payload = kind == 0   ? tcp({fresh_port(), 80, kTcpSyn, 5, 0, 1000, 0, 3})
                      : kind == 1 ? udp(fresh_port(), 53, 20)
                                  : icmp(is_six ? 128 : 8, 0, fresh_port(), Frame(20));
      const std::size_t at = random() % payload.size();
      payload[at] = static_cast<std::uint8_t>(random());
      if (i % 7 == 0) payload.resize(random() % payload.size());
      const std::string name = "changed inside " + std::to_string(protocol) + " " +
                               std::to_string(i) + " at " + std::to_string(at);
      if (is_six) {
        add6(name, i % 4 != 3, protocol, payload);
      } else {
        add4(name, i % 4 != 2, protocol, payload);
      }
    }
  }

  std::vector<Step> steps_;
  std::uint16_t port_ = 10000;
  std::uint16_t id_ = 100;
};

}  // namespace

std::vector<Step> make_corpus() { return Corpus().make(); }

}  // namespace images::firewall
