#include "deploy/fleetctl/table.h"

#include <algorithm>
#include <utility>

#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

std::string line_of(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string cell = i < cells.size() ? cells[i] : "";
    line += i + 1 == widths.size() ? cell : pad(cell, widths[i] + 2);
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

}  // namespace

void Table::add(std::vector<std::string> cells, std::string mark) {
  rows_.push_back({std::move(cells), std::move(mark)});
}

std::vector<std::string> Table::lines() const {
  std::vector<std::size_t> widths(headers_.size());
  bool marked = false;
  for (std::size_t i = 0; i < headers_.size(); ++i) widths[i] = display_width(headers_[i]);
  for (const Row& row : rows_) {
    marked = marked || !row.mark.empty();
    // A cell beyond the headers (a note at the end of a line) is no column.
    for (std::size_t i = 0; i < std::min(row.cells.size(), widths.size()); ++i) {
      widths[i] = std::max(widths[i], display_width(row.cells[i]));
    }
  }
  std::vector<std::string> out;
  out.push_back((marked ? "  " : "") + line_of(headers_, widths));
  for (const Row& row : rows_) {
    out.push_back((marked ? pad(row.mark, 2) : "") + line_of(row.cells, widths));
  }
  return out;
}

std::vector<std::string> aligned(const std::vector<std::pair<std::string, std::string>>& pairs,
                                 std::string_view indent) {
  std::size_t width = 0;
  for (const auto& [label, text] : pairs) width = std::max(width, display_width(label));
  std::vector<std::string> out;
  for (const auto& [label, text] : pairs) {
    std::string line = std::string(indent) + pad(label, width + 2) + text;
    while (line.ends_with(' ')) line.pop_back();
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace fleetctl
