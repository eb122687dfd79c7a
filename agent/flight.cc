#include "agent/flight.h"

#include <algorithm>
#include <utility>

#include "agent/fault.h"
#include "proto/limits.h"

namespace agent {
namespace {

using proto::Code;

// A report's sentence may hold words of the guest's own.
constexpr std::size_t kTextBytes = 512;

std::string bounded(std::string_view text) {
  return text.size() <= kTextBytes ? std::string(text) : visible(text, kTextBytes);
}

void fill_reason(const FlightFacts& facts, Code code, std::string_view text,
                 fleet::v1::Reason& why) {
  for (std::string& line : console_tail(facts.console)) why.add_console_tail(std::move(line));
  if (facts.exit) {
    if (code == Code::unset) code = facts.exit->code;
    if (text.empty()) text = facts.exit->what;
    why.set_exit(facts.exit->code == Code::guest_exit
                     ? "guest exit " + std::to_string(facts.exit->status)
                     : std::string(proto::name_of(facts.exit->code)));
  }
  if (facts.guest.lost && code == Code::unset) {
    code = Code::launcher;
    text = "fleet-launcher ended and took the guest along; see journalctl -u fleet-launcher";
  }
  if (code == Code::unset) code = Code::monitor_fault;
  why.set_code(static_cast<fleet::v1::Code>(code));
  why.set_text(bounded(text));
  if (facts.judge != nullptr) {
    why.set_probes_passed(facts.judge->passed());
    why.set_probes_total(facts.judge->total());
  }
  why.set_up_ms(facts.up_ms);
  why.set_memory_bytes(facts.guest.last.rss_bytes);
  why.set_restarts(facts.restarts);
}

void fill_probes(const HealthJudge& judge, fleet::v1::FlightRecord& record) {
  for (const ProbeResult& probe : judge.trace()) {
    fleet::v1::ProbeTick* tick = record.add_probes();
    tick->set_at_ms(probe.at_ms);
    tick->set_took_ms(probe.took_ms);
    tick->set_passed(probe.passed);
    if (!probe.passed) tick->set_text(visible(probe.text, proto::kFlightProbeTextBytes));
  }
}

}  // namespace

fleet::v1::FlightRecord build_flight(const FlightFacts& facts, Code code, std::string_view text) {
  fleet::v1::FlightRecord record;
  record.set_app(std::string(facts.app));
  record.set_release(facts.guest.release);
  record.set_attempt(facts.guest.attempt);
  record.set_slot(ota::name_of(facts.guest.slot));
  record.set_instance(facts.guest.id);
  record.set_monitor(facts.guest.monitor);
  if (facts.exit) {
    record.set_exit_status(facts.exit->status);
    if (facts.exit->trap) *record.mutable_trap() = *facts.exit->trap;
  }
  fill_reason(facts, code, text, *record.mutable_why());
  record.mutable_why()->set_fingerprint(fingerprint(record.why(), record.trap().pc()));
  if (facts.judge != nullptr) fill_probes(*facts.judge, record);
  const std::string_view console = facts.console;
  const std::size_t left_out =
      console.size() - std::min(console.size(), proto::kFlightConsoleBytes);
  record.set_console(std::string(console.substr(left_out)));
  const std::uint64_t end =
      std::max<std::uint64_t>(facts.guest.last.console_bytes, console.size());
  record.set_console_offset(end - record.console().size());
  record.set_first_ms(facts.wall_ms);
  record.set_last_ms(facts.wall_ms);
  FLEET_ASSERT(record.ByteSizeLong() <= proto::kFlightRecordBytes);
  return record;
}

fleet::v1::FlightRecord flight_without_guest(const fleet::v1::DesiredApp& wish,
                                             const proto::Error& error, std::uint64_t wall_ms) {
  fleet::v1::FlightRecord record;
  record.set_app(wish.app());
  record.set_release(wish.release());
  record.set_attempt(wish.attempt());
  fleet::v1::Reason& why = *record.mutable_why();
  why.set_code(static_cast<fleet::v1::Code>(error.code));
  why.set_text(bounded(error.what));
  // There is no console: the sentence tells one fault from another.
  fleet::v1::Reason told = why;
  told.add_console_tail(why.text());
  why.set_fingerprint(fingerprint(told, ""));
  record.set_first_ms(wall_ms);
  record.set_last_ms(wall_ms);
  return record;
}

}  // namespace agent
