// The notes of a Solo5 image: which tender and ABI version it is for, and its manifest of devices.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/tenders/failure.h"
#include "images/abi/elf.h"
#include "images/abi/solo5.h"

namespace tenders {

struct Image;

/// Collects from one PT_NOTE after the other.
class Notes {
 public:
  Notes(int file, std::string_view name, std::uint32_t target)
      : file_(file), name_(name), target_(target) {}

  /// Walk the segment's notes; what is Solo5's goes into the image.
  /// errors bad_image (a note outside its segment, a broken manifest) | not_supported (target, ABI)
  [[nodiscard]] bool take(const images::abi::ElfSegment& segment, Image& image, Failure& failure);

  /// errors bad_image (the ABI or the manifest note is missing)
  [[nodiscard]] bool check_complete(Failure& failure) const;

 private:
  bool take_note(const images::abi::ElfNote& note, std::uint64_t content_offset, Image& image,
                 Failure& failure);
  bool take_abi(const images::abi::ElfNote& note, std::uint64_t offset, Image& image,
                Failure& failure);
  bool take_manifest(const images::abi::ElfNote& note, std::uint64_t offset, Image& image,
                     Failure& failure);
  bool outside(std::uint32_t type, Failure& failure) const;

  int file_;
  std::string_view name_;
  std::uint32_t target_;
  bool has_abi_ = false;
  bool has_manifest_ = false;
};

/// "hvt", "spt", "virtio" ...; "unknown" for numbers that Solo5 does not have.
std::string_view target_name(std::uint32_t target);

/// Whether the manifest keeps all rules: version, count, first entry, names, types, nothing filled
/// in. errors bad_image
[[nodiscard]] bool check_manifest(const images::abi::Manifest& manifest, std::string_view name,
                                  Failure& failure);

}  // namespace tenders
