// The devices of an appliance's image: what the build names in FLEET_GUEST_DEVICES, network
// interfaces as net("wan"), and volumes as block("cache"), and the config volume.
#include <iterator>

#include "images/runtime/solo5/devices.h"
#include "images/runtime/solo5/notes.h"

namespace solo5 = images::runtime::solo5;

namespace {

constexpr solo5::Wanted net(const char* name) { return {name, images::abi::kDeviceNet}; }
constexpr solo5::Wanted block(const char* name) { return {name, images::abi::kDeviceBlock}; }

constexpr solo5::Wanted kWanted[] = {FLEET_GUEST_DEVICES block(solo5::kConfigDevice)};

}  // namespace

SOLO5_NOTE(".note.unifleet") solo5::UnifleetNote note_unifleet{};
SOLO5_NOTE(".note.solo5.manifest") solo5::ManifestNote<std::size(kWanted)> note_manifest{
    kWanted};
