#include "agent/monitors/probe_record.h"

#include <span>
#include <string_view>

#include "ota/json.h"
#include "proto/limits.h"

namespace monitors {
namespace {

using ota::Json;

constexpr std::size_t kMaxRecordBytes = 64 * proto::kKiB;

Json to_json(const ProbeTime& time) {
  return Json::object({{"boot", time.boot_id},
                       {"launcher", static_cast<std::int64_t>(time.launcher_start_ms)},
                       {"agent", time.agent_version},
                       {"host_has", time.host_has}});
}

Json to_json(const ProbeResult& result) {
  return Json::object({{"monitor", result.monitor},
                       {"kvm", result.kvm},
                       {"usable", result.usable},
                       {"elapsed_ms", static_cast<std::int64_t>(result.elapsed_ms)},
                       {"evidence", result.evidence}});
}

std::optional<ProbeResult> result_of(const Json& json) {
  const Json* monitor = json.find("monitor");
  const Json* kvm = json.find("kvm");
  const Json* usable = json.find("usable");
  const Json* elapsed = json.find("elapsed_ms");
  const Json* evidence = json.find("evidence");
  const bool whole = monitor != nullptr && monitor->is_string() && kvm != nullptr &&
                     kvm->is_bool() && usable != nullptr && usable->is_bool() &&
                     elapsed != nullptr && elapsed->is_integer() && evidence != nullptr &&
                     evidence->is_string();
  if (!whole) return std::nullopt;
  return ProbeResult{monitor->as_string(), kvm->as_bool(), usable->as_bool(),
                     static_cast<std::uint32_t>(elapsed->as_integer()), evidence->as_string()};
}

}  // namespace

std::string host_has(const agent::LauncherInfo& info) {
  std::string words;
  const auto add = [&words](bool there, std::string_view word) {
    if (!there) return;
    if (!words.empty()) words += ' ';
    words += word;
  };
  add(info.kvm_allowed, "kvm");
  add(info.qemu_present, "qemu");
  add(info.spt_present, "spt");
  add(info.hvt_present, "hvt");
  return words;
}

std::optional<std::vector<ProbeResult>> read_probe_record(ota::Disk& disk, const ProbeTime& time) {
  const auto bytes = disk.read_file(kProbeRecord, kMaxRecordBytes);
  if (!bytes) return std::nullopt;
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  const auto json = ota::parse_json(text);
  if (!json) return std::nullopt;
  const Json* seen = json->find("time");
  const Json* list = json->find("monitors");
  if (seen == nullptr || *seen != to_json(time) || list == nullptr || !list->is_array()) {
    return std::nullopt;
  }
  std::vector<ProbeResult> results;
  for (const Json& one : list->as_array()) {
    const auto result = result_of(one);
    if (!result) return std::nullopt;
    results.push_back(*result);
  }
  return results;
}

proto::Status write_probe_record(ota::Disk& disk, const ProbeTime& time,
                                 const std::vector<ProbeResult>& results) {
  Json list = Json::array();
  for (const ProbeResult& result : results) list.push_back(to_json(result));
  const std::string text =
      ota::pretty_json(Json::object({{"time", to_json(time)}, {"monitors", std::move(list)}}));
  return disk.replace_file(kProbeRecord, std::as_bytes(std::span(text)));
}

}  // namespace monitors
