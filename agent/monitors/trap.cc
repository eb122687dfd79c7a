#include "agent/monitors/trap.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "proto/limits.h"

namespace monitors {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) {
  if (!text.starts_with("0x")) return false;
  text.remove_prefix(2);
  return !text.empty() && text.size() <= proto::kTrapDigits &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_register(std::string_view name) {
  return !name.empty() && name.size() <= proto::kTrapNameBytes &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '_'; });
}

// The member's number; "" if there is none.
std::string number(const ota::Json& of, std::string_view member) {
  const ota::Json* value = of.find(member);
  const bool good = value != nullptr && value->is_string() && is_number(value->as_string());
  return good ? value->as_string() : std::string();
}

}  // namespace

std::optional<fleet::v1::Trap> read_trap(const ota::Json& report) {
  const ota::Json* said = report.find("trap");
  const ota::Json* kind = said != nullptr ? said->find("kind") : nullptr;
  if (kind == nullptr || !kind->is_string() || kind->as_string().empty()) return std::nullopt;
  fleet::v1::Trap trap;
  for (const char c : std::string_view(kind->as_string()).substr(0, proto::kTrapKindBytes)) {
    *trap.mutable_kind() += c >= 0x20 && c < 0x7f ? c : '?';
  }
  trap.set_pc(number(*said, "pc"));
  trap.set_address(number(*said, "address"));
  const ota::Json* registers = said->find("registers");
  if (registers == nullptr || !registers->is_object()) return trap;
  for (const ota::Json::Member& one : registers->as_object()) {
    if (trap.registers_size() >= static_cast<int>(proto::kTrapRegisters)) break;
    const bool good = is_register(one.key) && one.value.is_string() &&
                      is_number(one.value.as_string());
    if (good) (*trap.mutable_registers())[one.key] = one.value.as_string();
  }
  return trap;
}

}  // namespace monitors
