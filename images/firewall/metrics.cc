#include "images/firewall/metrics.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::size_t kLastLineBytes = 192;  // kept free for the figure that tells what is missing

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

struct Figure {
  std::string_view name;
  std::string_view type;
  std::string_view help;
};

void add_head(Lines& lines, const Figure& figure) {
  for (const std::string_view part : {std::string_view("# HELP "), figure.name,
                                      std::string_view(" "), figure.help,
                                      std::string_view("\n# TYPE "), figure.name,
                                      std::string_view(" "), figure.type}) {
    lines.add(part);
  }
}

void add_plain(Lines& lines, const Figure& figure, std::uint64_t value) {
  add_head(lines, figure);
  lines.add("\n");
  lines.add(figure.name);
  lines.add(" ");
  lines.add(value);
  lines.end_line();
}

template <typename Label>
bool add_labelled(Lines& lines, std::string_view name, Label label, std::uint64_t value) {
  lines.add(name);
  lines.add(label);
  lines.add("\"} ");
  lines.add(value);
  return lines.end_line();
}

void add_type(Lines& lines, std::string_view name, std::string_view help) {
  add_head(lines, {name, "counter", help});
  lines.end_line();
}

void add_ports(Lines& lines, std::span<const PortCounts> ports) {
  add_type(lines, "firewall_received_frames_total", "Frames that came in.");
  for (const PortCounts& port : ports) {
    add_labelled(lines, "firewall_received_frames_total{interface=\"", port.name, port.received);
  }
  add_type(lines, "firewall_lost_frames_total", "Frames that the host had no room for.");
  for (const PortCounts& port : ports) {
    add_labelled(lines, "firewall_lost_frames_total{interface=\"", port.name, port.lost);
  }
}

void add_flows(Lines& lines, const FlowTable& flows) {
  constexpr std::string_view kCounter = "counter";
  constexpr std::string_view kGauge = "gauge";
  const FlowCounts& counts = flows.counts();
  add_plain(lines, {"firewall_flows", kGauge, "Flows that are open."}, flows.size());
  add_plain(lines, {"firewall_flows_limit", kGauge, "Room for flows."}, flows.capacity());
  add_plain(lines, {"firewall_flows_opened_total", kCounter, "Flows that began."}, counts.opened);
  add_plain(lines, {"firewall_flows_expired_total", kCounter, "Flows that ended in silence."},
            counts.expired);
  add_plain(lines,
            {"firewall_flows_forgotten_total", kCounter, "Unanswered flows that made room."},
            counts.forgotten);
  add_plain(lines, {"firewall_flows_refused_total", kCounter, "Flows without room."},
            counts.refused);
}

/// How many counters did not fit.
std::size_t add_rules(Lines& lines, std::span<const Counter> counters) {
  add_type(lines, "firewall_rule_packets_total", "Packets of the rule in that line.");
  std::size_t missing = 0;
  for (const Counter& counter : counters) {
    const bool fits = add_labelled(lines, "firewall_rule_packets_total{line=\"",
                                   std::uint64_t{counter.line}, counter.packets);
    missing += fits ? 0 : 1;
  }
  add_type(lines, "firewall_rule_bytes_total", "Bytes of the rule in that line.");
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
  add_type(lines, "firewall_frames_total", "What became of frames.");
  for (std::size_t i = 0; i < kReasons; ++i) {
    add_labelled(lines, "firewall_frames_total{outcome=\"", name_of(static_cast<Reason>(i)),
                 firewall.counts()[i]);
  }
  add_ports(lines, ports);
  add_flows(lines, firewall.flows());
  const std::size_t missing = add_rules(lines, firewall.rules().counters);
  if (missing == 0) return lines.size();
  Lines last(out.subspan(lines.size()));
  add_plain(last, {"firewall_counters_left_out", "gauge", "Rule counters without room."}, missing);
  return lines.size() + last.size();
}

}  // namespace images::firewall
