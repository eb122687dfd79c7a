#include "agent/monitors/probe_guest.h"

#include <elf.h>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>

#include "images/abi/arm64_image.h"
#include "images/abi/elf.h"
#include "images/abi/solo5.h"

namespace monitors {
namespace {

namespace abi = images::abi;

// --- QEMU ---

constexpr std::uint32_t kPvhAddress = 0x100000;
constexpr std::uint32_t kXenPhys32Entry = 18;

#define FLEET_LE32(number) \
  (number) & 0xff, (number) >> 8 & 0xff, (number) >> 16 & 0xff, (number) >> 24 & 0xff

/// 32-bit protected mode, flat, no paging: what PVH hands over.
constexpr unsigned char kPvhCode[] = {
    0xb9, FLEET_LE32(kProbeLoops),  // mov ecx, loops
    0x49,                           // again: dec ecx
    0x75, 0xfd,                     // jnz again
    0x0f, 0x20, 0xe0,               // mov eax, cr4
    0x0d, 0x00, 0x06, 0x00, 0x00,   // or eax, OSFXSR | OSXMMEXCPT
    0x0f, 0x22, 0xe0,               // mov cr4, eax
    0x0f, 0x20, 0xc0,               // mov eax, cr0
    0x83, 0xe0, 0xfb,               // and eax, ~EM
    0x83, 0xc8, 0x02,               // or eax, MP
    0x0f, 0x22, 0xc0,               // mov cr0, eax
    0x0f, 0x57, 0xc0,               // xorps xmm0, xmm0: the first SSE instruction
    0x0f, 0x58, 0xc0,               // addps xmm0, xmm0
    0xb0, kProbeStatus,             // mov al, value
    0xe6, 0xf4,                     // out 0xf4, al: isa-debug-exit ends QEMU
    0xf4,                           // halt: hlt
    0xeb, 0xfd,                     // jmp halt
};

struct XenNote {
  Elf32_Nhdr header{4, 4, kXenPhys32Entry};
  char name[4] = {'X', 'e', 'n', '\0'};
  std::uint32_t entry = kPvhAddress;
};

struct PvhFile {
  Elf32_Ehdr header{};
  Elf32_Phdr load{};
  Elf32_Phdr note{};
  XenNote xen;
  unsigned char code[sizeof kPvhCode];
};

// EL1 without MMU: what Linux's boot protocol hands over.
constexpr std::uint32_t kImageCode[] = {
    0xd2a00600,                                // mov x0, FPEN
    0xd5181040,                                // msr cpacr_el1, x0: floating point is allowed
    0xd5033fdf,                                // isb
    0x1e202800,                                // fadd s0, s0, s0
    0x52800001 | (kProbeLoops & 0xffff) << 5,  // mov w1, loops
    0x72a00001 | (kProbeLoops >> 16) << 5,     // movk w1, loops, lsl 16
    0x71000421,                                // again: subs w1, w1, 1
    0x54ffffe1,                                // b.ne again
    0xd2a12002,                                // mov x2, virt's PL011
    0x52800000 | kProbeWord[0] << 5,           // mov w0, the word
    0xb9000040,                                // str w0, [x2]
    0x52b08000,                                // mov w0, PSCI's SYSTEM_OFF
    0x72800100,                                // movk w0, its low half
    0xd4000002,                                // hvc 0
    0x14000000,                                // b .
};

struct ImageFile {
  abi::Arm64ImageHeader header{};
  std::uint32_t code[std::size(kImageCode)];
};

// --- The tenders. SSE first: a KVM that dies of it does so at once. ---

/// hvt: lies behind the code, which names its address.
constexpr std::uint32_t kHaltCallAddress = abi::kGuestImageStart + 0x100;

#ifdef __x86_64__
constexpr std::uint16_t kMachine = abi::kElfMachineX86;
constexpr unsigned char kSptCode[] = {
    0x0f, 0x57, 0xc0,               // xorps xmm0, xmm0
    0x0f, 0x58, 0xc0,               // addps xmm0, xmm0
    0xb9, FLEET_LE32(kProbeLoops),  // mov ecx, loops
    0xff, 0xc9,                     // again: dec ecx
    0x75, 0xfc,                     // jnz again
    0xbf, FLEET_LE32(kProbeStatus), // mov edi, status
    0xb8, FLEET_LE32(231),          // mov eax, exit_group
    0x0f, 0x05,                     // syscall
};
constexpr unsigned char kHvtCode[] = {
    0x0f, 0x57, 0xc0,                    // xorps xmm0, xmm0
    0x0f, 0x58, 0xc0,                    // addps xmm0, xmm0
    0xb9, FLEET_LE32(kProbeLoops),       // mov ecx, loops
    0xff, 0xc9,                          // again: dec ecx
    0x75, 0xfc,                          // jnz again
    0xba, FLEET_LE32(0x508),             // mov edx, the port of halt
    0xb8, FLEET_LE32(kHaltCallAddress),  // mov eax, its argument
    0xef,                                // out dx, eax
    0xf4,                                // hlt
};
#else
constexpr std::uint16_t kMachine = abi::kElfMachineAarch64;
constexpr std::uint32_t kSptCode[] = {
    0x1e202800,                                 // fadd s0, s0, s0
    0x52800001 | (kProbeLoops & 0xffff) << 5,   // mov w1, loops
    0x72a00001 | (kProbeLoops >> 16) << 5,      // movk w1, loops, lsl 16
    0x71000421,                                 // again: subs w1, w1, 1
    0x54ffffe1,                                 // b.ne again
    0x52800000 | kProbeStatus << 5,             // mov w0, status
    0x52800008 | 94 << 5,                       // mov w8, exit_group
    0xd4000001,                                 // svc 0
};
constexpr std::uint32_t kHvtCode[] = {
    0x1e202800,                                      // fadd s0, s0, s0
    0x52800001 | (kProbeLoops & 0xffff) << 5,        // mov w1, loops
    0x72a00001 | (kProbeLoops >> 16) << 5,           // movk w1, loops, lsl 16
    0x71000421,                                      // again: subs w1, w1, 1
    0x54ffffe1,                                      // b.ne again
    0xd2800002 | 8 * 8 << 5,                         // mov x2, 8 * halt
    0xf2c00002 | 1 << 5,                             // movk x2, 1, lsl 32
    0x52800001 | (kHaltCallAddress & 0xffff) << 5,   // mov w1, the argument
    0x72a00001 | (kHaltCallAddress >> 16) << 5,      // movk w1, the argument, lsl 16
    0xb9000041,                                      // str w1, [x2]
    0x14000000,                                      // b .
};
#endif
static_assert(sizeof kHvtCode <= 0x100);

constexpr std::size_t kEmptyManifestBytes = abi::manifest_bytes(1);

struct Solo5Note {
  abi::ElfNote header;
  char owner[8];
};

struct Solo5File {
  abi::ElfHeader header;
  abi::ElfSegment load;
  abi::ElfSegment note;
  Solo5Note abi_note;
  abi::Solo5Abi abi;
  Solo5Note manifest_note;
  std::uint8_t manifest[abi::kManifestNotePadding + kEmptyManifestBytes];
  alignas(abi::HaltCall) std::uint8_t code[0x100];
  abi::HaltCall halt;
};
static_assert(offsetof(Solo5File, halt) == offsetof(Solo5File, code) + 0x100);

Solo5Note solo5_note(std::uint32_t type, std::size_t content_bytes) {
  Solo5Note note{{sizeof abi::kSolo5Owner, static_cast<std::uint32_t>(content_bytes), type}, {}};
  std::memcpy(note.owner, abi::kSolo5Owner, sizeof abi::kSolo5Owner);
  return note;
}

std::string pvh_probe_guest() {
  PvhFile elf;
  std::memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
  elf.header.e_ident[EI_CLASS] = ELFCLASS32;
  elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.header.e_ident[EI_VERSION] = EV_CURRENT;
  elf.header.e_type = ET_EXEC;
  elf.header.e_machine = EM_386;
  elf.header.e_version = EV_CURRENT;
  elf.header.e_entry = kPvhAddress;
  elf.header.e_phoff = offsetof(PvhFile, load);
  elf.header.e_ehsize = sizeof(Elf32_Ehdr);
  elf.header.e_phentsize = sizeof(Elf32_Phdr);
  elf.header.e_phnum = 2;
  elf.load = {PT_LOAD,         offsetof(PvhFile, code), kPvhAddress, kPvhAddress,
              sizeof kPvhCode, sizeof kPvhCode,         PF_R | PF_X, 1};
  elf.note = {PT_NOTE, offsetof(PvhFile, xen), 0, 0, sizeof(XenNote), sizeof(XenNote), PF_R, 4};
  std::memcpy(elf.code, kPvhCode, sizeof kPvhCode);
  std::string bytes(reinterpret_cast<const char*>(&elf), sizeof elf);
  bytes.resize(8192);  // QEMU looks for other boot protocols in the first 8 KiB
  return bytes;
}

std::string image_probe_guest() {
  ImageFile image;
  image.header.code[0] = 0x14000000 | sizeof image.header / 4;  // b to the code
  image.header.load_offset = 0x200000;
  image.header.size_bytes = sizeof image;
  image.header.flags = abi::kArm64LittleEndian4K;
  image.header.magic = abi::kArm64ImageMagic;
  std::memcpy(image.code, kImageCode, sizeof kImageCode);
  return std::string(reinterpret_cast<const char*>(&image), sizeof image);
}

}  // namespace

std::string qemu_probe_guest(Arch host) {
  return host == Arch::aarch64 ? image_probe_guest() : pvh_probe_guest();
}

std::string solo5_probe_guest(Target target) {
  Solo5File file{};
  std::memcpy(file.header.magic, abi::kElfMagic, sizeof abi::kElfMagic);
  file.header.file_class = abi::kElfClass64;
  file.header.data = abi::kElfLittleEndian;
  file.header.ident_version = abi::kElfVersion;
  file.header.type = abi::kElfExecutable;
  file.header.machine = kMachine;
  file.header.version = abi::kElfVersion;
  file.header.entry = abi::kGuestImageStart;
  file.header.segments_offset = offsetof(Solo5File, load);
  file.header.header_bytes = sizeof(abi::ElfHeader);
  file.header.segment_bytes = sizeof(abi::ElfSegment);
  file.header.segment_count = 2;
  constexpr std::size_t kLoadBytes = sizeof file.code + sizeof file.halt;
  file.load = {abi::kSegmentLoad,     abi::kSegmentRead | abi::kSegmentExecute,
               offsetof(Solo5File, code), abi::kGuestImageStart,
               abi::kGuestImageStart, kLoadBytes,
               kLoadBytes,            4096};
  constexpr std::size_t kNotesOffset = offsetof(Solo5File, abi_note);
  constexpr std::size_t kNotesBytes = offsetof(Solo5File, code) - kNotesOffset;
  file.note = {abi::kSegmentNote, abi::kSegmentRead, kNotesOffset, 0, 0,
               kNotesBytes,       kNotesBytes,       4};
  file.abi_note = solo5_note(abi::kAbiNoteType, sizeof file.abi);
  file.abi.target = target == Target::hvt ? abi::kTargetHvt : abi::kTargetSpt;
  file.abi.version = abi::kNewestSolo5Version;
  file.manifest_note = solo5_note(abi::kManifestNoteType, sizeof file.manifest);
  abi::ManifestEntry reserved{};
  reserved.type = abi::kDeviceReserved;
  const std::uint32_t head[] = {abi::kManifestVersion, 1};
  std::uint8_t* manifest = file.manifest + abi::kManifestNotePadding;
  std::memcpy(manifest, head, sizeof head);
  std::memcpy(manifest + offsetof(abi::Manifest, entries), &reserved, sizeof reserved);
  std::span<const std::byte> code = std::as_bytes(std::span(kSptCode));
  if (target == Target::hvt) code = std::as_bytes(std::span(kHvtCode));
  std::memcpy(file.code, code.data(), code.size());
  file.halt.status = kProbeStatus;
  return std::string(reinterpret_cast<const char*>(&file), sizeof file);
}

}  // namespace monitors
