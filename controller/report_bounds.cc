#include "controller/report_bounds.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>

#include "controller/enrolment.h"
#include "proto/limits.h"

namespace controller {
namespace {

namespace v1 = fleet::v1;

constexpr std::string_view kIdCharacters = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::uint64_t kMaxRelease = std::uint64_t{1} << 53;
constexpr std::size_t kFingerprintDigits = 8;

void cut(std::string& text, std::size_t size_bytes) {
  if (text.size() <= size_bytes) return;
  // Not in the middle of a character: what is stored is UTF-8.
  while (size_bytes > 0 && (static_cast<unsigned char>(text[size_bytes]) & 0xc0) == 0x80) {
    --size_bytes;
  }
  text.resize(size_bytes);
}

template <typename List>
void cut_list(List& list, int count) {
  if (list.size() > count) list.DeleteSubrange(count, list.size() - count);
}

void bound_reason(v1::Reason& why) {
  cut(*why.mutable_text(), 512);
  cut(*why.mutable_fingerprint(), 16);
  cut(*why.mutable_exit(), 64);
  cut_list(*why.mutable_console_tail(), 20);
  for (std::string& line : *why.mutable_console_tail()) cut(line, 512);
}

void bound_instance(v1::InstanceStatus& instance) {
  cut(*instance.mutable_monitor(), 64);
  cut(*instance.mutable_address(), 64);
  cut(*instance.mutable_id(), 64);
}

void bound_status(v1::AppStatus& status) {
  cut(*status.mutable_app(), proto::kMaxNameLength);
  cut(*status.mutable_live_slot(), 8);
  cut_list(*status.mutable_ports(), static_cast<int>(proto::kMaxPublishedPorts));
  for (std::string& port : *status.mutable_ports()) cut(port, 64);
  cut_list(*status.mutable_volumes(), 2 * static_cast<int>(proto::kMaxVolumes));
  for (v1::VolumeStatus& volume : *status.mutable_volumes()) {
    cut(*volume.mutable_name(), proto::kMaxNameLength);
    cut(*volume.mutable_sync(), 16);
  }
  if (status.a().has_why()) bound_reason(*status.mutable_a()->mutable_why());
  if (status.b().has_why()) bound_reason(*status.mutable_b()->mutable_why());
  if (status.has_instance()) bound_instance(*status.mutable_instance());
  if (status.has_spare()) bound_instance(*status.mutable_spare());
}

bool is_bounded(const v1::Trap& trap) {
  constexpr std::size_t kNumberBytes = proto::kTrapDigits + 2;
  return trap.kind().size() <= proto::kTrapKindBytes && trap.pc().size() <= kNumberBytes &&
         trap.address().size() <= kNumberBytes &&
         trap.registers_size() <= static_cast<int>(proto::kTrapRegisters) &&
         std::all_of(trap.registers().begin(), trap.registers().end(), [](const auto& one) {
           return one.first.size() <= proto::kTrapNameBytes && one.second.size() <= kNumberBytes;
         });
}

proto::Error bad(const std::string& field) {
  return {proto::Code::bad_argument, "a flight record's " + field + " is not of its form", field};
}

proto::Error too_large(const std::string& field) {
  return {proto::Code::too_large, "a flight record's " + field + " is too large", field};
}

}  // namespace

void bound_report(v1::Report& report) {
  cut(*report.mutable_app(), proto::kMaxNameLength);
  cut(*report.mutable_attempt(), 32);
  cut(*report.mutable_detail(), 256);
  cut_list(*report.mutable_steps(), 32);
  for (v1::StepTime& step : *report.mutable_steps()) cut(*step.mutable_step(), 32);
  if (report.has_why()) bound_reason(*report.mutable_why());
  if (report.has_status()) bound_status(*report.mutable_status());
}

proto::Status check_flight(const v1::FlightRecord& record) {
  if (record.ByteSizeLong() > proto::kFlightRecordBytes) return too_large("size");
  const auto is_of = [](std::string_view text, std::size_t size, std::string_view characters) {
    return text.size() == size &&
           text.find_first_not_of(characters) == std::string_view::npos;
  };
  if (!is_of(record.id(), proto::kIdLength, kIdCharacters)) return bad("id");
  if (!is_name(record.app())) return bad("app");
  if (record.release() == 0 || record.release() > kMaxRelease) return bad("release");
  if (record.attempt().size() > 32) return too_large("attempt");
  if (record.slot().size() > 1) return too_large("slot");
  if (record.instance().size() > 64) return too_large("instance");
  if (record.monitor().size() > 64) return too_large("monitor");
  const bool known = v1::FlightOutcome_IsValid(record.outcome()) &&
                     record.outcome() != v1::FLIGHT_OUTCOME_UNSPECIFIED;
  if (!known) return bad("outcome");
  if (record.count() == 0) return bad("count");
  if (!is_of(record.why().fingerprint(), kFingerprintDigits, "0123456789abcdef")) {
    return bad("why.fingerprint");
  }
  v1::Reason bounded = record.why();
  bound_reason(bounded);
  if (bounded.ByteSizeLong() != record.why().ByteSizeLong()) return too_large("why");
  if (!is_bounded(record.trap())) return too_large("trap");
  if (record.probes_size() > static_cast<int>(proto::kFlightProbes)) return too_large("probes");
  for (const v1::ProbeTick& probe : record.probes()) {
    if (probe.text().size() > proto::kFlightProbeTextBytes) return too_large("probes.text");
  }
  if (record.console().size() > proto::kFlightConsoleBytes) return too_large("console");
  return {};
}

bool is_bounded(const v1::Telemetry& facts) {
  return facts.ByteSizeLong() <= kMaxFactsBytes &&
         facts.apps_size() <= static_cast<int>(proto::kMaxAppsPerDevice);
}

std::size_t lasting_print(v1::Telemetry facts) {
  v1::Inventory& inventory = *facts.mutable_inventory();
  inventory.clear_memory_free_bytes();
  inventory.clear_disk_free_bytes();
  inventory.clear_uptime_ms();
  const auto clear = [](v1::InstanceStatus& instance) {
    instance.clear_up_ms();
    instance.clear_memory_bytes();
    instance.clear_cpu_permille();
  };
  for (v1::AppStatus& app : *facts.mutable_apps()) {
    if (app.has_instance()) clear(*app.mutable_instance());
    if (app.has_spare()) clear(*app.mutable_spare());
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);  // labels are a map
    facts.SerializeToCodedStream(&out);
  }
  return std::hash<std::string>()(bytes);
}

}  // namespace controller
