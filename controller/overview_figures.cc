// The fleet in figures: what `fleetctl status` shows. One walk over the summaries in memory.
#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "controller/metrics.h"
#include "controller/overview.h"

namespace controller {
namespace {

// Sorted by harm.
constexpr std::array kKinds = {"app",         "ahead",    "audit", "offline",
                               "certificate", "metadata", "memory"};

std::size_t rank(std::string_view kind) {
  return static_cast<std::size_t>(std::find(kKinds.begin(), kKinds.end(), kind) - kKinds.begin());
}

// in/out of_last: the count of the device before, which most share
void add_agent(std::map<std::string, v1::AgentCount>& agents, const v1::DeviceSummary& device,
               v1::AgentCount*& of_last) {
  const std::string& version = device.agent_version();
  if (version.empty()) return;
  if (of_last == nullptr || of_last->version() != version) {
    of_last = &agents[version];
    of_last->set_version(version);
  }
  v1::AgentCount& count = *of_last;
  count.set_devices(count.devices() + 1);
  if (count.device().empty() || device.name() < count.device()) count.set_device(device.name());
}

}  // namespace

struct Overview::Troubles {
  using Key = std::tuple<std::size_t, std::string, v1::DeviceState>;  // rank of its kind, app
  std::map<Key, std::vector<const std::string*>> devices;             // their names
  std::uint64_t certificates_due_ms = 0;  // one that ends before should have been renewed
  std::uint32_t needing = 0;
};

void Overview::add_troubles(const std::string& id, const Entry& entry, Troubles& out) const {
  const v1::DeviceSummary& device = entry.summary;
  bool any = false;
  const auto add = [&](const char* kind, const std::string& app, v1::DeviceState state) {
    out.devices[{rank(kind), app, state}].push_back(&device.name());
    any = true;
  };
  for (const v1::AppSummary& app : device.apps()) {
    const bool bad = app.state() == v1::FAILED || app.state() == v1::HELD;
    if (bad) add("app", app.app(), app.state());
  }
  const bool online = fleet_.is_online(id);
  const std::uint64_t until_ms = entry.certificate_until_ms;
  const std::uint64_t free_bytes = device.memory_free_bytes();
  if (entry.ahead_ms != 0) add("ahead", "", {});
  if (entry.audit_strange) add("audit", "", {});
  if (!online) add("offline", "", {});
  if (until_ms != 0 && until_ms < out.certificates_due_ms) add("certificate", "", {});
  if (online && entry.takes_nothing_new) add("metadata", "", {});
  if (online && free_bytes != 0 && free_bytes < kLowMemoryBytes) add("memory", "", {});
  if (any) ++out.needing;
}

v1::CertificateFigures Overview::certificates(const Groups& groups) const {
  v1::CertificateFigures out;
  const auto due_ms = static_cast<std::uint64_t>(fleet_.wall_ms() + kCertificateCareMs);
  for (const auto& [id, entry] : devices_) {
    const std::uint64_t until_ms = entry.certificate_until_ms;
    if (until_ms == 0 || !is_within(groups, entry.subject)) continue;
    if (until_ms < due_ms) out.set_ending(out.ending() + 1);
    const std::uint64_t first_ms = out.first_until_ms();
    out.set_first_until_ms(first_ms == 0 ? until_ms : std::min(first_ms, until_ms));
  }
  return out;
}

Result<v1::ServerStatus> Overview::figures(const Groups& groups) {
  TRY_VOID(refresh());
  v1::ServerStatus out;
  Troubles troubles;
  troubles.certificates_due_ms =
      static_cast<std::uint64_t>(fleet_.wall_ms() + kCertificateCareMs);
  std::map<std::string, v1::AgentCount> agents;
  v1::AgentCount* agent = nullptr;
  std::uint32_t online = 0;
  std::uint32_t updating = 0;
  for (const auto& [id, entry] : devices_) {
    if (!is_within(groups, entry.subject)) continue;
    out.set_devices(out.devices() + 1);
    if (fleet_.is_online(id)) ++online;
    if (entry.summary.state() == "updating") ++updating;
    if (entry.audit_strange) out.add_audit_strange(entry.summary.name());
    add_agent(agents, entry.summary, agent);
    add_troubles(id, entry, troubles);
  }
  out.set_online(online);
  out.set_updating(updating);
  out.set_needing(troubles.needing);
  std::sort(out.mutable_audit_strange()->begin(), out.mutable_audit_strange()->end());
  for (auto& [key, names] : troubles.devices) {
    v1::DeviceTrouble& trouble = *out.add_troubles();
    trouble.set_kind(kKinds[std::get<0>(key)]);
    trouble.set_app(std::get<1>(key));
    trouble.set_state(std::get<2>(key));
    trouble.set_devices(static_cast<std::uint32_t>(names.size()));
    if (names.size() > kTroubledNamed) continue;
    std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
    for (const std::string* name : names) trouble.add_named()->set_name(*name);
  }
  for (auto& [version, count] : agents) *out.add_agents() = std::move(count);
  *out.mutable_certificates() = certificates(groups);
  return out;
}

Result<Overview::Running> Overview::running(const Groups& groups) {
  TRY_VOID(refresh());
  Running running;
  for (const auto& [id, entry] : devices_) {
    if (!is_within(groups, entry.subject)) continue;
    for (const v1::AppSummary& app : entry.summary.apps()) {
      if (app.release() != 0) ++running[app.app()][app.release()];
    }
  }
  return running;
}

}  // namespace controller
