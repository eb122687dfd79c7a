#include "deploy/fleetctl/device_pins.h"

#include <algorithm>

#include "deploy/fleetctl/text.h"
#include "ota/hash.h"

namespace fleetctl {
namespace {

using proto::Code;
using proto::Error;

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMaxPinBytes = 256;
constexpr std::size_t kShownDigits = 16;

// It becomes a file's name.
bool is_device_id(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

}  // namespace

proto::Result<std::string> pinned_key(const Context& context,
                                      const fleet::v1::DeviceConfig& device,
                                      const std::set<std::string>& accepted) {
  const std::string name = visible(device.device());
  if (device.sealing_key().empty()) {
    return Error{Code::unavailable,
                 name + " has told no key to seal secrets to yet; it does when it connects with an "
                        "agent of this version", device.device()};
  }
  const auto bytes = ota::from_hex(device.sealing_key());
  if (!bytes || bytes->size() != kKeyBytes || !is_device_id(device.device_id())) {
    return Error{Code::bad_argument, "the controller shows no sound key of " + name,
                 device.device()};
  }
  const std::string shown = ota::to_hex(*bytes);
  const std::string folder = context.folder + "/devices";
  const std::string file = folder + "/" + device.device_id();
  const auto pinned = read_small_file(file, kMaxPinBytes);
  if (!pinned && pinned.error().code != Code::not_found) return pinned.error();
  const bool known = pinned && *pinned == shown + "\n";
  if (pinned && !known && accepted.count(device.device()) == 0) {
    return Error{Code::unauthenticated,
                 name + " shows the key " + shown.substr(0, kShownDigits) +
                     ", this machine first saw " + visible(pinned->substr(0, kShownDigits)) +
                     "\nA device whose state directory was made anew has another key; so has "
                     "somebody who wants to read its secrets. Nothing was set.\nCompare with "
                     "fleet-agent status on the device; if it is right, add: --accept-key " + name,
                 device.device()};
  }
  if (!known) {
    TRY_VOID(make_folders(folder));
    TRY_VOID(write_private_file(file, shown + "\n"));
  }
  return std::string(bytes->begin(), bytes->end());
}

}  // namespace fleetctl
