#include "deploy/fleetctl/flights.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "deploy/fleetctl/rollout_view.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/verdict.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::Flight;
using fleet::v1::FlightList;
using fleet::v1::FlightRecord;
using fleet::v1::ProbeTick;

constexpr std::size_t kRegistersInRow = 4;
constexpr std::size_t kFailuresNamed = 5;
constexpr std::size_t kConsoleLinesShown = 20;

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string outcome_text(const FlightRecord& record) {
  switch (record.outcome()) {
    case fleet::v1::FLIGHT_TRIAL_FAILED: return "trial failed; what ran before runs on";
    case fleet::v1::FLIGHT_FIRST_FAILED: return "first install failed; the app is stopped";
    case fleet::v1::FLIGHT_REVERTED: return "reverted to the release in the other slot";
    case fleet::v1::FLIGHT_RESTARTED: return "started again";
    case fleet::v1::FLIGHT_ENDED: return "not started again: restart policy";
    default: return "";
  }
}

// "12s ago" or "12s ago, 4 times in a row".
std::string when_text(const Flight& flight, std::uint64_t now_ms) {
  const std::uint64_t age =
      now_ms > flight.received_ms() ? now_ms - flight.received_ms() : 0;
  std::string text = age_text(age) + " ago";
  const std::uint32_t count = flight.record().count();
  if (count > 1) text += ", " + std::to_string(count) + " times in a row";
  return text;
}

// r9 before r10.
bool register_before(const std::string& a, const std::string& b) {
  const auto split_at = [](const std::string& name) {
    const std::size_t digit = name.find_first_of("0123456789");
    return std::min(digit, name.size());
  };
  const auto key = [&split_at](const std::string& name) {
    const std::size_t at = split_at(name);
    return std::make_tuple(name.substr(0, at), name.size() - at, name);
  };
  return key(a) < key(b);
}

void add_trap(const FlightRecord& record, Pairs& pairs) {
  if (!record.has_trap()) return;
  const fleet::v1::Trap& trap = record.trap();
  std::string text = visible(trap.kind());
  if (!trap.pc().empty()) text += " at " + visible(trap.pc());
  if (!trap.address().empty()) text += ", address " + visible(trap.address());
  pairs.emplace_back("trap", text);
  std::vector<std::string> names;
  for (const auto& [name, unused] : trap.registers()) names.push_back(name);
  std::sort(names.begin(), names.end(), register_before);
  std::size_t widest = 0;
  for (const std::string& name : names) widest = std::max(widest, display_width(visible(name)));
  std::vector<std::string> row;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string value = visible(trap.registers().at(names[i]));
    row.push_back(pad(visible(names[i]), widest) + " " + pad(value, 18));
    if (row.size() < kRegistersInRow && i + 1 < names.size()) continue;
    std::string line = join(row, "  ");
    line.erase(line.find_last_not_of(' ') + 1);
    pairs.emplace_back("", line);
    row.clear();
  }
}

// A tick per probe, oldest first, and what the failed ones said: equal words in a row once.
void add_health(const FlightRecord& record, Pairs& pairs) {
  if (record.probes().empty()) return;
  std::string ticks;
  std::vector<std::pair<const ProbeTick*, std::size_t>> failed;
  const ProbeTick* before = nullptr;
  for (const ProbeTick& probe : record.probes()) {
    ticks += probe.passed() ? "✔" : "✘";
    if (!probe.passed()) {
      const bool same = before != nullptr && !before->passed() && before->text() == probe.text();
      if (same) ++failed.back().second;
      else failed.emplace_back(&probe, 1);
    }
    before = &probe;
  }
  pairs.emplace_back("health", ticks + "  " + std::to_string(record.why().probes_passed()) +
                                   " of " + count_text(record.why().probes_total(), "probe") +
                                   " passed");
  const std::size_t from = failed.size() - std::min(failed.size(), kFailuresNamed);
  for (std::size_t i = from; i < failed.size(); ++i) {
    const auto& [first, count] = failed[i];
    pairs.emplace_back("", "✘ at " + proto::format_elapsed_ms(first->at_ms()) + ": " +
                               visible(first->text()) +
                               (count > 1 ? ", " + std::to_string(count) + " times" : ""));
  }
}

void add_console(const FlightRecord& record, std::vector<std::string>& lines) {
  std::vector<std::string> console = split(record.console(), '\n');
  std::erase_if(console, [](const std::string& line) { return line.empty() || line == "\r"; });
  if (console.empty()) return;
  const std::size_t from = console.size() - std::min(console.size(), kConsoleLinesShown);
  lines.push_back("  console   last " + count_text(console.size() - from, "line"));
  for (std::size_t i = from; i < console.size(); ++i) {
    if (console[i].ends_with('\r')) console[i].pop_back();
    lines.push_back("            | " + visible(console[i]));
  }
}

// One fault of one release.
struct Fault {
  const Flight* newest = nullptr;
  std::vector<const Flight*> others;
};

std::vector<Fault> faults_of(const FlightList& list) {
  std::vector<Fault> faults;
  std::map<std::pair<std::string, std::uint64_t>, std::size_t> places;
  for (const Flight& flight : list.flights()) {
    const auto key =
        std::make_pair(flight.record().why().fingerprint(), flight.record().release());
    const auto [place, is_new] = places.emplace(key, faults.size());
    if (is_new) {
      faults.push_back({&flight, {}});
    } else {
      faults[place->second].others.push_back(&flight);
    }
  }
  return faults;
}

void add_fault(const Fault& fault, std::uint64_t devices, std::uint64_t now_ms,
               std::vector<std::string>& lines) {
  const Flight& flight = *fault.newest;
  const FlightRecord& record = flight.record();
  lines.push_back(visible(record.app()) + " " + std::to_string(record.release()) + ": " +
                  reason_text(record.why()));
  Pairs pairs;
  pairs.emplace_back("fault", visible(record.why().fingerprint()) +
                                  (devices > 1 ? ", the same fault on " +
                                                     count_text(devices, "device")
                                               : ", on this device alone"));
  pairs.emplace_back("device", visible(flight.device()) + ", " + when_text(flight, now_ms));
  if (!record.instance().empty()) {
    pairs.emplace_back("guest", "slot " + visible(record.slot()) + ", " +
                                    visible(record.monitor()) + " " +
                                    how_it_ran(record.why(), nullptr));
  }
  if (!record.why().exit().empty()) pairs.emplace_back("exit", visible(record.why().exit()));
  pairs.emplace_back("outcome", outcome_text(record));
  add_trap(record, pairs);
  add_health(record, pairs);
  for (const auto& [label, text] : pairs) lines.push_back("  " + pad(label, 10) + text);
  add_console(record, lines);
  for (std::size_t i = 0; i < fault.others.size(); ++i) {
    lines.push_back(std::string(i == 0 ? "  also on   " : "            ") +
                    visible(fault.others[i]->device()) + ", " +
                    when_text(*fault.others[i], now_ms) + ", " +
                    proto::word_of(fault.others[i]->record().outcome()));
  }
}

}  // namespace

std::vector<std::string> flight_lines(const FlightList& list, std::uint64_t now_ms) {
  std::map<std::string, std::uint64_t> devices;
  for (const auto& one : list.faults()) devices[one.fingerprint()] = one.devices();
  std::vector<std::string> lines;
  for (const Fault& fault : faults_of(list)) {
    if (!lines.empty()) lines.emplace_back();
    add_fault(fault, devices[fault.newest->record().why().fingerprint()], now_ms, lines);
  }
  if (list.kept() > static_cast<std::uint32_t>(list.flights_size())) {
    lines.push_back("the newest " + std::to_string(list.flights_size()) + " of " +
                    count_text(list.kept(), "record") + "; --last N shows more");
  }
  return lines;
}

CommandResult show_flights(Program& program, const FlightOptions& options) {
  TRY(const Connection connection, connect(program));
  TRY(const FlightList list, connection.api->flights(options.app, options.device,
                                                     options.release, options.last));
  if (program.json) {
    program.print_json(list);
    return ExitCode::ok;
  }
  if (list.flights().empty()) {
    program.terminal.line("no flight record of " + options.app +
                          (options.device.empty() ? "" : " on " + options.device) +
                          (options.release == 0 ? "" : ", release " +
                                                           std::to_string(options.release)) +
                          ": one is made when a guest fails");
    return ExitCode::ok;
  }
  program.terminal.lines(flight_lines(list, now_ms()));
  return ExitCode::ok;
}

}  // namespace fleetctl
