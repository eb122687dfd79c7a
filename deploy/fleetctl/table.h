// Tables of UX.md: columns two blanks apart, left aligned, no trailing blanks.
// It never looks at a terminal: lines in, lines out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fleetctl {

class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}

  /// One row; missing cells are empty, foreign text must be visible() already.
  /// in     mark: what stands in front of the row ("✔"); once a row has one, every line is
  ///        indented by two columns
  void add(std::vector<std::string> cells, std::string mark = "");

  bool empty() const { return rows_.empty(); }
  std::size_t size() const { return rows_.size(); }

  /// The header and the rows, without line ends.
  std::vector<std::string> lines() const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::string mark;
  };

  std::vector<std::string> headers_;
  std::vector<Row> rows_;
};

/// Lines of "label  text", the labels padded to the widest.
std::vector<std::string> aligned(const std::vector<std::pair<std::string, std::string>>& pairs,
                                 std::string_view indent);

}  // namespace fleetctl
