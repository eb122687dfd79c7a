// Deltas between two images: bytes against the whole image and against Debian's zstd
// --patch-from, time to make and to apply (by the real fleet-fetch, which an update has running
// already), memory of fleet-fetch.
// delta_bench [OLD NEW [REPEATS]]; without images: the DNS appliance, and one whose program differs
// in what it does with a question.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <span>
#include <thread>

#include "ota/delta.h"
#include "ota/disk.h"
#include "ota/fetch.h"
#include "ota/mapping.h"
#include "proto/limits.h"
#include "tests/bench/bench.h"

namespace {

using bench::Clock;
using ota::Fd;
using Bytes = std::vector<std::byte>;

constexpr double kMiB = 1024 * 1024;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "delta_bench: %s\n", why.c_str());
  std::exit(1);
}

Bytes read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.empty()) fail("cannot read " + path);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void write(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.good()) fail("cannot write " + path);
}

Fd memory(const Bytes& bytes) {
  Fd file(::memfd_create("delta_bench", MFD_CLOEXEC));
  if (!ota::write_at(file, 0, bytes)) fail("no memory");
  return file;
}

// What the process has of its own, in MiB: no pages of files. -1 when it has gone.
double own_memory_mib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (status >> word) {
    double kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib / 1024;
  }
  return -1;
}

double run_ms(const bench::Words& words) {
  const auto began = Clock::now();
  bench::Process process = bench::spawn(words);
  if (process.pid == 0 || bench::wait_for_end(process) != 0) return -1;
  return bench::ms_since(began);
}

ota::FetchOptions fetcher() {
  ota::FetchOptions options;
  options.program = std::string(FLEET_BINARY_DIR) + "/bin/fleet-fetch";
  options.host_name = "nobody.test";
  options.without_tls = true;
  return options;
}

struct Apply {
  double ms = 0;
  double own_mib = 0;  // the most that was seen
};

Apply apply(const Bytes& base, const Bytes& delta, const Bytes& image) {
  const Fd from = memory(base);
  const Fd patch = memory(delta);
  const Fd output = memory({});
  ota::FetchSession session(fetcher());
  const ota::DeltaFiles files{from, patch, output, image.size()};
  Apply out;
  if (!session.apply(files)) fail("the delta does not apply");
  const auto began = Clock::now();
  const bool once_more = session.apply(files).has_value();
  out.ms = bench::ms_since(began);
  std::atomic<bool> done = false;
  const pid_t pid = session.process_id();
  double most = 0;
  std::thread watcher([&done, &most, pid] {
    while (!done) most = std::max(most, own_memory_mib(pid));
  });
  const bool again = session.apply(files).has_value();
  done = true;
  watcher.join();
  out.own_mib = most;
  Bytes made(image.size());
  const bool good = once_more && again && ota::read_at(output, 0, made) && made == image;
  if (!good) fail("another image came out");
  return out;
}

void compare(const std::string& name, const Bytes& base, const Bytes& image, int repeats) {
  const std::string folder = std::string(FLEET_BINARY_DIR) + "/delta_bench.";
  write(folder + "old", base);
  write(folder + "new", image);
  const std::string windows = "--long=27";
  const bench::Words make = {"/usr/bin/zstd", "-qq", "-f", "-19", windows,
                             "--patch-from=" + folder + "old", folder + "new",
                             "-o", folder + "patch"};
  const bench::Words unmake = {"/usr/bin/zstd", "-qq", "-f", "-d", windows, "--memory=2048MB",
                               "--patch-from=" + folder + "old", folder + "patch",
                               "-o", folder + "made"};
  std::vector<double> made_ms, peer_made_ms, applied_ms, peer_applied_ms;
  double own_mib = 0;
  Bytes delta;
  for (int i = 0; i < repeats; ++i) {
    const auto began = Clock::now();
    auto made = ota::make_delta(base, image, 2 * image.size() + 100);
    made_ms.push_back(bench::ms_since(began));
    if (!made) fail(made.error().what);
    delta = std::move(*made);
    peer_made_ms.push_back(run_ms(make));
    const Apply applied = apply(base, delta, image);
    applied_ms.push_back(applied.ms);
    own_mib = std::max(own_mib, applied.own_mib);
    peer_applied_ms.push_back(run_ms(unmake));
  }
  std::ifstream patch(folder + "patch", std::ios::binary | std::ios::ate);
  const double peer_bytes = patch ? static_cast<double>(patch.tellg()) : -1;
  const auto bytes = static_cast<double>(delta.size());
  bench::show(name + ": to fetch", "bytes",
              {{"delta", bytes}, {"whole", static_cast<double>(image.size())},
               {"zstd -19", peer_bytes}});
  bench::show(name + ": made", "ms",
              {{"ours", bench::median(made_ms)}, {"zstd -19", bench::median(peer_made_ms)}});
  bench::show(name + ": applied", "ms",
              {{"fleet-fetch", bench::median(applied_ms)},
               {"zstd", bench::median(peer_applied_ms)}});
  bench::show(name + ": fleet-fetch's own memory meanwhile", "MiB",
              {{"fleet-fetch", own_mib}, {"image", static_cast<double>(image.size()) / kMiB}});
  for (const char* file : {"old", "new", "patch", "made"}) std::remove((folder + file).c_str());
}

// The largest that deltas are made for: four in a hundred bytes are others, in runs.
void compare_largest() {
  std::mt19937_64 random(1);
  Bytes base(proto::kMaxDeltaImageBytes);
  for (std::size_t at = 0; at + 8 <= base.size(); at += 8) {
    const std::uint64_t word = random();
    std::memcpy(base.data() + at, &word, 8);
  }
  Bytes image = base;
  for (std::size_t at = 0; at + 4096 <= image.size(); at += 100 * 1024) {
    for (std::size_t i = 0; i < 4096; ++i) image[at + i] = static_cast<std::byte>(random());
  }
  compare("64 MiB of noise", base, image, 1);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string images = std::string(FLEET_BINARY_DIR) + "/images/";
  const int repeats = argc > 3 ? std::atoi(argv[3]) : 9;
  if (argc > 2) {
    compare(argv[2], read(argv[1]), read(argv[2]), std::max(repeats, 1));
    return 0;
  }
  for (const char* platform : {"spt", "hvt", "virtio"}) {
    const std::string file = std::string("dns.x86_64.") + platform;
    compare(file, read(images + "dns/" + file), read(images + "dns-crash/" + file), repeats);
  }
  compare_largest();
  return 0;
}
