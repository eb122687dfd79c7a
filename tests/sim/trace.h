// The story of a world: one line per event, in virtual time. Its hash tells two runs apart; with
// --trace it is printed as it happens. The real code's log lines are part of it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "proto/async.h"

namespace sim {

class Trace {
 public:
  /// One at a time in a process: it takes the log. `clock` outlives it.
  Trace(proto::Clock& clock, bool print);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// `who`: "edge-1", "controller", "operator", "log"
  void tell(std::string_view who, std::string_view what);
  std::uint64_t hash() const { return hash_; }
  std::uint64_t lines() const { return lines_; }
  /// The newest lines, for the report of a failure.
  std::string tail() const;

 private:
  proto::Clock& clock_;
  bool print_;
  std::uint64_t hash_ = 0xcbf29ce484222325;  // FNV-1a
  std::uint64_t lines_ = 0;
  std::deque<std::string> tail_;
};

}  // namespace sim
