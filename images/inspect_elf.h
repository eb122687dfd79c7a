// ELF images: Solo5, PVH, multiboot, Unikraft, Hermit, Xen PV. Only inspect.cc includes it.
#pragma once

#include "images/inspect.h"
#include "images/inspect_reader.h"

namespace images {

/// The offset of a multiboot 1 header in the first 8 KiB, or -1.
std::int64_t find_multiboot(const Fields& head);

/// `head` is the start of the file and begins with 0x7f 'E' 'L' 'F'. errors bad_image | io
Result<ImageInfo> inspect_elf(const ImageReader& reader, const Fields& head);

}  // namespace images
