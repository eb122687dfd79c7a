// Solo5 images made in memory, whole or broken in one place, for the tests of the tenders.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "agent/tenders/cpu.h"
#include "agent/tenders/image.h"
#include "images/abi/elf.h"
#include "images/abi/solo5.h"

namespace sample {

namespace abi = images::abi;

template <typename T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string padded(std::string text) {
  text.resize((text.size() + 3) & ~std::size_t{3}, '\0');
  return text;
}

inline std::string note(const std::string& owner, std::uint32_t type, const std::string& content) {
  const abi::ElfNote header{static_cast<std::uint32_t>(owner.size() + 1),
                            static_cast<std::uint32_t>(content.size()), type};
  return bytes_of(header) + padded(owner + '\0') + padded(content);
}

inline std::string abi_note(std::uint32_t target = abi::kTargetSpt, std::uint32_t version = 2) {
  return note("Solo5", abi::kAbiNoteType, bytes_of(abi::Solo5Abi{target, version, {0, 0}}));
}

inline abi::ManifestEntry entry(const std::string& name, std::uint32_t type) {
  abi::ManifestEntry made{};
  std::memcpy(made.name, name.data(), name.size());
  made.type = type;
  return made;
}

inline std::string manifest_note(const std::vector<abi::ManifestEntry>& devices = {},
                                 std::uint32_t version = 1) {
  std::string content(4, '\0');
  content += bytes_of(version);
  content += bytes_of(static_cast<std::uint32_t>(devices.size() + 1));
  content += bytes_of(entry("", abi::kDeviceReserved));
  for (const abi::ManifestEntry& device : devices) content += bytes_of(device);
  return note("Solo5", abi::kManifestNoteType, content);
}

struct Part {
  abi::ElfSegment segment{};
  std::string content;
};

inline Part load(std::uint64_t address, std::uint32_t flags, const std::string& content,
                 std::uint64_t memory_bytes = 0) {
  Part part;
  part.segment.type = abi::kSegmentLoad;
  part.segment.flags = flags;
  part.segment.address = address;
  part.segment.file_bytes = content.size();
  part.segment.memory_bytes = memory_bytes == 0 ? content.size() : memory_bytes;
  part.segment.alignment = 4096;
  part.content = content;
  return part;
}

inline Part notes(const std::string& content) {
  Part part;
  part.segment.type = abi::kSegmentNote;
  part.segment.file_bytes = content.size();
  part.segment.memory_bytes = content.size();
  part.segment.alignment = 4;
  part.content = content;
  return part;
}

/// Good as it is made; a test changes what it is about.
struct Solo5File {
  abi::ElfHeader header{};
  std::vector<Part> parts = {load(0x100000, 5, std::string(64, '\x90')),
                             load(0x101000, 6, std::string(16, 'd'), 8192), notes(abi_note()),
                             notes(manifest_note())};

  Solo5File() {
    std::memcpy(header.magic, "\x7f" "ELF", 4);
    header.file_class = 2;
    header.data = 1;
    header.ident_version = 1;
    header.type = 2;
    header.machine = tenders::kCpu.elf_machine;
    header.version = 1;
    header.entry = 0x100020;
    header.segments_offset = sizeof header;
    header.segment_bytes = sizeof(abi::ElfSegment);
  }

  std::string bytes() const {
    abi::ElfHeader made = header;
    if (made.segment_count == 0) made.segment_count = static_cast<std::uint16_t>(parts.size());
    std::string table;
    std::string content;
    const std::size_t start = sizeof made + parts.size() * sizeof(abi::ElfSegment);
    for (const Part& part : parts) {
      abi::ElfSegment segment = part.segment;
      if (segment.offset == 0) segment.offset = start + content.size();
      table += bytes_of(segment);
      content += part.content;
    }
    return bytes_of(made) + table + content;
  }
};

/// A descriptor on these bytes, closed at the end.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes)
      : descriptor_(::memfd_create("image", MFD_CLOEXEC)) {
    if (::write(descriptor_, bytes.data(), bytes.size()) < 0) std::abort();
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

struct ReadResult {
  bool good = false;
  tenders::Image image;
  proto::Code code = proto::Code::unset;
  std::string what;
};

inline ReadResult read(const std::string& bytes, std::uint32_t target = abi::kTargetSpt) {
  const MemoryFile file(bytes);
  ReadResult result;
  tenders::Failure failure;
  result.good = tenders::read_image(file.descriptor(), "guest", target, result.image, failure);
  result.code = failure.code;
  result.what = std::string(failure.what.view());
  return result;
}

}  // namespace sample
