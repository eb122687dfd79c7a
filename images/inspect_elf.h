// ELF images: Solo5, PVH, multiboot, Unikraft, Hermit, Xen PV. Only inspect.cc includes it.
#pragma once

#include <optional>
#include <string>

#include "images/inspect.h"
#include "images/inspect_reader.h"

namespace images {

/// The offset of a multiboot 1 header in the first 8 KiB, or -1.
std::int64_t find_multiboot(const Fields& head);

/// A note of an ELF file, or of a flat image of ours.
struct Note {
  std::string owner;
  std::uint32_t type = 0;
  Fields content;
};

/// The note at that offset, which moves behind it. Nothing: it does not fall within the bytes.
std::optional<Note> next_note(const Fields& notes, std::size_t& at);

/// What kUnifleetLanguageNote says.
std::string language_of(const Fields& content);

/// `head` is the start of the file and begins with 0x7f 'E' 'L' 'F'. errors bad_image | io
Result<ImageInfo> inspect_elf(const ImageReader& reader, const Fields& head);

}  // namespace images
