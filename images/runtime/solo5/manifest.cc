// The devices of our appliances: one network interface, and the config volume as a block device.
#include "images/runtime/solo5/devices.h"
#include "images/runtime/solo5/notes.h"

namespace solo5 = images::runtime::solo5;

namespace {
constexpr solo5::Wanted kWanted[] = {{solo5::kServiceDevice, images::abi::kDeviceNet},
                                     {solo5::kConfigDevice, images::abi::kDeviceBlock}};
}

SOLO5_NOTE(".note.unifleet") solo5::UnifleetNote note_unifleet{};
SOLO5_NOTE(".note.solo5.manifest") solo5::ManifestNote<2> note_manifest{kWanted};
