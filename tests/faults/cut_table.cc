#include "tests/faults/cut_table.h"

#include <algorithm>
#include <cstdio>

#include "proto/result.h"

namespace faults {

void CutTable::begin(const std::string& story, const std::vector<Op>& ops) {
  Row row;
  row.story = story;
  row.cuts = ops.size() + 1;
  for (const Op& op : ops) ++row.calls[op.call];
  rows_.push_back(std::move(row));
}

void CutTable::add(const std::string& phase, std::uint64_t live, bool passed) {
  FLEET_ASSERT(!rows_.empty());
  Row& row = rows_.back();
  ++row.phases[phase];
  ++row.lives[live];
  ++row.states;
  row.failed += passed ? 0 : 1;
}

void CutTable::print(const std::string& title) const {
  std::printf("\n%s\n%-24s %5s %7s %7s  %s\n", title.c_str(), "story", "cuts", "states", "failed",
              "states by how far it was | by the release after the cut | cuts behind each call");
  std::size_t states = 0;
  std::size_t cuts = 0;
  std::size_t failed = 0;
  for (const Row& row : rows_) {
    std::string text;
    for (const auto& [phase, count] : row.phases) {
      text += phase + " " + std::to_string(count) + ", ";
    }
    text += "|";
    for (const auto& [live, count] : row.lives) {
      text += (live == 0 ? " none " : " release " + std::to_string(live) + " ") +
              std::to_string(count) + ",";
    }
    text += " |";
    for (const auto& [call, count] : row.calls) {
      text += std::string(" ") + name_of(call) + " " + std::to_string(count);
    }
    std::printf("%-24s %5zu %7zu %7zu  %s\n", row.story.c_str(), row.cuts, row.states, row.failed,
                text.c_str());
    cuts += row.cuts;
    states += row.states;
    failed += row.failed;
  }
  std::printf("%-24s %5zu %7zu %7zu\n", "all", cuts, states, failed);
}

}  // namespace faults
