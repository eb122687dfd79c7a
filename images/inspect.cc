// Inspect: the order of recognition (FORMATS 1a), and everything that is no ELF.
#include "images/inspect.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "images/abi/arm64_image.h"
#include "images/abi/elf.h"
#include "images/inspect_elf.h"
#include "images/inspect_reader.h"

namespace images {

using proto::Code;
using proto::Error;

namespace {

constexpr std::uint64_t kHeadBytes = 64 * 1024;
constexpr std::size_t kSectorBytes = 512;

// Files that people push by mistake, and what to do instead.
struct Stranger {
  std::size_t offset;
  std::string_view magic;
  const char* what;
};
constexpr std::array<Stranger, 12> kStrangers = {{
    {0, "\x1f\x8b", "a gzip file; unpack it first (gunzip)"},
    {0, "\xfd"
        "7zXZ", "an xz file; unpack it first (unxz)"},
    {0, "\x28\xb5\x2f\xfd", "a zstd file; unpack it first (unzstd)"},
    {0, "BZh", "a bzip2 file; unpack it first (bunzip2)"},
    {0, "PK\x03\x04", "a zip file; unpack it first"},
    {0, "070701", "a cpio archive; that is an initrd: give it beside its kernel, "
                  "images: {kernel: .., initrd: ..}"},
    {0, "070702", "a cpio archive; that is an initrd: give it beside its kernel, "
                  "images: {kernel: .., initrd: ..}"},
    {257, "ustar", "a tar archive; give the image that is in it"},
    {0, "!<arch>\n", "a library or a Debian package; give the image that is in it"},
    {0, "{", "a JSON text; if it is an OCI image's manifest, write oci://REF"},
    {0, "\xd0\x0d\xfe\xed", "a device tree or FIT; give the kernel that is in it"},
    {0, "\xca\xfe\xba\xbe", "a macOS or Java file"},
}};

constexpr const char* kExpected =
    "; an ELF of Solo5, PVH or multiboot, a Linux bzImage or arm64 Image, or a disk is expected";

Error stranger(const Fields& head, std::uint64_t size_bytes) {
  if (size_bytes == 0) return bad_image(std::string("not an image: the file is empty") + kExpected);
  for (const Stranger& one : kStrangers) {
    if (head.has(one.offset, one.magic)) {
      return bad_image(std::string("not an image: it is ") + one.what);
    }
  }
  const std::string start = head.text(0, 200);
  const std::string line = start.substr(0, std::min(start.find_first_of("\r\n"), start.size()));
  const bool is_text = !line.empty() && std::all_of(line.begin(), line.end(), [](char c) {
    return (c >= ' ' && c <= '~') || c == '\t';
  });
  if (is_text) {
    return bad_image("not an image: starts with '" + printable(line, 40) + "'" + kExpected);
  }
  if (head.has(0, "MZ")) return bad_image(std::string("not an image: an EFI or Windows program") +
                                          kExpected);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string bytes;
  for (std::size_t i = 0; i < 8 && i < head.size(); ++i) {
    bytes += std::string(i == 0 ? "" : " ") + kDigits[head.u8(i) >> 4] + kDigits[head.u8(i) & 15];
  }
  return bad_image("not an image: starts with the bytes " + bytes + kExpected);
}

Result<ImageInfo> inspect_arm64(const Fields& head) {
  ImageInfo info;
  info.family = Family::unknown;  // Linux, Unikraft, OSv and NetBSD all wear this header, and ours
  info.arch = Arch::aarch64;
  info.platform = Platform::virtio;
  info.boot = BootProtocol::arm64_image;
  const std::uint64_t flags = head.u64(24);
  if ((flags & 1) != 0) return bad_image("an arm64 Image for a big-endian CPU");
  // Ours says so right behind the header.
  std::size_t at = sizeof(abi::Arm64ImageHeader);
  for (auto note = next_note(head, at); note; note = next_note(head, at)) {
    if (note->owner != abi::kUnifleetOwner) break;
    info.family = Family::unifleet;
    if (note->type == abi::kUnifleetLanguageNote) info.language = language_of(note->content);
  }
  info.summary = name_of(info.boot);
  if (info.family == Family::unifleet) info.summary = "Unifleet, " + info.summary;
  return info;
}

Result<ImageInfo> inspect_bzimage(const ImageReader& reader, const Fields& head) {
  const std::uint16_t version = head.u16(0x206);
  const std::uint64_t setup_sectors = head.u8(0x1f1) == 0 ? 4 : head.u8(0x1f1);
  const std::uint64_t code_bytes = std::uint64_t{head.u32(0x1f4)} * 16;
  const std::uint64_t setup_bytes = (setup_sectors + 1) * kSectorBytes;
  if (reader.size_bytes() <= setup_bytes) {
    return bad_image("cut short: a Linux kernel's setup needs " + std::to_string(setup_bytes) +
                     " bytes, the file has " + std::to_string(reader.size_bytes()));
  }
  // The last paragraph may be unfilled in the file.
  if (version >= 0x0204 && code_bytes > reader.size_bytes() - setup_bytes + 15) {
    return bad_image("cut short: a Linux kernel of " + std::to_string(setup_bytes + code_bytes) +
                     " bytes, the file has " + std::to_string(reader.size_bytes()));
  }
  ImageInfo info;
  info.family = Family::linux;
  info.arch = Arch::x86_64;
  info.platform = Platform::virtio;
  info.boot = BootProtocol::bzimage;
  info.summary = "Linux";
  const std::uint16_t text_at = head.u16(0x20e);
  if (text_at != 0) {
    TRY(const auto text, reader.up_to(std::uint64_t{text_at} + 0x200, 64));
    const std::string release = Fields(text).text(0, 64);
    const std::string word = release.substr(0, std::min(release.find(' '), release.size()));
    if (!word.empty()) info.summary += " " + printable(word, 40);
  }
  info.summary += ", bzImage";
  return info;
}

// Nanos' boot file system begins with its magic; it stands in partitions of type 0x83.
Result<bool> is_nanos(const ImageReader& reader, const Fields& head) {
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t at = 446 + i * 16;
    if (head.u8(at + 4) != 0x83) continue;
    TRY(const auto start, reader.up_to(std::uint64_t{head.u32(at + 8)} * kSectorBytes, 16));
    const std::string_view view(reinterpret_cast<const char*>(start.data()), start.size());
    if (view.find("NVMTFS") != std::string_view::npos) return true;
  }
  return false;
}

Result<ImageInfo> inspect_disk(const ImageReader& reader, const Fields& head) {
  ImageInfo info;
  info.platform = Platform::virtio;
  info.boot = BootProtocol::disk;
  if (head.has(kSectorBytes, "EFI PART")) {
    info.summary = "disk, GPT";
    return info;
  }
  info.arch = Arch::x86_64;  // a boot sector is x86 code
  TRY(const bool nanos, is_nanos(reader, head));
  TRY(const auto at_lba_128, reader.up_to(128 * kSectorBytes, 4));
  if (nanos) info.family = Family::nanos;
  else if (Fields(at_lba_128).has(0, "\x7f" "ELF")) info.family = Family::osv;
  info.summary = info.family == Family::unknown ? "disk, boot sector"
                                                : std::string(name_of(info.family)) + ", disk";
  return info;
}

// A backing or data file would make the monitor open another file of the host.
Result<ImageInfo> inspect_qcow2(const Fields& head) {
  const std::uint32_t version = head.u32_big(4);
  if (head.size() < 72 || (version != 2 && version != 3)) {
    return bad_image("cut short or damaged: a qcow2 disk of version " + std::to_string(version));
  }
  if (head.u64_big(8) != 0) {
    return bad_image("a qcow2 disk on top of a backing file; join them first "
                     "(qemu-img convert -O raw)");
  }
  if (version == 3 && (head.u64_big(72) & 4) != 0) {
    return bad_image("a qcow2 disk with its data in another file; join them first "
                     "(qemu-img convert -O raw)");
  }
  ImageInfo info;
  info.platform = Platform::virtio;
  info.boot = BootProtocol::disk;
  info.summary = "disk, qcow2 of " + std::to_string(head.u64_big(24) / (1024 * 1024)) + " MiB";
  return info;
}

Result<ImageInfo> inspect_reader(const ImageReader& reader) {
  TRY(const auto bytes, reader.up_to(0, kHeadBytes));
  const Fields head(bytes);
  if (head.has(0, "\x7f" "ELF")) return inspect_elf(reader, head);
  if (head.has(0, "QFI\xfb")) return inspect_qcow2(head);
  if (head.has(0x38, "ARM\x64") && head.size() >= 64) return inspect_arm64(head);
  const bool boot_mark = head.u16(510) == 0xaa55;
  if (boot_mark && head.has(0x202, "HdrS")) return inspect_bzimage(reader, head);
  if (boot_mark || head.has(kSectorBytes, "EFI PART")) return inspect_disk(reader, head);
  if (head.has(0, "070701") || head.has(0, "\x1f\x8b")) return stranger(head, reader.size_bytes());
  if (find_multiboot(head) >= 0) {
    ImageInfo info;
    info.arch = Arch::x86_64;
    info.platform = Platform::virtio;
    info.boot = BootProtocol::multiboot;
    info.summary = "multiboot image";
    return info;
  }
  return stranger(head, reader.size_bytes());
}

}  // namespace

const char* name_of(Arch arch) {
  switch (arch) {
    case Arch::unknown: return "unknown";
    case Arch::x86_64: return "x86_64";
    case Arch::aarch64: return "aarch64";
    case Arch::other: return "other";
  }
  return "unknown";
}

const char* name_of(Platform platform) {
  switch (platform) {
    case Platform::unknown: return "unknown";
    case Platform::virtio: return "virtio";
    case Platform::hvt: return "hvt";
    case Platform::spt: return "spt";
    case Platform::bare: return "bare";
  }
  return "unknown";
}

const char* name_of(Family family) {
  switch (family) {
    case Family::unknown: return "unknown";
    case Family::solo5: return "Solo5";
    case Family::unikraft: return "Unikraft";
    case Family::nanos: return "Nanos";
    case Family::osv: return "OSv";
    case Family::hermit: return "Hermit";
    case Family::rumprun: return "Rumprun";
    case Family::includeos: return "IncludeOS";
    case Family::netbsd: return "NetBSD";
    case Family::freebsd: return "FreeBSD";
    case Family::linux: return "Linux";
    case Family::unifleet: return "Unifleet";
  }
  return "unknown";
}

const char* name_of(BootProtocol boot) {
  switch (boot) {
    case BootProtocol::none: return "none";
    case BootProtocol::solo5: return "Solo5";
    case BootProtocol::pvh: return "PVH";
    case BootProtocol::multiboot: return "multiboot";
    case BootProtocol::bzimage: return "bzImage";
    case BootProtocol::linux64: return "Linux 64-bit entry";
    case BootProtocol::arm64_image: return "arm64 Image";
    case BootProtocol::arm64_elf: return "arm64 ELF";
    case BootProtocol::hermit_loader: return "Hermit loader";
    case BootProtocol::disk: return "disk";
  }
  return "none";
}

Result<ImageInfo> inspect(std::span<const std::byte> whole) {
  return inspect_reader(ImageReader(whole));
}

Result<ImageInfo> inspect_descriptor(int descriptor) {
  TRY(const ImageReader reader, ImageReader::open(descriptor));
  return inspect_reader(reader);
}

Result<ImageInfo> inspect_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const Code code = errno == ENOENT ? Code::not_found : Code::io;
    return Error{code, path + ": " + std::strerror(errno), path};
  }
  auto info = inspect_descriptor(descriptor);
  ::close(descriptor);
  if (!info) return info.error().with(path);
  return info;
}

Status check_runs_on(const ImageInfo& info, Arch arch) {
  FLEET_ASSERT(arch == Arch::x86_64 || arch == Arch::aarch64);
  if (info.arch == arch || info.arch == Arch::unknown) return {};
  const std::string built_for = info.arch == Arch::other ? info.machine : name_of(info.arch);
  return Error{Code::wrong_arch,
               "the image is built for " + built_for + ", this device is " + name_of(arch) +
                   "; add an image for " + name_of(arch) + " to the manifest",
               {}};
}

}  // namespace images
