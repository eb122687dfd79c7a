// The tenders' argument lists, and what their exit reports mean.
#include "agent/monitors/tender.h"

#include <sys/wait.h>

#include <algorithm>

#include "agent/monitors/config_volume.h"
#include "agent/monitors/trap.h"
#include "ota/json.h"
#include "proto/limits.h"

namespace monitors {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr char kConfigDevice[] = "config";

std::string descriptor(int number) { return "@" + std::to_string(number); }

/// The manifest's interface for each net device of the image: that of its name, else the next.
Result<std::vector<const GuestInterface*>> match_interfaces(const Launch& launch) {
  std::vector<const GuestInterface*> left;
  for (const GuestInterface& one : launch.config.interfaces) left.push_back(&one);
  std::vector<const GuestInterface*> matched;
  std::string declared;
  for (const DeviceNeed& need : launch.image.devices) {
    if (!need.is_net) continue;
    declared += (declared.empty() ? "" : ", ") + need.name;
    auto found = std::find_if(left.begin(), left.end(), [&need](const GuestInterface* one) {
      return one->name == need.name;
    });
    if (found == left.end()) found = left.begin();
    if (found == left.end()) {
      return Error{Code::bad_argument,
                   "network: the image wants a net device " + need.name +
                       " and the manifest has no interface for it",
                   launch.app};
    }
    matched.push_back(*found);
    left.erase(found);
  }
  if (left.empty()) return matched;
  return Error{Code::bad_argument,
               "network: " + left.front()->name + ": the image has no net device for it" +
                   (declared.empty() ? "" : "; it declares " + declared),
               launch.app};
}

Status add_interfaces(const Launch& launch, agent::StartRequest& request) {
  TRY(const std::vector<const GuestInterface*> matched, match_interfaces(launch));
  auto next = matched.begin();
  for (const DeviceNeed& need : launch.image.devices) {
    if (!need.is_net) continue;
    const GuestInterface& from = **next++;
    const int number = lend_interface(from, launch.config, request);
    request.arguments.push_back("--net:" + need.name + "=" + descriptor(number));
    request.arguments.push_back("--net-mac:" + need.name + "=" + to_string(from.mac));
    if (from.mtu != 0 && from.serial.empty()) {
      request.arguments.push_back("--net-mtu:" + need.name + "=" + std::to_string(from.mtu));
    }
  }
  return {};
}

bool is_config(const Launch& launch, const DeviceNeed& need) {
  return launch.image.family == Family::fleet && need.name == kConfigDevice;
}

Status add_config(const Launch& launch, agent::StartRequest& request) {
  for (const DeviceNeed& need : launch.image.devices) {
    if (need.is_net || !is_config(launch, need)) continue;
    TRY(const std::string volume, config_volume(launch.config));
    TRY(agent::Fd file, memory_file("config", volume));
    const int number = agent::kFirstFileFd + static_cast<int>(request.files.size());
    request.files.push_back(std::move(file));
    request.arguments.push_back("--block:" + need.name + "=" + descriptor(number));
  }
  return {};
}

/// Block devices and volumes are matched by name, one to one. Called when all files are there:
/// volumes lie behind them.
Status add_volumes(Launch& launch, agent::StartRequest& request) {
  std::string declared;
  for (const DeviceNeed& need : launch.image.devices) {
    if (need.is_net || is_config(launch, need)) continue;
    declared += (declared.empty() ? "" : ", ") + need.name;
    const auto found = std::find_if(launch.volumes.begin(), launch.volumes.end(),
                                    [&need](const Volume& one) { return one.name == need.name; });
    if (found == launch.volumes.end()) {
      return Error{Code::bad_argument,
                   "volumes: the image wants a block device " + need.name +
                       " and the manifest has no volume of that name",
                   launch.app};
    }
    const std::size_t index = request.files.size() + request.volumes.size();
    request.arguments.push_back("--block:" + need.name + "=" +
                                descriptor(agent::kFirstFileFd + static_cast<int>(index)));
    if (found->sync == Sync::always) {
      request.arguments.push_back("--block-sync:" + need.name + "=always");
    }
    request.volumes.push_back(std::move(found->file));
    launch.volumes.erase(found);
  }
  if (launch.volumes.empty()) return {};
  return Error{Code::bad_argument,
               "volumes: " + launch.volumes.front().name +
                   ": the image has no block device for it" +
                   (declared.empty() ? "" : "; it declares " + declared),
               launch.app};
}

/// The dialect of MirageOS (FORMATS 1d), whose unikernels are the foreign ones that tenders run.
Status add_foreign_words(const Launch& launch, std::vector<std::string>& words) {
  const GuestConfig& config = launch.config;
  if (!config.files.empty() || !config.env.empty()) {
    return Error{Code::not_supported,
                 std::string(config.env.empty() ? "files" : "env") +
                     ": a Solo5 unikernel is told by args alone",
                 launch.app};
  }
  for (const GuestInterface& interface : config.interfaces) {
    if (!interface.dhcp && interface.address6.is_none()) continue;
    return Error{Code::not_supported,
                 "network: a Solo5 unikernel of others is told an IPv4 address and nothing else; "
                 "write auto or A.B.C.D/N",
                 launch.app};
  }
  if (!config.interfaces.empty() && config.interfaces.front().address.value != 0) {
    const GuestInterface& first = config.interfaces.front();
    words.push_back("--ipv4=" + to_string(first.address) + "/" + std::to_string(first.prefix));
    if (first.gateway.value != 0) words.push_back("--ipv4-gateway=" + to_string(first.gateway));
  }
  words.insert(words.end(), config.args.begin(), config.args.end());
  return {};
}

/// The code of that name among those with which a guest can end.
Code end_code(std::string_view name) {
  for (const Code code : {Code::guest_exit, Code::guest_abort, Code::killed_by_limit,
                          Code::ordered}) {
    if (proto::name_of(code) == name) return code;
  }
  return Code::monitor_fault;
}

}  // namespace

agent::StartRequest tender_request(Target target, agent::Fd image, std::uint64_t memory_mib) {
  agent::StartRequest request;
  request.program = target == Target::spt ? agent::Program::spt : agent::Program::hvt;
  request.kvm = target == Target::hvt;
  request.arguments = {"--mem=" + std::to_string(memory_mib),
                       "--exit-report=" + descriptor(agent::kExitReportFd)};
  if (request.kvm) request.arguments.push_back("--kvm=" + descriptor(agent::kKvmFd));
  request.files.push_back(std::move(image));
  request.memory_max_mib = static_cast<std::uint32_t>(memory_mib) + kTenderOverheadMib;
  return request;
}

Status TenderMonitor::can_run(const ImageFacts& image) const {
  const Boot wanted = target_ == Target::spt ? Boot::spt : Boot::hvt;
  if (image.boot != wanted) {
    return Error{Code::no_monitor,
                 std::string(name()) + " cannot run this image: it is no Solo5 " +
                     std::string(name()) + " image",
                 ""};
  }
  if (image.family == Family::fleet || image.family_name == "Solo5") return {};
  return Error{Code::no_monitor,
               std::string(name()) + " cannot run this image: " + image.family_name +
                   " is not supported yet (no table for its configuration)",
               ""};
}

Result<agent::StartRequest> TenderMonitor::command(Launch launch) const {
  TRY_VOID(can_run(launch.image));
  const std::uint64_t memory_mib = (launch.memory_bytes + proto::kMiB - 1) / proto::kMiB;
  if (memory_mib < 2 || memory_mib > 1024 * 1024) {
    return Error{Code::bad_argument, "memory: 2M to 1024G", launch.app};
  }
  if (launch.cpus != 1) {
    return Error{Code::bad_argument, "cpus: a Solo5 unikernel runs on one CPU", launch.app};
  }
  agent::StartRequest request = tender_request(target_, std::move(launch.kernel), memory_mib);
  request.id = launch.instance_id;
  request.tag = launch.tag;
  TRY_VOID(add_interfaces(launch, request));
  TRY_VOID(add_config(launch, request));
  TRY_VOID(add_volumes(launch, request));
  request.arguments.insert(request.arguments.end(), {"--", descriptor(agent::kFirstFileFd)});
  if (launch.image.family != Family::fleet) {
    TRY_VOID(add_foreign_words(launch, request.arguments));
  }
  request.egress = std::move(launch.egress);
  request.cpu_percent = launch.cpu_percent;
  request.ports_down = launch.ports_down;
  return request;
}

ExitReason TenderMonitor::classify_exit(const agent::Instance& ended, std::string_view,
                                        std::string_view report) const {
  if (ended.stop_asked) return {Code::ordered, 0, "stopped on order" + after(ended)};
  if (ended.limit) {
    return {Code::killed_by_limit, 0, "killed by a limit of memory or CPU" + after(ended)};
  }
  const auto said = ota::parse_json(report);
  const ota::Json* reason = said ? said->find("reason") : nullptr;
  const ota::Json* what = said ? said->find("what") : nullptr;
  const ota::Json* status = said ? said->find("status") : nullptr;
  if (reason == nullptr || !reason->is_string() || what == nullptr || !what->is_string() ||
      status == nullptr || !status->is_integer()) {
    const bool signalled = WIFSIGNALED(ended.wait_status);
    const int number = signalled ? WTERMSIG(ended.wait_status) : WEXITSTATUS(ended.wait_status);
    return {Code::monitor_fault, 0,
            "fleet-" + std::string(name()) + (signalled ? " was killed by signal "
                                                        : " ended without a report, status ") +
                std::to_string(number) + after(ended)};
  }
  return {end_code(reason->as_string()), static_cast<int>(status->as_integer()),
          what->as_string() + after(ended), read_trap(*said)};
}

}  // namespace monitors
