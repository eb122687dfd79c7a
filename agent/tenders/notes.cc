#include "agent/tenders/notes.h"

#include <array>

#include "agent/tenders/image.h"
#include "agent/tenders/sys.h"

namespace tenders {
namespace {

namespace abi = images::abi;
using proto::Code;

constexpr int kMaxNotes = 64;  // in one segment
constexpr std::uint64_t kOwnerBytes = sizeof abi::kSolo5Owner;  // with its NUL
constexpr std::uint32_t kMaxAbiBytes = 32;

std::uint64_t padded(std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; }

bool read_exactly(int file, void* to, std::size_t size, std::uint64_t offset) {
  return sys::read_at(file, {static_cast<std::uint8_t*>(to), size}, offset) ==
         static_cast<long>(size);
}

std::string_view name_of(const abi::ManifestEntry& entry) {
  std::size_t size = 0;
  while (size < sizeof entry.name && entry.name[size] != '\0') ++size;
  return {entry.name, size};
}

bool is_plain(std::string_view name) {
  if (name.empty() || name.size() >= abi::kDeviceNameBytes) return false;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain) return false;
  }
  return true;
}

}  // namespace

std::string_view target_name(std::uint32_t target) {
  constexpr std::array<std::string_view, 7> kNames = {"unknown", "hvt",   "spt", "virtio",
                                                      "muen",    "genode", "xen"};
  return target < kNames.size() ? kNames[target] : kNames[0];
}

bool Notes::outside(std::uint32_t type, Failure& failure) const {
  return failure.because(Code::bad_image, Foreign{name_}, ": note ", Hex{type},
                         ": note does not fall within valid size, the file is damaged");
}

bool Notes::take(const abi::ElfSegment& segment, Image& image, Failure& failure) {
  std::uint64_t left = segment.file_bytes;
  std::uint64_t offset = segment.offset;
  if (left < sizeof(abi::ElfNote) || offset > ~std::uint64_t{0} - left) return outside(0, failure);
  for (int count = 0; left >= sizeof(abi::ElfNote); ++count) {
    if (count == kMaxNotes) {
      return failure.because(Code::bad_image, Foreign{name_}, ": more than ", kMaxNotes,
                             " notes in one segment");
    }
    abi::ElfNote note{};
    if (!read_exactly(file_, &note, sizeof note, offset)) return outside(0, failure);
    const std::uint64_t name_bytes = padded(note.name_bytes);
    const std::uint64_t needed = sizeof note + name_bytes + note.content_bytes;
    if (needed > left) return outside(note.type, failure);
    std::array<char, kOwnerBytes> owner{};
    const bool may_be_ours = note.name_bytes == kOwnerBytes;
    if (may_be_ours && !read_exactly(file_, owner.data(), owner.size(), offset + sizeof note)) {
      return outside(note.type, failure);
    }
    if (may_be_ours && std::string_view(owner.data(), owner.size()) ==
                           std::string_view(abi::kSolo5Owner, kOwnerBytes)) {
      if (!take_note(note, offset + sizeof note + name_bytes, image, failure)) return false;
    }
    const std::uint64_t whole = sizeof note + name_bytes + padded(note.content_bytes);
    if (whole >= left) break;
    offset += whole;
    left -= whole;
  }
  return true;
}

bool Notes::take_note(const abi::ElfNote& note, std::uint64_t content_offset, Image& image,
                      Failure& failure) {
  if (note.type == abi::kAbiNoteType) return take_abi(note, content_offset, image, failure);
  if (note.type == abi::kManifestNoteType) {
    return take_manifest(note, content_offset, image, failure);
  }
  return true;
}

bool Notes::take_abi(const abi::ElfNote& note, std::uint64_t offset, Image& image,
                     Failure& failure) {
  abi::Solo5Abi content{};
  if (note.content_bytes < sizeof content || note.content_bytes > kMaxAbiBytes) {
    return outside(note.type, failure);
  }
  if (!read_exactly(file_, &content, sizeof content, offset)) return outside(note.type, failure);
  if (has_abi_) {
    return failure.because(Code::bad_image, Foreign{name_}, ": two Solo5 ABI notes");
  }
  has_abi_ = true;
  if (content.target != target_) {
    return failure.because(Code::not_supported, Foreign{name_}, ": built for Solo5's target ",
                           target_name(content.target), ", this is a tender for ",
                           target_name(target_));
  }
  if (content.version < abi::kOldestSolo5Version || content.version > abi::kNewestSolo5Version) {
    return failure.because(Code::not_supported, Foreign{name_}, ": Solo5 ",
                           target_name(target_), " ABI version ", content.version, "; ",
                           abi::kOldestSolo5Version, " and ", abi::kNewestSolo5Version,
                           " are supported");
  }
  image.abi_version = content.version;
  return true;
}

bool Notes::take_manifest(const abi::ElfNote& note, std::uint64_t offset, Image& image,
                          Failure& failure) {
  constexpr std::size_t kHeaderBytes = abi::kManifestNotePadding + abi::manifest_bytes(0);
  constexpr std::size_t kMostBytes = abi::kManifestNotePadding + sizeof(abi::Manifest);
  const std::size_t size = note.content_bytes;
  if (size < kHeaderBytes) return outside(note.type, failure);
  if (size > kMostBytes) {
    return failure.because(Code::bad_image, Foreign{name_}, ": a manifest of ", size,
                           " bytes has too many entries, at most ", abi::kMaxManifestEntries,
                           " are possible (note does not fall within valid size)");
  }
  if (has_manifest_) {
    return failure.because(Code::bad_image, Foreign{name_}, ": two Solo5 manifests");
  }
  has_manifest_ = true;
  abi::Manifest& manifest = image.manifest;
  if (!read_exactly(file_, &manifest, size - abi::kManifestNotePadding,
                    offset + abi::kManifestNotePadding)) {
    return outside(note.type, failure);
  }
  if (manifest.entry_count == 0 || manifest.entry_count > abi::kMaxManifestEntries ||
      size != abi::kManifestNotePadding + abi::manifest_bytes(manifest.entry_count)) {
    return failure.because(Code::bad_image, Foreign{name_}, ": a manifest of ",
                           manifest.entry_count, " entries in ", size, " bytes; at most ",
                           abi::kMaxManifestEntries, " entries are possible");
  }
  return check_manifest(manifest, name_, failure);
}

bool Notes::check_complete(Failure& failure) const {
  if (!has_abi_) {
    return failure.because(Code::bad_image, Foreign{name_},
                           ": No Solo5 ABI information, so it is not a Solo5 image");
  }
  if (!has_manifest_) {
    return failure.because(Code::bad_image, Foreign{name_},
                           ": No Solo5 manifest, so nothing says which devices it wants");
  }
  return true;
}

bool check_manifest(const abi::Manifest& manifest, std::string_view name, Failure& failure) {
  const auto refuse = [&](const auto&... parts) {
    return failure.because(Code::bad_image, Foreign{name}, ": manifest ", parts...);
  };
  if (manifest.version != abi::kManifestVersion) {
    return refuse("of version ", manifest.version, "; ", abi::kManifestVersion, " is known");
  }
  const abi::ManifestEntry& first = manifest.entries[0];
  if (first.type != abi::kDeviceReserved || first.name[0] != '\0') {
    return refuse("without its reserved first entry");
  }
  for (std::uint32_t i = 0; i < manifest.entry_count; ++i) {
    const abi::ManifestEntry& entry = manifest.entries[i];
    if (entry.attached != 0) return refuse("entry ", i, " is attached already");
    if (i == 0) continue;
    if (!is_plain(name_of(entry))) {
      return refuse("entry ", i, " has the name '", Foreign{name_of(entry)},
                    "'; 1 to 67 letters and digits are expected");
    }
    if (entry.type != abi::kDeviceBlock && entry.type != abi::kDeviceNet) {
      return refuse("entry ", i, " (", name_of(entry), ") has the type ", entry.type,
                    "; 1 (block) and 2 (net) are known");
    }
    for (std::uint32_t j = 1; j < i; ++j) {
      if (name_of(manifest.entries[j]) == name_of(entry)) {
        return refuse("has two devices of the name ", name_of(entry));
      }
    }
  }
  return true;
}

}  // namespace tenders
