// The devices of our appliances: the network interfaces that the build names (fleet_guest's
// NETWORK), the config volume as a block device, and the volume that it names (VOLUME), if any.
#include <iterator>

#include "images/runtime/solo5/devices.h"
#include "images/runtime/solo5/notes.h"

namespace solo5 = images::runtime::solo5;

namespace {

constexpr solo5::Wanted net(const char* name) { return {name, images::abi::kDeviceNet}; }

constexpr solo5::Wanted kWanted[] = {FLEET_GUEST_NETWORK,
                                     {solo5::kConfigDevice, images::abi::kDeviceBlock},
#ifdef FLEET_GUEST_VOLUME
                                     {FLEET_GUEST_VOLUME, images::abi::kDeviceBlock},
#endif
};

}  // namespace

SOLO5_NOTE(".note.unifleet") solo5::UnifleetNote note_unifleet{};
SOLO5_NOTE(".note.solo5.manifest") solo5::ManifestNote<std::size(kWanted)> note_manifest{
    kWanted};
