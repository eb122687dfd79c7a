#include "agent/tenders/exit_report.h"

namespace tenders {
namespace {

void add_string(Text& json, std::string_view text) {
  json.add("\"");
  for (const char c : text) {
    if (c == '"' || c == '\\') json.add("\\");
    json.add(Foreign{std::string_view(&c, 1)});
  }
  json.add("\"");
}

void add_trap(Text& json, const Trap& trap) {
  json.add(",\"trap\":{\"kind\":");
  add_string(json, trap.kind);
  if (trap.pc) json.add_all(",\"pc\":\"", Hex{*trap.pc}, "\"");
  if (trap.address) json.add_all(",\"address\":\"", Hex{*trap.address}, "\"");
  if (trap.register_count > 0) json.add(",\"registers\":{");
  for (std::size_t i = 0; i < trap.register_count; ++i) {
    const TrapRegister& one = trap.registers[i];
    json.add_all(i == 0 ? "\"" : ",\"", one.name, "\":\"", Hex{one.value}, "\"");
  }
  json.add(trap.register_count > 0 ? "}}" : "}");
}

}  // namespace

Text to_json(const ExitReport& report) {
  constexpr std::size_t kMostWords = 400;  // so that the line is never cut in its middle
  Text json;
  json.add("{\"monitor\":");
  add_string(json, report.monitor);
  json.add(",\"reason\":");
  add_string(json, proto::name_of(report.reason));
  json.add_all(",\"status\":", report.status, ",\"signal\":", report.signal, ",\"what\":");
  const std::size_t size = report.what.size() < kMostWords ? report.what.size() : kMostWords;
  add_string(json, std::string_view(report.what.data(), size));
  if (!report.trap.kind.empty()) add_trap(json, report.trap);
  json.add("}\n");
  return json;
}

}  // namespace tenders
