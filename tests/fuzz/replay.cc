// Runs a fuzz target without libFuzzer: over the files of its corpus, over each of them cut short,
// and for a while over changed copies of them. `--seed N` makes the same copies again.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr std::chrono::milliseconds kChangedFor{1000};
constexpr std::size_t kMaxInputBytes = 64 * 1024;

using Bytes = std::vector<uint8_t>;

// A copy of exactly that size, so that a sanitizer sees a read beyond it.
void run(const Bytes& bytes, std::size_t size) {
  const Bytes copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

class Changes {
 public:
  explicit Changes(std::uint32_t seed) : random_(seed) {}

  // A few of what hostile bytes are made of: flips, edge values, cuts, and pieces of others.
  Bytes make(const std::vector<Bytes>& corpus) {
    Bytes out = corpus.at(below(corpus.size()));
    for (std::size_t left = 1 + below(8); left > 0; --left) change(out, corpus);
    if (out.size() > kMaxInputBytes) out.resize(kMaxInputBytes);
    return out;
  }

 private:
  std::size_t below(std::size_t limit) {
    return limit == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  void change(Bytes& out, const std::vector<Bytes>& corpus) {
    static constexpr uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff, '"', '\\', '/', '.', '0'};
    const std::size_t at = below(out.size() + 1);
    const auto place = out.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t kind = below(6);
    if (kind == 0 && at < out.size()) {
      out[at] = static_cast<uint8_t>(out[at] ^ (1U << below(8)));
    } else if (kind == 1 && at < out.size()) {
      out[at] = kEdges[below(std::size(kEdges))];
    } else if (kind == 2) {
      out.erase(place, place + static_cast<std::ptrdiff_t>(below(out.size() - at + 1)));
    } else if (kind == 3) {
      out.insert(place, 1 + below(16), kEdges[below(std::size(kEdges))]);
    } else {
      const Bytes& other = corpus.at(below(corpus.size()));
      const std::size_t from = below(other.size() + 1);
      const std::size_t count = below(std::min<std::size_t>(other.size() - from, 256) + 1);
      const auto piece = other.begin() + static_cast<std::ptrdiff_t>(from);
      out.insert(place, piece, piece + static_cast<std::ptrdiff_t>(count));
    }
  }

  std::mt19937 random_;
};

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t kCuts = 64;
  std::uint32_t seed = std::random_device()();
  std::vector<Bytes> corpus;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = static_cast<std::uint32_t>(std::strtoul(argv[++i], nullptr, 10));
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  if (corpus.empty()) return 1;  // an empty corpus proves nothing
  for (const Bytes& bytes : corpus) {
    run(bytes, bytes.size());
    const std::size_t step = bytes.size() / kCuts + 1;
    for (std::size_t size = 0; size < bytes.size(); size += step) run(bytes, size);
  }
  // Said first: a crash says no more.
  std::printf("%zu files replayed; changed copies by --seed %u\n", corpus.size(), seed);
  std::fflush(stdout);
  Changes changes(seed);
  std::size_t made = 0;
  const auto until = std::chrono::steady_clock::now() + kChangedFor;
  for (; std::chrono::steady_clock::now() < until; ++made) {
    const Bytes bytes = changes.make(corpus);
    run(bytes, bytes.size());
  }
  std::printf("%zu changed copies taken\n", made);
  return 0;
}
