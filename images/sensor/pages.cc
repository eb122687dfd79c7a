#include "images/sensor/pages.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "images/runtime/metrics_text.h"
#include "images/runtime/net/http_page.h"

namespace images::sensor {
namespace {

using runtime::kCounter;
using runtime::kGauge;
using runtime::net::HttpBody;

Counters (*counters)() = nullptr;

HttpBody write_metrics(std::span<char> out) {
  const Counters now = counters();
  runtime::MetricsText page(out);
  page.figure("sensor_readings_total", kCounter, "Readings that were taken.", now.readings);
  page.figure("sensor_readings_rejected_total", kCounter, "Readings out of bounds, and spikes.",
           now.rejected);
  page.figure("sensor_line_malformed_total", kCounter,
              "Words of the serial line that are no reading.",
           now.malformed);
  page.figure("sensor_messages_published_total", kCounter, "Messages that the broker has.",
           now.broker.published);
  page.figure("sensor_messages_lost_total", kCounter, "Messages that a full buffer dropped.",
           now.lost);
  page.figure("sensor_messages_buffered", kGauge, "Messages that wait for the broker.",
              now.buffered);
  page.figure("sensor_broker_connects_total", kCounter, "Connections that the broker accepted.",
           now.broker.connects);
  page.figure("sensor_broker_connected", kGauge, "1 while the broker is connected.",
           now.broker.connected ? 1 : 0);
  page.figure("sensor_up_seconds", kGauge, "Since the start of the guest.", now.up_ms / 1000);
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
