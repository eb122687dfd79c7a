#include "deploy/fleetctl/rollout_view.h"

#include <algorithm>
#include <set>

#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/wave_view.h"
#include "proto/document.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::Rollout;
using fleet::v1::RolloutDevice;

std::uint64_t elapsed_ms(std::uint64_t from_ms, std::uint64_t to_ms, std::uint64_t now_ms) {
  if (from_ms == 0) return 0;
  const std::uint64_t end = to_ms != 0 ? to_ms : now_ms;
  return end > from_ms ? end - from_ms : 0;
}

bool waits_for_wave(const Rollout& rollout, const RolloutDevice& device) {
  return device.state() == fleet::v1::WAITING && !device.let_in() && rollout.waves_size() > 1;
}

// Of a rollout that stages only: for others it is no end.
bool is_staged_only(const RolloutDevice& device) {
  return device.state() == fleet::v1::STAGED && device.ended_ms() != 0;
}

// What is told of the whole rollout between its start and its end.
bool is_course(const fleet::v1::Event& event) {
  for (const char* kind : {"rollout.wave_ended", "rollout.wave_opened", "rollout.paused",
                           "rollout.resumed", "rollout.halted", "rollout.retried"}) {
    if (event.kind() == kind) return true;
  }
  return false;
}

}  // namespace

bool device_succeeded(const RolloutDevice& device) {
  return device.state() == fleet::v1::HEALTHY || device.state() == fleet::v1::STOPPED ||
         device.state() == fleet::v1::REMOVED || is_staged_only(device);
}

bool device_ended(const RolloutDevice& device) {
  return device_succeeded(device) || device.state() == fleet::v1::REVERTED ||
         device.state() == fleet::v1::FAILED || device.state() == fleet::v1::SUPERSEDED;
}

std::string mark_of(const RolloutDevice& device) {
  if (device_succeeded(device)) return "✔";
  if (device.state() == fleet::v1::REVERTED || device.state() == fleet::v1::FAILED) return "✘";
  if (!device.online()) return "○";
  if (device.state() == fleet::v1::HELD) return "▲";
  if (device.state() == fleet::v1::SUPERSEDED) return "○";
  const bool busy = device.state() == fleet::v1::OFFERED || device.state() == fleet::v1::FETCHING ||
                    device.state() == fleet::v1::STAGED || device.state() == fleet::v1::TRIAL;
  return busy ? "▶" : " ";
}

std::string state_word(const RolloutDevice& device) {
  if (!device.online() && !device_ended(device)) return "offline";
  if (device.state() == fleet::v1::DEVICE_STATE_UNSPECIFIED) return "waiting";
  return proto::word_of(device.state());
}

std::string reason_text(const fleet::v1::Reason& why) {
  if (!why.text().empty()) return visible(why.text());
  std::string text = proto::word_of(why.code());
  std::replace(text.begin(), text.end(), '-', ' ');
  if (why.probes_total() > 0) {
    text += ", " + std::to_string(why.probes_passed()) + " of " +
            count_text(why.probes_total(), "probe");
  }
  return text;
}

std::string detail_of(const RolloutDevice& device) {
  if (!device_succeeded(device)) {
    if (device.has_why() && (device.why().code() != 0 || !device.why().text().empty())) {
      return reason_text(device.why());
    }
    return visible(device.detail());
  }
  std::string detail = visible(device.detail());
  if (!device.address().empty() && device.ports_size() > 0) {
    if (!detail.empty()) detail += ", ";
    const std::string port = device.ports(0).substr(0, device.ports(0).find('/'));
    const bool six = device.address().find(':') != std::string::npos;
    detail += visible((six ? "[" + device.address() + "]" : device.address()) + ":" + port);
  }
  return detail;
}

bool RolloutView::ended() const {
  switch (rollout_.state()) {
    case fleet::v1::ROLLOUT_STATE_UNSPECIFIED:
    case fleet::v1::ROLLOUT_RUNNING:
    case fleet::v1::ROLLOUT_PAUSED:
    case fleet::v1::ROLLOUT_REVERTING: return false;
    default: return true;
  }
}

std::string RolloutView::apply(const fleet::v1::Event& event) {
  if (event.id() != 0 && event.id() <= rollout_.last_event()) return "";
  if (event.id() != 0) rollout_.set_last_event(event.id());
  if (event.has_rollout() && event.rollout().id() == rollout_.id()) {
    // The event's rollout comes without its devices.
    const std::uint64_t last = std::max(rollout_.last_event(), event.rollout().last_event());
    Rollout next = event.rollout();
    next.mutable_devices()->Swap(rollout_.mutable_devices());
    next.set_last_event(last);
    rollout_ = std::move(next);
  }
  if (is_course(event)) return visible(event.text());
  if (!event.has_rollout_device() || event.rollout_device().device().empty()) return "";
  const RolloutDevice& changed = event.rollout_device();
  RolloutDevice* known = nullptr;
  for (RolloutDevice& device : *rollout_.mutable_devices()) {
    if (device.device() == changed.device()) known = &device;
  }
  if (known == nullptr) known = rollout_.add_devices();
  const bool told = known->state() == changed.state() && known->online() == changed.online();
  *known = changed;
  // Of many devices only those that did not take it.
  const bool many = rollout_.devices_size() > kDevicesInRows;
  if (told || (many && (!device_ended(changed) || device_succeeded(changed)))) return "";
  const std::string detail = detail_of(changed);
  return pad(mark_of(changed), 2) + visible(changed.device()) + "  " + state_word(changed) +
         (detail.empty() ? "" : "  " + detail);
}

std::vector<std::string> device_table(const Rollout& rollout, std::uint64_t now_ms) {
  const bool any_healthy =
      std::any_of(rollout.devices().begin(), rollout.devices().end(), [](const RolloutDevice& d) {
        return d.state() == fleet::v1::HEALTHY && !d.monitor().empty();
      });
  std::vector<std::string> headers = {"DEVICE", "STATE", "RELEASE"};
  if (any_healthy) headers.push_back("MONITOR");
  headers.insert(headers.end(), {"TIME", "DETAIL"});
  Table table(std::move(headers));
  std::vector<const RolloutDevice*> devices;
  for (const RolloutDevice& device : rollout.devices()) devices.push_back(&device);
  std::sort(devices.begin(), devices.end(), [](const RolloutDevice* a, const RolloutDevice* b) {
    // edge-2 before edge-10.
    return a->device().size() != b->device().size() ? a->device().size() < b->device().size()
                                                    : a->device() < b->device();
  });
  std::set<std::string> seen;
  for (const RolloutDevice* device : devices) {
    const std::uint64_t took = elapsed_ms(device->started_ms(), device->ended_ms(), now_ms);
    const bool timed = device->started_ms() != 0 && (device->online() || device_ended(*device));
    std::vector<std::string> cells = {
        visible(device->device()), state_word(*device),
        device->live_release() == 0 ? "-" : std::to_string(device->live_release())};
    if (any_healthy) cells.push_back(device->monitor().empty() ? "-" : visible(device->monitor()));
    cells.push_back(timed ? proto::format_elapsed_ms(took) : "-");
    const std::string& fingerprint = device->why().fingerprint();
    const bool fault = !device_succeeded(*device) && !fingerprint.empty();
    cells.push_back(fault && !seen.insert(fingerprint).second
                        ? "same fault, " + visible(fingerprint)
                        : waits_for_wave(rollout, *device)
                              ? "waits for wave " + std::to_string(device->wave())
                              : detail_of(*device));
    table.add(std::move(cells), mark_of(*device));
  }
  return table.lines();
}

std::string progress_line(const Rollout& rollout, std::uint64_t now_ms) {
  std::size_t done = 0;
  std::size_t offline = 0;
  for (const RolloutDevice& device : rollout.devices()) {
    if (device_ended(device)) ++done;
    if (!device.online() && !device_ended(device)) ++offline;
  }
  const auto all = static_cast<std::size_t>(rollout.devices_size());
  std::string line = "  " + std::to_string(done) + " of " + count_text(all, "device") + " done";
  if (offline > 0) line += ", " + std::to_string(offline) + " offline (join when they return)";
  return line + "  " +
         proto::format_elapsed_ms(elapsed_ms(rollout.created_ms(), rollout.ended_ms(), now_ms)) +
         "   Ctrl-C leaves it running";
}

}  // namespace fleetctl
