// The test guests' devices: none, or one of each kind. FLEET_GUEST_DEVICES comes from the build.
#include "images/runtime/solo5/notes.h"

namespace {
constexpr images::runtime::solo5::Wanted kWanted[] = {{"service", images::abi::kDeviceNet},
                                                      {"disk", images::abi::kDeviceBlock}};
}

SOLO5_NOTE(".note.solo5.manifest")
images::runtime::solo5::ManifestNote<FLEET_GUEST_DEVICES> note_manifest{kWanted};
