#include "images/firewall/metrics.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::size_t kLastLineBytes = 128;  // kept free for the line that tells what is missing

/// Text that ends with the last whole line that fits.
class Lines {
 public:
  explicit Lines(std::span<char> out) : out_(out) {}

  void add(std::string_view text) {
    const std::size_t room = out_.size() - size_;
    if (text.size() > room) broken_ = true;
    if (broken_) return;
    std::copy(text.begin(), text.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  }
  void add(std::uint64_t number) {
    char digits[20];
    std::size_t count = sizeof digits;
    do {
      digits[--count] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    add(std::string_view(digits + count, sizeof digits - count));
  }
  /// False: the line did not fit, and nothing of it is there.
  bool end_line() {
    add("\n");
    const bool whole = !broken_;
    if (whole) {
      kept_ = size_;
    } else {
      size_ = kept_;
    }
    broken_ = false;
    return whole;
  }
  std::size_t size() const { return kept_; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
  std::size_t kept_ = 0;  // whole lines
  bool broken_ = false;
};

bool add_plain(Lines& lines, std::string_view name, std::string_view type, std::uint64_t value) {
  lines.add("# TYPE ");
  lines.add(name);
  lines.add(type);
  lines.add(name);
  lines.add(" ");
  lines.add(value);
  return lines.end_line();
}

template <typename Label>
bool add_labelled(Lines& lines, std::string_view name, Label label, std::uint64_t value) {
  lines.add(name);
  lines.add(label);
  lines.add("\"} ");
  lines.add(value);
  return lines.end_line();
}

void add_type(Lines& lines, std::string_view name) {
  lines.add("# TYPE ");
  lines.add(name);
  lines.add(" counter");
  lines.end_line();
}

void add_ports(Lines& lines, std::span<const PortCounts> ports) {
  add_type(lines, "firewall_received_frames_total");
  for (const PortCounts& port : ports) {
    add_labelled(lines, "firewall_received_frames_total{interface=\"", port.name, port.received);
  }
  add_type(lines, "firewall_lost_frames_total");
  for (const PortCounts& port : ports) {
    add_labelled(lines, "firewall_lost_frames_total{interface=\"", port.name, port.lost);
  }
}

void add_flows(Lines& lines, const FlowTable& flows) {
  constexpr std::string_view kCounter = " counter\n";
  constexpr std::string_view kGauge = " gauge\n";
  const FlowCounts& counts = flows.counts();
  add_plain(lines, "firewall_flows", kGauge, flows.size());
  add_plain(lines, "firewall_flows_limit", kGauge, flows.capacity());
  add_plain(lines, "firewall_flows_opened_total", kCounter, counts.opened);
  add_plain(lines, "firewall_flows_expired_total", kCounter, counts.expired);
  add_plain(lines, "firewall_flows_forgotten_total", kCounter, counts.forgotten);
  add_plain(lines, "firewall_flows_refused_total", kCounter, counts.refused);
}

/// How many counters did not fit.
std::size_t add_rules(Lines& lines, std::span<const Counter> counters) {
  add_type(lines, "firewall_rule_packets_total");
  std::size_t missing = 0;
  for (const Counter& counter : counters) {
    const bool fits = add_labelled(lines, "firewall_rule_packets_total{line=\"",
                                   std::uint64_t{counter.line}, counter.packets);
    missing += fits ? 0 : 1;
  }
  add_type(lines, "firewall_rule_bytes_total");
  for (const Counter& counter : counters) {
    const bool fits = add_labelled(lines, "firewall_rule_bytes_total{line=\"",
                                   std::uint64_t{counter.line}, counter.bytes);
    missing += fits ? 0 : 1;
  }
  return missing;
}

}  // namespace

std::size_t write_metrics(const Firewall& firewall, std::span<const PortCounts> ports,
                          std::span<char> out) {
  if (out.size() <= kLastLineBytes) return 0;
  Lines lines(out.first(out.size() - kLastLineBytes));
  add_type(lines, "firewall_frames_total");
  for (std::size_t i = 0; i < kReasons; ++i) {
    add_labelled(lines, "firewall_frames_total{outcome=\"", name_of(static_cast<Reason>(i)),
                 firewall.counts()[i]);
  }
  add_ports(lines, ports);
  add_flows(lines, firewall.flows());
  const std::size_t missing = add_rules(lines, firewall.rules().counters);
  if (missing == 0) return lines.size();
  Lines last(out.subspan(lines.size()));
  add_plain(last, "firewall_counters_left_out", " gauge\n", missing);
  return lines.size() + last.size();
}

}  // namespace images::firewall
