// What every Solo5 image says of itself. FLEET_SOLO5_TARGET comes from the build: 1 hvt, 2 spt.
#include "images/runtime/solo5/notes.h"

namespace solo5 = images::runtime::solo5;

SOLO5_NOTE(".note.openbsd") solo5::OpenBsdNote note_openbsd{};
SOLO5_NOTE(".note.solo5.abi") solo5::AbiNote note_abi{
    .content = {FLEET_SOLO5_TARGET, images::abi::kNewestSolo5Version, {0, 0}}};
extern "C" constinit const __attribute__((section(".interp"), used)) char interpreter[] =
    "/nonexistent/solo5/";
