// Solo5's two notes, ABI1 and MFT1 (FORMATS 2). Only inspect_elf.cc includes it.
#pragma once

#include "images/inspect.h"
#include "images/inspect_reader.h"

namespace images {

struct Solo5Notes {
  std::uint32_t target = 0;  // 0: no ABI note seen
  std::uint32_t version = 0;
  bool has_manifest = false;
  std::vector<ImageDevice> devices;

  /// One note of owner "Solo5"; other types are skipped. errors bad_image
  Status take(std::uint32_t type, const Fields& content);
  /// errors bad_image (no manifest note, 32 bit)
  Result<ImageInfo> judge(bool is64, std::uint64_t entry) const;
};

}  // namespace images
