// Figures of our tenders as plain programs, beside Solo5's own where PATH has them, and QEMU: how
// fast a guest says its first word, ends and answers, and what memory it costs beyond its own.
// Needs root; hvt needs a KVM that is true (tests/bench/hvt.sh). tender_bench [spt|hvt] [REPEATS]
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>

#include "agent/monitors/config_volume.h"
#include "agent/monitors/qemu.h"
#include "tests/bench/bench.h"
#include "tests/e2e/launcher_world.h"

namespace {

using bench::Figure;
using bench::Words;

constexpr agent::Ipv4 kGuest{0x0a4d0002};  // 10.77.0.2
constexpr char kGuestText[] = "10.77.0.2";
constexpr char kGuestMac[] = "52:54:00:00:00:02";
// Between two guests on the tap: the kernel is slower with a carrier that has only just gone.
constexpr useconds_t kTapRestUs = 50'000;
constexpr int kManyGuests = 100;
constexpr std::uint64_t kGuestBytes = 4 << 20;  // of the guests with --mem=4

/// One monitor of a row. The DNS image is told everything by its config volume.
struct Contender {
  std::string name;
  Words hello;                          // a guest that says a word and ends; empty: has none
  Words ready;                          // a guest that says a word and sleeps
  Words dns;                            // the DNS image on the tap
  std::vector<bench::Passed> files = {};  // of dns
  int end_with = SIGTERM;
};

/// Each contender's median of `one`, taking turns; negative: it cannot do it.
std::vector<Figure> take_turns(const std::vector<Contender>& all, int repeats,
                               const std::function<double(const Contender&)>& one) {
  std::vector<std::vector<double>> times(all.size());
  for (int i = 0; i < repeats; ++i) {
    for (std::size_t c = 0; c < all.size(); ++c) {
      const double value = one(all[c]);
      if (value > 0) times[c].push_back(value);
    }
  }
  std::vector<Figure> figures;
  for (std::size_t c = 0; c < all.size(); ++c) {
    const bool none = times[c].empty();
    figures.push_back({all[c].name, none ? -1 : bench::median(times[c])});
  }
  return figures;
}

double time_hello(const Contender& who, bool to_the_end) {
  if (who.hello.empty()) return -1;
  const auto begin = bench::Clock::now();
  bench::Process process = bench::spawn(who.hello);
  if (process.pid == 0) return -1;
  const bool said = bench::wait_for_word(process);
  const double word_ms = bench::ms_since(begin);
  const int status = bench::wait_for_end(process);
  if (!said || status != 0) return -1;
  return to_the_end ? bench::ms_since(begin) : word_ms;
}

/// Start to the first sign of life that `answered` sees on the tap.
double time_answer(const Contender& who, const std::function<bool()>& answered) {
  if (who.dns.empty()) return -1;
  const auto begin = bench::Clock::now();
  bench::Process process = bench::spawn(who.dns, who.files);
  if (process.pid == 0) return -1;
  double took = -1;
  while (bench::ms_since(begin) < 30'000) {
    if (!answered()) continue;
    took = bench::ms_since(begin);
    break;
  }
  bench::end(process, who.end_with);
  ::usleep(kTapRestUs);
  return took;
}

std::uint16_t checksum(const void* bytes, std::size_t size) {
  const auto* words = static_cast<const std::uint16_t*>(bytes);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < size / 2; ++i) sum += words[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

/// One echo request; true if an answer to any of ours comes within a millisecond.
bool ping(int socket) {
  icmphdr request{};
  request.type = ICMP_ECHO;
  request.un.echo.id = static_cast<std::uint16_t>(::getpid());
  request.checksum = checksum(&request, sizeof request);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(kGuest.value);
  ::sendto(socket, &request, sizeof request, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  pollfd ready{socket, POLLIN, 0};
  while (::poll(&ready, 1, 1) == 1) {
    unsigned char packet[256];
    const ssize_t got = ::recv(socket, packet, sizeof packet, 0);
    const std::size_t header = (packet[0] & 15U) * 4U;
    if (got >= static_cast<ssize_t>(header + sizeof(icmphdr)) && packet[header] == ICMP_ECHOREPLY) {
      return true;
    }
  }
  return false;
}

/// One line of a process's memory map.
struct Piece {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  double private_kib = 0;
};

std::vector<Piece> memory_map(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/smaps");
  std::vector<Piece> pieces;
  for (std::string line; std::getline(maps, line);) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    double kib = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &begin, &end) == 2) {
      pieces.push_back({begin, end, 0});
    } else if (std::sscanf(line.c_str(), "Private_%*[A-Za-z]: %lf kB", &kib) == 1) {
      pieces.back().private_kib += kib;
    }
  }
  return pieces;
}

/// KiB of private memory that are not the guest's own. An spt guest's lies from 0 on; an hvt
/// guest's is anywhere, neighbouring pieces that together have its size.
double private_beyond(pid_t pid, std::uint64_t guest_bytes) {
  double kib = 0;
  const std::vector<Piece> pieces = memory_map(pid);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].end <= guest_bytes) continue;
    std::size_t last = i;
    while (last + 1 < pieces.size() && pieces[last + 1].begin == pieces[last].end &&
           pieces[last].end - pieces[i].begin < guest_bytes) {
      ++last;
    }
    if (pieces[last].end - pieces[i].begin == guest_bytes) {
      i = last;
      continue;
    }
    kib += pieces[i].private_kib;
  }
  return kib;
}

/// Many guests that say a word and sleep: started one after the other and all heard (ms), and what
/// each has beyond its own memory (KiB).
std::pair<double, double> measure_many(const Contender& who) {
  if (who.ready.empty()) return {-1, -1};
  std::vector<bench::Process> guests;
  const auto begin = bench::Clock::now();
  for (int i = 0; i < kManyGuests; ++i) guests.push_back(bench::spawn(who.ready));
  bool heard = true;
  for (const bench::Process& guest : guests) {
    heard = heard && guest.pid != 0 && bench::wait_for_word(guest);
  }
  const double all_ms = bench::ms_since(begin);
  double kib = 0;
  for (const bench::Process& guest : guests) {
    kib += private_beyond(guest.pid, kGuestBytes);
    for (const pid_t child : bench::children_of(guest.pid)) {
      kib += private_beyond(child, kGuestBytes);
    }
  }
  for (bench::Process& guest : guests) bench::end(guest, SIGTERM);
  return heard ? std::pair{all_ms, kib / kManyGuests} : std::pair{-1.0, -1.0};
}

/// A network namespace of our own with the tap that every guest gets. Carrier comes and goes with
/// the guests; the neighbour is told, so that no row waits for ARP's second.
int make_tap() {
  if (::unshare(CLONE_NEWNET) != 0) std::abort();
  const std::vector<Words> steps = {
      {"ip", "link", "set", "lo", "up"},
      {"ip", "tuntap", "add", "bench0", "mode", "tap"},
      {"ip", "addr", "add", "10.77.0.1/24", "dev", "bench0"},
      {"ip", "link", "set", "bench0", "up"},
      {"ip", "neigh", "replace", kGuestText, "lladdr", kGuestMac, "dev", "bench0", "nud",
       "permanent"},
  };
  for (const Words& step : steps) {
    if (e2e::run(step) != 0) std::abort();
  }
  return ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

/// Out of the way of the numbers that files are to have in a started program.
int high(int descriptor) { return ::fcntl(descriptor, F_DUPFD_CLOEXEC, 100); }

int open_tap() {
  const int tap = high(agent::Fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC)).get());
  ifreq request{};
  std::strcpy(request.ifr_name, "bench0");
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (tap < 0 || ::ioctl(tap, TUNSETIFF, &request) != 0) std::abort();
  return tap;
}

/// A tender, ours or Solo5's: they take the same words.
Contender tender(const std::string& name, const std::string& program, const std::string& target,
                 const std::string& volume, const Words& extra = {}) {
  const std::string build = e2e::build_folder();
  const std::string guest = build + "/images/tender/guest0.x86_64." + target;
  const auto words = [&](const Words& behind) {
    Words all = {program};
    all.insert(all.end(), extra.begin(), extra.end());
    all.insert(all.end(), behind.begin(), behind.end());
    return all;
  };
  return {name, words({"--mem=4", guest, "hello"}), words({"--mem=4", guest, "ready"}),
          words({"--mem=16", "--net:service=bench0", std::string("--net-mac:service=") + kGuestMac,
                 "--block:config=" + volume, build + "/images/dns/dns.x86_64." + target})};
}

/// QEMU's microvm with the virtio image. Its tap is opened for each start, so that it goes with the
/// guest.
Contender qemu(const agent::StartRequest& request) {
  Contender made{"qemu/tcg", {}, {}, {"qemu-system-x86_64"}, {}, SIGKILL};
  made.dns.insert(made.dns.end(), request.arguments.begin(), request.arguments.end());
  for (std::size_t i = 0; i < request.files.size(); ++i) {
    made.files.push_back({high(request.files[i].get()), agent::kFirstFileFd + static_cast<int>(i)});
  }
  return made;
}

/// A row of ours as it is, and one of ours as the agent starts it: with a word of the guest's end.
/// The contenders begin with these two.
void show_both(const std::string& row, const std::string& unit, std::vector<Figure> figures) {
  Figure with_report = figures[1];
  figures.erase(figures.begin() + 1);
  bench::show(row, unit, figures);
  with_report.name = figures[0].name;
  figures[0] = with_report;
  bench::show(row + ", with exit report", unit, figures);
}

void compare_hello(const std::vector<Contender>& all, int repeats) {
  show_both("hello, start to first console byte", "ms",
            take_turns(all, repeats, [](const Contender& one) { return time_hello(one, false); }));
  show_both("hello, start to exit", "ms",
            take_turns(all, repeats, [](const Contender& one) { return time_hello(one, true); }));
}

void compare_answers(const std::vector<Contender>& all, int repeats) {
  const int icmp = make_tap();
  const agent::Fd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto with_tap = [](const Contender& one, const std::function<bool()>& answered) {
    Contender who = one;
    const agent::Fd tap(one.name == "qemu/tcg" ? open_tap() : -1);
    if (tap) who.files.push_back({tap.get(), agent::kFirstTapFd});
    return time_answer(who, answered);
  };
  show_both("dns image, start to first answered ping", "ms",
            take_turns(all, repeats, [&](const Contender& one) {
              return with_tap(one, [icmp] { return ping(icmp); });
            }));
  show_both("dns image, start to first DNS answer", "ms",
            take_turns(all, repeats, [&](const Contender& one) {
              return with_tap(one, [&udp] { return !e2e::ask(udp, kGuestText, 53, 1).empty(); });
            }));
  ::close(icmp);
}

void compare_many(const std::vector<Contender>& all) {
  std::vector<Figure> time;
  std::vector<Figure> memory;
  for (const Contender& one : all) {
    const auto [ms, kib] = measure_many(one);
    time.push_back({one.name, ms});
    memory.push_back({one.name, kib});
  }
  show_both("100 guests of 4 MiB, started and heard", "ms", time);
  show_both("private memory beyond the guest's own", "KiB", memory);
}

bool in_path(const std::string& program) {
  return e2e::run({"sh", "-c", "command -v " + program + " >/dev/null"}) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Where the tenders' exit reports go.
  if (std::freopen("/dev/null", "r+", stdin) == nullptr) std::abort();
  const std::string target = argc > 1 ? argv[1] : "spt";
  const int repeats = argc > 2 ? std::max(1, std::atoi(argv[2])) : 30;
  if (target != "spt" && target != "hvt") {
    std::fprintf(stderr, "error: %s: spt or hvt is expected\n", target.c_str());
    return 2;
  }
  const bool spt = target == "spt";
  const auto boot = spt ? monitors::Boot::spt : monitors::Boot::hvt;
  char volume[] = "/tmp/tender-bench.XXXXXX";
  if (::mkstemp(volume) < 0) std::abort();
  const auto bytes =
      monitors::config_volume(e2e::dns_launch("", kGuest, "192.0.2.10", boot).config);
  if (!bytes) std::abort();
  std::ofstream(volume) << *bytes;

  const std::string program = e2e::build_folder() + "/bin/fleet-" + target;
  const std::string upstream = "solo5-" + target;
  std::vector<Contender> all = {tender("fleet-" + target, program, target, volume)};
  all.push_back(tender("with exit report", program, target, volume,
                       {"--exit-report=@0", "--stop-grace-ms=0"}));
  if (in_path(upstream)) {
    all.push_back(tender(upstream, upstream, target, volume));
  } else {
    std::fprintf(stderr, "%s is not in PATH: no figures of it\n", upstream.c_str());
  }
  std::vector<Contender> programs = all;
  programs.push_back({"/bin/echo", {"/bin/echo", "hello"}, {}, {}});
  compare_hello(programs, repeats);
  compare_many(all);

  const monitors::QemuMonitor monitor(monitors::Accelerator::tcg);
  auto request = monitor.command(
      e2e::dns_launch("", kGuest, "192.0.2.10", monitors::Boot::pvh));
  if (!request) std::abort();
  // Inside an emulated machine a second emulation says nothing.
  if (spt) all.push_back(qemu(*request));
  compare_answers(all, std::max(1, repeats / 3));
  ::unlink(volume);
  return 0;
}
