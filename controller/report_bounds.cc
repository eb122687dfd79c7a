#include "controller/report_bounds.h"

#include <string>

#include "proto/limits.h"

namespace controller {
namespace {

namespace v1 = fleet::v1;

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

void bound_status(v1::AppStatus& status) {
  cut(*status.mutable_app(), proto::kMaxNameLength);
  cut(*status.mutable_live_slot(), 8);
  cut_list(*status.mutable_ports(), static_cast<int>(proto::kMaxPublishedPorts));
  for (std::string& port : *status.mutable_ports()) cut(port, 64);
  if (status.a().has_why()) bound_reason(*status.mutable_a()->mutable_why());
  if (status.b().has_why()) bound_reason(*status.mutable_b()->mutable_why());
  if (!status.has_instance()) return;
  cut(*status.mutable_instance()->mutable_monitor(), 64);
  cut(*status.mutable_instance()->mutable_address(), 64);
  cut(*status.mutable_instance()->mutable_id(), 64);
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

bool is_bounded(const v1::Telemetry& facts) {
  return facts.ByteSizeLong() <= kMaxFactsBytes &&
         facts.apps_size() <= static_cast<int>(proto::kMaxAppsPerDevice);
}

}  // namespace controller
