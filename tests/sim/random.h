// Where all chance of a simulated world comes from: one seed, one stream. While a Random lives,
// libsodium draws from it too, so that ids, keys and the jitter of the real code repeat with it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sim {

class Random {
 public:
  /// One at a time in a process.
  explicit Random(std::uint64_t seed);
  ~Random();
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;

  std::uint64_t next();
  /// 0 .. bound - 1; bound > 0
  std::uint64_t below(std::uint64_t bound);
  /// from .. to, both included
  std::int64_t between(std::int64_t from, std::int64_t to);
  bool chance(unsigned permille) { return below(1000) < permille; }

 private:
  std::uint64_t state_;
};

}  // namespace sim
