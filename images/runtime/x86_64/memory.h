// Who may do what with which page: the image's text is read and run, its constants are read, the
// rest is data; page 0 and the page below the stack are not there at all.
#pragma once

#include <cstdint>

namespace images::runtime::x86 {

/// Refine the boot code's mapping. Called once, before anything from outside is read.
void protect_memory();

/// First address behind the image and its .bss.
std::uint64_t image_end_address();

}  // namespace images::runtime::x86
