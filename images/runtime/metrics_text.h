// Prometheus' text format into a bounded buffer: heads and samples up to the first that does not
// fit. Pure. https://prometheus.io/docs/instrumenting/exposition_formats
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace images::runtime {

/// What its `value` is: counted up since the start, or as it is now.
inline constexpr std::string_view kCounter = "counter";
inline constexpr std::string_view kGauge = "gauge";

class MetricsText {
 public:
  explicit MetricsText(std::span<char> out) : out_(out) {}

  /// What a metric is; once, before its samples. Both lines of it, or nothing.
  void head(std::string_view name, std::string_view kind, std::string_view help);
  /// A sample. False: there is no room, and nothing of it is there; nor will anything behind it be,
  /// or a sample could stand below the head of another metric.
  bool value(std::string_view name, std::uint64_t number);
  /// With one label, NAME{LABEL="TEXT"}; the text needs no escapes.
  bool value(std::string_view name, std::string_view label, std::string_view text,
             std::uint64_t number);
  /// Head and sample of a metric that has no labels.
  void figure(std::string_view name, std::string_view kind, std::string_view help,
              std::uint64_t number);

  /// Bytes written: whole lines, always.
  std::size_t size() const { return size_; }

 private:
  bool add(std::initializer_list<std::string_view> parts);

  std::span<char> out_;
  std::size_t size_ = 0;
  bool cut_ = false;  // something did not fit
};

}  // namespace images::runtime
