// ELF: headers and segments against the file's size, then notes and section names, then a verdict.
#include "images/inspect_elf.h"

#include <algorithm>

#include "images/abi/elf.h"
#include "images/inspect_solo5.h"

namespace images {

namespace {

// Real files have a dozen segments and at most some hundred sections.
constexpr std::size_t kMaxSegments = 128;
constexpr std::size_t kMaxSections = 4096;
constexpr std::uint64_t kMaxNoteBytes = 64 * 1024;
constexpr std::uint64_t kMaxNamesBytes = 1024 * 1024;

constexpr std::uint32_t kLoad = 1, kInterp = 3, kNote = 4;                  // p_type
constexpr std::uint16_t k386 = 3, kX86_64 = 62, kAarch64 = 183;             // e_machine
constexpr std::uint32_t kXenGuestOs = 6, kXenPhys32Entry = 18;              // Xen's note types
constexpr std::uint32_t kHermitEntry = 0x5a00;

struct Segment {
  std::uint32_t type = 0;
  std::uint64_t offset = 0, vaddr = 0, paddr = 0, file_bytes = 0, memory_bytes = 0;
};

// What the verdict is made of.
struct Elf {
  bool is64 = false;
  std::uint8_t osabi = 0;
  std::uint16_t type = 0;
  std::uint16_t machine = 0;
  std::uint64_t entry = 0;
  std::vector<Segment> segments;
  std::vector<std::string> sections;
  std::string interpreter;
  Solo5Notes solo5;
  bool has_xen_notes = false;
  std::uint64_t pvh_entry = 0;
  bool has_pvh = false;
  bool is_linux_program = false;  // GNU's ABI tag says Linux
  std::string guest_os;
  Family ident = Family::unknown;
  std::string language;

  bool has_section(std::string_view name) const {
    return std::find(sections.begin(), sections.end(), name) != sections.end();
  }
};

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case k386: return "x86 (32 bit)";
    case kX86_64: return "x86_64";
    case kAarch64: return "aarch64";
    case 8: return "MIPS";
    case 20:
    case 21: return "PowerPC";
    case 22: return "S/390";
    case 40: return "ARM (32 bit)";
    case 243: return "RISC-V";
    case 258: return "LoongArch";
    default: return "CPU number " + std::to_string(machine);
  }
}

Result<Elf> read_header(const ImageReader& reader, const Fields& head, std::uint64_t& sections_at,
                        std::uint16_t& section_count, std::uint16_t& names_index) {
  Elf elf;
  const std::uint8_t elf_class = head.u8(4);
  if (elf_class != 1 && elf_class != 2) return bad_image("damaged: an ELF of unknown class");
  elf.is64 = elf_class == 2;
  const std::size_t header_bytes = elf.is64 ? 64 : 52;
  if (head.size() < header_bytes) {
    return bad_image("cut short: an ELF header of " + std::to_string(header_bytes) +
                     " bytes is expected, the file has " + std::to_string(reader.size_bytes()));
  }
  if (head.u8(5) != 1) return bad_image("an ELF for a big-endian CPU; no monitor runs it");
  if (head.u8(6) != 1) return bad_image("damaged: an ELF of unknown version");
  elf.osabi = head.u8(7);
  elf.type = head.u16(16);
  elf.machine = head.u16(18);
  elf.entry = elf.is64 ? head.u64(24) : head.u32(24);
  const std::uint64_t segments_at = elf.is64 ? head.u64(32) : head.u32(28);
  sections_at = elf.is64 ? head.u64(40) : head.u32(32);
  const std::uint16_t entry_bytes = head.u16(elf.is64 ? 54 : 42);
  const std::uint16_t count = head.u16(elf.is64 ? 56 : 44);
  section_count = head.u16(elf.is64 ? 60 : 48);
  names_index = head.u16(elf.is64 ? 62 : 50);
  const std::uint16_t wanted_bytes = elf.is64 ? 56 : 32;
  if (elf.type == 1) return bad_image("an ELF object file, not linked; give the linked image");
  if (elf.type != 2 && elf.type != 3) return bad_image("an ELF, but no program");
  if (count == 0 || count > kMaxSegments || entry_bytes != wanted_bytes) {
    return bad_image("damaged: an ELF with " + std::to_string(count) + " segments");
  }
  TRY(const auto table, reader.bytes(segments_at, std::uint64_t{count} * entry_bytes));
  for (std::size_t i = 0; i < count; ++i) {
    const Fields f = Fields(table).sub(i * entry_bytes, entry_bytes);
    elf.segments.push_back(
        elf.is64 ? Segment{f.u32(0), f.u64(8), f.u64(16), f.u64(24), f.u64(32), f.u64(40)}
                 : Segment{f.u32(0), f.u32(4), f.u32(8), f.u32(12), f.u32(16), f.u32(20)});
  }
  return elf;
}

bool inside(std::uint64_t address, std::uint64_t from, std::uint64_t size) {
  return address >= from && address - from < size;
}

Status check_segments(const Elf& elf, const ImageReader& reader) {
  bool any_bytes = false;
  bool entry_is_loaded = false;
  for (const Segment& segment : elf.segments) {
    const bool in_file = segment.offset <= reader.size_bytes() &&
                         segment.file_bytes <= reader.size_bytes() - segment.offset;
    if (segment.type != kLoad && segment.type != kNote && segment.type != kInterp) continue;
    if (!in_file && segment.file_bytes > 0) {
      return bad_image("cut short: a segment ends at " + std::to_string(segment.offset) + "+" +
                       std::to_string(segment.file_bytes) + ", the file has " +
                       std::to_string(reader.size_bytes()) + " bytes");
    }
    if (segment.type != kLoad) continue;
    const std::uint64_t top = segment.vaddr + segment.memory_bytes;
    const std::uint64_t physical_top = segment.paddr + segment.memory_bytes;
    if (segment.memory_bytes < segment.file_bytes || top < segment.vaddr ||
        physical_top < segment.paddr) {
      return bad_image("damaged: an ELF segment contradicts itself");
    }
    any_bytes = any_bytes || segment.file_bytes > 0;
    entry_is_loaded = entry_is_loaded || inside(elf.entry, segment.vaddr, segment.memory_bytes) ||
                      inside(elf.entry, segment.paddr, segment.memory_bytes);
  }
  if (!any_bytes) return bad_image("damaged: an ELF that loads nothing");
  if (!entry_is_loaded) return bad_image("damaged: the ELF's entry lies outside its segments");
  return {};
}

Status take_note(Elf& elf, const std::string& owner, std::uint32_t type, const Fields& content) {
  if (owner == "Solo5") return elf.solo5.take(type, content);
  if (owner == abi::kUnifleetOwner && type == abi::kUnifleetVersionNote) {
    elf.ident = Family::unifleet;
  }
  if (owner == abi::kUnifleetOwner && type == abi::kUnifleetLanguageNote) {
    elf.language = language_of(content);
  }
  if (owner == "NetBSD" && type == 1) elf.ident = Family::netbsd;
  if (owner == "FreeBSD" && type == 1) elf.ident = Family::freebsd;
  if (owner == "HERMIT" && type == kHermitEntry) elf.ident = Family::hermit;
  if (owner == "GNU" && type == 1 && content.size() >= 4) {
    if (content.u32(0) == 6 && elf.osabi == 255) elf.ident = Family::hermit;
    if (content.u32(0) == 0) elf.is_linux_program = true;
  }
  if (owner != "Xen") return {};
  elf.has_xen_notes = true;
  if (type == kXenGuestOs) elf.guest_os = content.text(0, 32);
  if (type == kXenPhys32Entry) {
    if (content.size() != 4 && content.size() != 8) {
      return bad_image("damaged: a PVH entry note of " + std::to_string(content.size()) +
                       " bytes; 4 or 8 are expected");
    }
    elf.has_pvh = true;
    elf.pvh_entry = content.size() == 8 ? content.u64(0) : content.u32(0);
  }
  return {};
}

// Several notes may share a segment.
Status read_notes(Elf& elf, const ImageReader& reader, const Segment& segment) {
  if (segment.file_bytes > kMaxNoteBytes) return {};  // nobody's boot note is that long
  TRY(const auto bytes, reader.bytes(segment.offset, segment.file_bytes));
  const Fields notes(bytes);
  std::size_t at = 0;
  while (notes.size() - at >= sizeof(abi::ElfNote)) {
    const auto note = next_note(notes, at);
    if (!note) return bad_image("damaged: an ELF note does not fall within its segment");
    TRY_VOID(take_note(elf, note->owner, note->type, note->content));
  }
  return {};
}

// Section names only tell families apart; a stripped or odd table is no error.
Status read_sections(Elf& elf, const ImageReader& reader, std::uint64_t at, std::uint16_t count,
                     std::uint16_t names_index) {
  const std::size_t entry_bytes = elf.is64 ? 64 : 40;
  if (at == 0 || count == 0 || count > kMaxSections || names_index >= count) return {};
  TRY(const auto table, reader.up_to(at, count * entry_bytes));
  if (table.size() != count * entry_bytes) return {};
  const Fields all(table);
  const Fields names = all.sub(names_index * entry_bytes, entry_bytes);
  const std::uint64_t names_at = elf.is64 ? names.u64(24) : names.u32(16);
  const std::uint64_t names_bytes = elf.is64 ? names.u64(32) : names.u32(20);
  if (names_bytes > kMaxNamesBytes) return {};
  TRY(const auto text, reader.up_to(names_at, names_bytes));
  for (std::size_t i = 0; i < count; ++i) {
    elf.sections.push_back(Fields(text).text(all.u32(i * entry_bytes), 64));
  }
  return {};
}

Family family_of(const Elf& elf, bool is_includeos) {
  if (elf.ident != Family::unknown) return elf.ident;
  if (elf.has_section(".uk_libinfo") || elf.has_section(".uk_bootinfo")) return Family::unikraft;
  if (elf.guest_os == "osv") return Family::osv;
  if (elf.guest_os == "NetBSD") return Family::netbsd;
  if (elf.guest_os == "FreeBSD") return Family::freebsd;
  if (elf.guest_os == "linux") return Family::linux;
  if (is_includeos) return Family::includeos;
  if (elf.has_section(".bootstrap")) return Family::rumprun;
  return Family::unknown;
}

// 0xFEE1DEAD stands behind IncludeOS's multiboot header.
bool has_includeos_mark(const Fields& head, std::int64_t multiboot) {
  if (multiboot < 0) return false;
  const auto at = static_cast<std::size_t>(multiboot);
  for (std::size_t offset = at + 12; offset <= at + 64; offset += 4) {
    if (head.u32(offset) == 0xFEE1DEAD) return true;
  }
  return false;
}

std::string no_boot_words(const Elf& elf) {
  const bool is_program = elf.is_linux_program || elf.interpreter.starts_with("/lib");
  std::string what = is_program ? "a Linux program" : "an ELF program";
  what += " for " + machine_name(elf.machine);
  if (!elf.interpreter.empty()) what += " (needs " + printable(elf.interpreter, 60) + ")";
  return "not an image: " + what +
         " without boot information; a Solo5 or PVH note or a multiboot header is expected. Link "
         "it as a unikernel";
}

// Everything but Solo5, whose notes say it all.
Result<ImageInfo> judge(const Elf& elf, const Fields& head) {
  ImageInfo info;
  const std::int64_t multiboot = find_multiboot(head);
  const bool is_x86 = elf.machine == kX86_64 || elf.machine == k386;
  info.family = family_of(elf, has_includeos_mark(head, multiboot));
  info.platform = Platform::virtio;
  info.entry = elf.entry;
  if (info.family == Family::hermit) {
    info.boot = BootProtocol::hermit_loader;
  } else if (is_x86 && elf.has_pvh) {
    info.boot = BootProtocol::pvh;
    info.entry = elf.pvh_entry;
  } else if (is_x86 && multiboot >= 0) {
    info.boot = BootProtocol::multiboot;
  } else if (elf.machine == kX86_64 && info.family == Family::unikraft) {
    info.boot = BootProtocol::linux64;
  } else if (elf.has_xen_notes || elf.has_section("__xen_guest")) {
    info.boot = BootProtocol::none;
    info.obstacle = "a guest for Xen's own interface (PV); no monitor here offers it";
  } else if (elf.machine == kAarch64 && !elf.is_linux_program && elf.interpreter.empty()) {
    info.boot = BootProtocol::arm64_elf;
  } else if (is_x86 || elf.machine == kAarch64) {
    return bad_image(no_boot_words(elf));
  } else {
    info.obstacle = "an ELF for " + machine_name(elf.machine);
  }
  info.summary = std::string(name_of(info.family));
  if (info.family == Family::unknown) info.summary = "ELF";
  if (info.boot != BootProtocol::none) info.summary += std::string(", ") + name_of(info.boot);
  return info;
}

}  // namespace

std::int64_t find_multiboot(const Fields& head) {
  const std::size_t end = std::min<std::size_t>(head.size(), 8192);
  for (std::size_t at = 0; at + 12 <= end; at += 4) {
    if (head.u32(at) != 0x1BADB002) continue;
    if (head.u32(at) + head.u32(at + 4) + head.u32(at + 8) == 0) {
      return static_cast<std::int64_t>(at);
    }
  }
  return -1;
}

// Name and content are each padded to 4 bytes.
std::optional<Note> next_note(const Fields& notes, std::size_t& at) {
  constexpr std::size_t kHeaderBytes = sizeof(abi::ElfNote);
  if (at > notes.size() || notes.size() - at < kHeaderBytes) return std::nullopt;
  const std::size_t name_bytes = notes.u32(at);
  const std::size_t content_bytes = notes.u32(at + 4);
  const std::size_t left = notes.size() - at - kHeaderBytes;
  const std::size_t name_padded = (name_bytes + 3) & ~std::size_t{3};
  if (name_padded > left || content_bytes > left - name_padded) return std::nullopt;
  const std::size_t content_at = at + kHeaderBytes + name_padded;
  const Note note{notes.text(at + kHeaderBytes, name_bytes), notes.u32(at + 8),
                  notes.sub(content_at, content_bytes)};
  at = std::min(notes.size(), content_at + ((content_bytes + 3) & ~std::size_t{3}));
  return note;
}

std::string language_of(const Fields& content) {
  constexpr std::size_t kMostBytes = 64;
  return content.text(0, kMostBytes);
}

Result<ImageInfo> inspect_elf(const ImageReader& reader, const Fields& head) {
  std::uint64_t sections_at = 0;
  std::uint16_t section_count = 0;
  std::uint16_t names_index = 0;
  TRY(Elf elf, read_header(reader, head, sections_at, section_count, names_index));
  TRY_VOID(check_segments(elf, reader));
  const std::vector<Segment> segments = elf.segments;
  for (const Segment& segment : segments) {
    if (segment.type == kNote) TRY_VOID(read_notes(elf, reader, segment));
    if (segment.type != kInterp) continue;
    TRY(const auto name, reader.bytes(segment.offset, std::min<std::uint64_t>(
                                                          segment.file_bytes, 256)));
    elf.interpreter = Fields(name).text(0, 256);
  }
  TRY_VOID(read_sections(elf, reader, sections_at, section_count, names_index));
  Result<ImageInfo> info = elf.solo5.target != 0 ? elf.solo5.judge(elf.is64, elf.entry)
                                                 : judge(elf, head);
  if (!info) return info.error();
  if (elf.solo5.target != 0 && elf.ident == Family::unifleet) {
    info->family = Family::unifleet;
    info->summary = "Unifleet, " + info->summary;
  }
  const bool is_x86 = elf.machine == kX86_64 || elf.machine == k386;
  info->arch = is_x86 ? Arch::x86_64 : elf.machine == kAarch64 ? Arch::aarch64 : Arch::other;
  info->machine = machine_name(elf.machine);
  info->language = elf.language;
  return info;
}

}  // namespace images
