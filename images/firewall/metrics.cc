#include "images/firewall/metrics.h"

#include "images/runtime/line.h"
#include "images/runtime/metrics_text.h"

namespace images::firewall {
namespace {

using runtime::kCounter;
using runtime::kGauge;
using runtime::MetricsText;

constexpr std::size_t kLastLineBytes = 192;  // kept free for the figure that tells what is missing

void add_ports(MetricsText& lines, std::span<const PortCounts> ports) {
  lines.head("firewall_received_frames_total", kCounter, "Frames that came in.");
  for (const PortCounts& port : ports) {
    lines.value("firewall_received_frames_total", "interface", port.name, port.received);
  }
  lines.head("firewall_lost_frames_total", kCounter, "Frames that the host had no room for.");
  for (const PortCounts& port : ports) {
    lines.value("firewall_lost_frames_total", "interface", port.name, port.lost);
  }
}

void add_flows(MetricsText& lines, const FlowTable& flows) {
  const FlowCounts& counts = flows.counts();
  lines.figure("firewall_flows", kGauge, "Flows that are open.", flows.size());
  lines.figure("firewall_flows_limit", kGauge, "Room for flows.", flows.capacity());
  lines.figure("firewall_flows_opened_total", kCounter, "Flows that began.", counts.opened);
  lines.figure("firewall_flows_expired_total", kCounter, "Flows that ended in silence.",
               counts.expired);
  lines.figure("firewall_flows_forgotten_total", kCounter, "Unanswered flows that made room.",
               counts.forgotten);
  lines.figure("firewall_flows_refused_total", kCounter, "Flows without room.", counts.refused);
}

runtime::Line line_text(const Counter& counter) {
  runtime::Line line;
  line.add(counter.line);
  return line;
}

/// How many counters did not fit.
std::size_t add_rules(MetricsText& lines, std::span<const Counter> counters) {
  lines.head("firewall_rule_packets_total", kCounter, "Packets of the rule in that line.");
  std::size_t missing = 0;
  for (const Counter& counter : counters) {
    const bool fits =
        lines.value("firewall_rule_packets_total", "line", line_text(counter).text(),
                    counter.packets);
    missing += fits ? 0 : 1;
  }
  lines.head("firewall_rule_bytes_total", kCounter, "Bytes of the rule in that line.");
  for (const Counter& counter : counters) {
    const bool fits =
        lines.value("firewall_rule_bytes_total", "line", line_text(counter).text(), counter.bytes);
    missing += fits ? 0 : 1;
  }
  return missing;
}

}  // namespace

std::size_t write_metrics(const Firewall& firewall, std::span<const PortCounts> ports,
                          const Delivery* delivery, std::span<char> out) {
  if (out.size() <= kLastLineBytes) return 0;
  MetricsText lines(out.first(out.size() - kLastLineBytes));
  lines.head("firewall_frames_total", kCounter, "What became of frames.");
  for (std::size_t i = 0; i < kReasons; ++i) {
    lines.value("firewall_frames_total", "outcome", name_of(static_cast<Reason>(i)),
                firewall.counts()[i]);
  }
  add_ports(lines, ports);
  add_flows(lines, firewall.flows());
  if (delivery != nullptr) {
    lines.figure("firewall_unresolved_frames_total", kCounter,
                 "Accepted frames whose next hop was silent.", delivery->unresolved());
  }
  const std::size_t missing = add_rules(lines, firewall.rules().counters);
  if (missing == 0) return lines.size();
  MetricsText last(out.subspan(lines.size()));
  last.figure("firewall_counters_left_out", kGauge, "Rule counters without room.", missing);
  return lines.size() + last.size();
}

}  // namespace images::firewall
