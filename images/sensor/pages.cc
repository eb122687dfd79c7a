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

/// Text of a bounded size; what does not fit is cut at a line.
class Page {
 public:
  explicit Page(std::span<char> out) : out_(out) {}
  void add(std::string_view name, std::string_view type, std::uint64_t value) {
    runtime::Line head;
    head.add("# TYPE ");
    head.add(name);
    head.add(' ');
    head.add(type);
    runtime::Line sample;
    sample.add(name);
    sample.add(' ');
    sample.add(value);
    if (head.text().size() + sample.text().size() + 2 > out_.size() - size_) return;
    for (const std::string_view line : {head.text(), sample.text()}) {
      std::copy(line.begin(), line.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
      size_ += line.size();
      out_[size_++] = '\n';
    }
  }
  std::size_t size() const { return size_; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
};

HttpBody write_metrics(std::span<char> out) {
  const Counters now = counters();
  Page page(out);
  page.add("sensor_readings_total", "counter", now.readings);
  page.add("sensor_readings_rejected_total", "counter", now.rejected);
  page.add("sensor_line_malformed_total", "counter", now.malformed);
  page.add("sensor_messages_published_total", "counter", now.broker.published);
  page.add("sensor_messages_lost_total", "counter", now.lost);
  page.add("sensor_messages_buffered", "gauge", now.buffered);
  page.add("sensor_broker_connects_total", "counter", now.broker.connects);
  page.add("sensor_broker_connected", "gauge", now.broker.connected ? 1 : 0);
  page.add("sensor_up_seconds", "gauge", now.up_ms / 1000);
  return {page.size(), 200};
}

HttpBody write_health(std::span<char> out) {
  constexpr std::string_view kText = "ok\n";
  std::copy(kText.begin(), kText.end(), out.begin());
  return {kText.size(), 200};
}

constexpr std::array<runtime::net::HttpPage, 2> kPages{
    {{"/metrics", runtime::net::kMetricsType, write_metrics},
     {"/healthz", "text/plain; charset=utf-8", write_health}}};

}  // namespace

bool serve_counters(std::uint16_t port, Counters (*count)(), runtime::Arena& memory) {
  counters = count;
  return runtime::net::serve_pages(port, kPages, memory);
}

}  // namespace images::sensor
