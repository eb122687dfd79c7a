// Where the parser puts what it reads: bounded lists in the arena.
#pragma once

#include <cstddef>
#include <span>

#include "images/firewall/rule_parser.h"
#include "images/firewall/rules.h"
#include "images/runtime/arena.h"

namespace images::firewall {

/// A list that never grows beyond what it was made for.
template <typename T>
class BoundedList {
 public:
  bool create(std::size_t most, runtime::Arena& memory) {
    items_ = memory.make_array<T>(most);
    most_ = items_ == nullptr ? 0 : most;
    return items_ != nullptr;
  }
  /// False: it is full.
  bool add(const T& item) {
    if (size_ == most_) return false;
    items_[size_++] = item;
    return true;
  }
  void cut_to(std::size_t size) { size_ = size; }
  std::size_t size() const { return size_; }
  std::span<T> items() const { return {items_, size_}; }

 private:
  T* items_ = nullptr;
  std::size_t size_ = 0;
  std::size_t most_ = 0;
};

struct RuleStore {
  bool create(runtime::Arena& memory) {
    return rules.create(kMaxRules, memory) && steps.create(kMaxSteps, memory) &&
           ranges.create(kMaxRanges, memory) && wide_ranges.create(kMaxWideRanges, memory) &&
           limits.create(kMaxLimits, memory) && counters.create(kMaxCounters, memory) &&
           targets.create(kMaxTargets, memory);
  }
  RuleSet finished(const RuleSet& chains) const {
    RuleSet out = chains;
    out.steps = steps.items();
    out.ranges = ranges.items();
    out.wide_ranges = wide_ranges.items();
    out.limits = limits.items();
    out.counters = counters.items();
    out.targets = targets.items();
    return out;
  }

  BoundedList<Rule> rules;
  BoundedList<Step> steps;
  BoundedList<Range> ranges;
  BoundedList<WideRange> wide_ranges;
  BoundedList<Limit> limits;
  BoundedList<Counter> counters;
  BoundedList<NatTarget> targets;
};

}  // namespace images::firewall
