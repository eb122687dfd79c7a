#include "images/runtime/metrics_text.h"

#include <algorithm>

#include "images/runtime/line.h"

namespace images::runtime {
namespace {

Line line_of(std::uint64_t number) {
  Line line;
  line.add(number);
  return line;
}

}  // namespace

bool MetricsText::add(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  cut_ = cut_ || size > out_.size() - size_;
  if (cut_) return false;
  for (const std::string_view part : parts) {
    std::copy(part.begin(), part.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += part.size();
  }
  return true;
}

void MetricsText::head(std::string_view name, std::string_view kind, std::string_view help) {
  add({"# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"});
}

bool MetricsText::value(std::string_view name, std::uint64_t number) {
  return add({name, " ", line_of(number).text(), "\n"});
}

bool MetricsText::value(std::string_view name, std::string_view label, std::string_view text,
                        std::uint64_t number) {
  return add({name, "{", label, "=\"", text, "\"} ", line_of(number).text(), "\n"});
}

void MetricsText::figure(std::string_view name, std::string_view kind, std::string_view help,
                         std::uint64_t number) {
  head(name, kind, help);
  value(name, number);
}

}  // namespace images::runtime
