// Sends the corpus through whatever lies between two interfaces of this namespace and says of each
// step how many of its frames came out: firewall_verdicts LAN WAN. A marker behind each step tells
// that all before it is through, so that nothing here waits for a time.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/e2e/firewall/corpus.h"

namespace {

using images::firewall::Frame;

constexpr std::uint16_t kMarker = 0x88b5;  // IEEE 802: for experiments; all rules let it through
constexpr int kPatienceMs = 10'000;        // a marker that does not come is a broken path

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

class Wire {
 public:
  explicit Wire(const char* interface) : name_(interface) {
    socket_ = ::socket(AF_PACKET, SOCK_RAW, htons(0x0003));
    sockaddr_ll place{};
    place.sll_family = AF_PACKET;
    place.sll_protocol = htons(0x0003);
    place.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
    const auto* address = reinterpret_cast<const sockaddr*>(&place);
    if (place.sll_ifindex == 0 || ::bind(socket_, address, sizeof place) != 0) give_up(interface);
  }

  /// The kernel refuses what is no frame: then nothing can come out either.
  void send(const Frame& frame) const { (void)::send(socket_, frame.data(), frame.size(), 0); }

  Frame receive() const {
    pollfd wait{socket_, POLLIN, 0};
    for (;;) {
      if (::poll(&wait, 1, kPatienceMs) != 1) {
        std::fprintf(stderr, "no marker came out of %s\n", name_);
        std::exit(1);
      }
      Frame frame(65536);
      sockaddr_ll from{};
      socklen_t size = sizeof from;
      const ssize_t got = ::recvfrom(socket_, frame.data(), frame.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) give_up("recvfrom");
      if (from.sll_pkttype == PACKET_OUTGOING) continue;
      frame.resize(static_cast<std::size_t>(got));
      return frame;
    }
  }

 private:
  const char* name_;
  int socket_ = -1;
};

bool is_marker(const Frame& frame, std::uint32_t number) {
  return frame.size() >= 18 && frame[12] == kMarker >> 8 && frame[13] == (kMarker & 0xff) &&
         std::memcmp(frame.data() + 14, &number, sizeof number) == 0;
}

Frame marker(std::uint32_t number, bool from_lan) {
  Frame payload(46);
  std::memcpy(payload.data(), &number, sizeof number);
  const Frame frame = images::firewall::ether(kMarker, payload);
  return from_lan ? frame : images::firewall::turned(frame);
}

int run_step(const images::firewall::Step& step, std::uint32_t number, const Wire& in,
             const Wire& out) {
  for (const Frame& frame : step.frames) in.send(frame);
  in.send(marker(number, step.from_lan));
  int came = 0;
  for (;;) {
    const Frame frame = out.receive();
    if (is_marker(frame, number)) return came;
    ++came;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: firewall_verdicts LAN_INTERFACE WAN_INTERFACE\n");
    return 2;
  }
  const Wire lan(argv[1]);
  const Wire wan(argv[2]);
  std::uint32_t number = 0;
  for (const auto& step : images::firewall::make_corpus()) {
    const int came = run_step(step, ++number, step.from_lan ? lan : wan, step.from_lan ? wan : lan);
    std::printf("%s\t%zu sent, %d came\n", step.name.c_str(), step.frames.size(), came);
  }
  return 0;
}
