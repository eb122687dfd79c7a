#include "images/sensor/pages.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "images/runtime/line.h"
#include "images/runtime/net/http_page.h"

namespace images::sensor {
namespace {

using runtime::net::HttpBody;

Counters (*counters)() = nullptr;

/// Text of a bounded size: a figure that does not fit is left out.
class Page {
 public:
  explicit Page(std::span<char> out) : out_(out) {}
  void add(std::string_view name, std::string_view type, std::string_view help,
           std::uint64_t value) {
    runtime::Line number;
    number.add(value);
    const std::array<std::string_view, 11> parts{"# HELP ", name, " ",  help, "\n# TYPE ",   name,
                                                 " ",       type, "\n", name, " "};
    std::size_t size = number.text().size() + 1;
    for (const std::string_view part : parts) size += part.size();
    if (size > out_.size() - size_) return;
    for (const std::string_view part : parts) put(part);
    put(number.text());
    put("\n");
  }
  std::size_t size() const { return size_; }

 private:
  void put(std::string_view text) {
    std::copy(text.begin(), text.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  }

  std::span<char> out_;
  std::size_t size_ = 0;
};

HttpBody write_metrics(std::span<char> out) {
  constexpr std::string_view kCounter = "counter";
  constexpr std::string_view kGauge = "gauge";
  const Counters now = counters();
  Page page(out);
  page.add("sensor_readings_total", kCounter, "Readings that were taken.", now.readings);
  page.add("sensor_readings_rejected_total", kCounter, "Readings out of bounds, and spikes.",
           now.rejected);
  page.add("sensor_line_malformed_total", kCounter, "Words of the serial line that are no reading.",
           now.malformed);
  page.add("sensor_messages_published_total", kCounter, "Messages that the broker has.",
           now.broker.published);
  page.add("sensor_messages_lost_total", kCounter, "Messages that a full buffer dropped.",
           now.lost);
  page.add("sensor_messages_buffered", kGauge, "Messages that wait for the broker.", now.buffered);
  page.add("sensor_broker_connects_total", kCounter, "Connections that the broker accepted.",
           now.broker.connects);
  page.add("sensor_broker_connected", kGauge, "1 while the broker is connected.",
           now.broker.connected ? 1 : 0);
  page.add("sensor_up_seconds", kGauge, "Since the start of the guest.", now.up_ms / 1000);
  return {page.size(), 200};
}

constexpr std::array<runtime::net::HttpPage, 2> kPages{
    {{"/metrics", runtime::net::kMetricsType, write_metrics},
     runtime::net::kHealthPage}};

}  // namespace

bool serve_counters(std::uint16_t port, Counters (*count)(), runtime::Arena& memory) {
  counters = count;
  return runtime::net::serve_pages(port, kPages, memory);
}

}  // namespace images::sensor
