// The notes of a Solo5 guest image as objects: define one of each in the image (notes.cc,
// manifest.cc) and the linker script puts them where tenders look.
#pragma once

#include <cstddef>
#include <cstdint>

#include "images/abi/elf.h"
#include "images/abi/solo5.h"

namespace images::runtime::solo5 {

struct AbiNote {
  abi::ElfNote header{6, sizeof(abi::Solo5Abi), abi::kAbiNoteType};
  char owner[8] = "Solo5";
  abi::Solo5Abi content{};
};
static_assert(sizeof(AbiNote) == 36);

struct OpenBsdNote {
  abi::ElfNote header{8, 4, 1};
  char owner[8] = "OpenBSD";
  std::uint32_t content = 0;
};
static_assert(sizeof(OpenBsdNote) == 24);

/// Whose image it is, for images/inspect; the content is the config volume's version.
struct UnifleetNote {
  abi::ElfNote header{9, 4, abi::kUnifleetVersionNote};
  char owner[12] = "Unifleet";
  std::uint32_t content = 1;
};
static_assert(sizeof(UnifleetNote) == 28);

/// A device that the image wants.
struct Wanted {
  const char* name;
  std::uint32_t type;  // abi::kDevice*
};

/// With `count` devices, beside the reserved first entry.
template <std::size_t count>
struct ManifestNote {
  abi::ElfNote header{6, abi::kManifestNotePadding + abi::manifest_bytes(count + 1),
                      abi::kManifestNoteType};
  char owner[8] = "Solo5";
  std::uint32_t padding = 0;
  std::uint32_t version = abi::kManifestVersion;
  std::uint32_t entry_count = count + 1;
  abi::ManifestEntry entries[count + 1]{};

  constexpr explicit ManifestNote(const Wanted* wanted) {
    entries[0].type = abi::kDeviceReserved;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t c = 0; wanted[i].name[c] != '\0'; ++c) {
        entries[i + 1].name[c] = wanted[i].name[c];
      }
      entries[i + 1].type = wanted[i].type;
    }
  }
};
static_assert(offsetof(ManifestNote<1>, version) == 24);
static_assert(offsetof(ManifestNote<1>, entries) == 32);

}  // namespace images::runtime::solo5

#define SOLO5_NOTE(section_name) \
  extern "C" constinit const __attribute__((section(section_name), aligned(4), used))
