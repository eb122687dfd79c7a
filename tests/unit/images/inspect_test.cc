// inspect: every family by its bytes, and everything that is no image by a sentence.
#include "images/inspect.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "fleet/v1/app.pb.h"
#include "tests/unit/images/sample.h"

namespace images {
namespace {

using proto::Code;

Result<ImageInfo> look(const std::string& bytes) {
  return inspect(std::as_bytes(std::span(bytes)));
}

sample::Elf solo5(std::uint32_t target, std::uint32_t version,
                  const std::vector<sample::Device>& devices = {}) {
  sample::Elf elf;
  elf.notes = {sample::solo5_abi(target, version), sample::solo5_manifest(devices)};
  elf.interpreter = "/nonexistent/solo5/";
  return elf;
}

sample::Elf with_notes(std::vector<std::string> notes, std::vector<std::string> sections = {}) {
  sample::Elf elf;
  elf.notes = std::move(notes);
  elf.sections = std::move(sections);
  return elf;
}

sample::Elf with_text(std::string text, bool is64, std::vector<std::string> sections = {}) {
  sample::Elf elf;
  elf.text = std::move(text) + std::string(80, '\0');
  elf.is64 = is64;
  elf.machine = is64 ? 62 : 3;
  elf.sections = std::move(sections);
  return elf;
}

struct Known {
  const char* sentence;
  std::string bytes;
  Family family;
  Arch arch;
  Platform platform;
  BootProtocol boot;
  std::string summary;
};

sample::Elf for_machine(sample::Elf elf, std::uint16_t machine) {
  elf.machine = machine;
  return elf;
}

std::vector<Known> known() {
  using F = Family;
  using A = Arch;
  using P = Platform;
  using B = BootProtocol;
  const std::string mark = sample::number(std::uint32_t{0xFEE1DEAD});
  std::string mbr(512 * 200, '\0');
  sample::put(mbr, 510, std::uint16_t{0xaa55});
  std::string nanos = mbr;
  nanos[446 + 4] = '\x83';
  sample::put(nanos, 446 + 8, std::uint32_t{103});
  std::memcpy(nanos.data() + 103 * 512, "NVMTFS", 6);
  std::string osv = mbr;
  std::memcpy(osv.data() + 128 * 512, "\x7f" "ELF", 4);
  std::string gpt(1024, '\0');
  std::memcpy(gpt.data() + 512, "EFI PART", 8);
  sample::Elf hermit = with_notes({sample::note("GNU", 1, sample::number(std::uint32_t{6}))});
  hermit.osabi = 255;
  sample::Elf ours_for_spt = solo5(2, 2, {{"service", 2}});
  ours_for_spt.notes.push_back(sample::note("Unifleet", 1, sample::number(std::uint32_t{1})));
  return {
      {"Solo5 spt with a net", solo5(2, 2, {{"service", 2}}).bytes(), F::solo5, A::x86_64, P::spt,
       B::solo5, "Solo5 spt, ABI 2, 1 net"},
      {"Solo5 hvt with both", solo5(1, 1, {{"a", 2}, {"b", 1}, {"c", 2}}).bytes(), F::solo5,
       A::x86_64, P::hvt, B::solo5, "Solo5 hvt, ABI 1, 2 net, 1 block"},
      {"Solo5 hvt for ARM64", for_machine(solo5(1, 2), 183).bytes(), F::solo5, A::aarch64, P::hvt,
       B::solo5, "Solo5 hvt, ABI 2"},
      {"Solo5 virtio", solo5(3, 1).bytes(), F::solo5, A::x86_64, P::virtio, B::multiboot,
       "Solo5 virtio, ABI 1"},
      {"ours", with_notes({sample::pvh_note() +
                           sample::note("Unifleet", 1, sample::number(std::uint32_t{1}))}).bytes(),
       F::unifleet, A::x86_64, P::virtio, B::pvh, "Unifleet, PVH"},
      {"ours for spt", ours_for_spt.bytes(), F::unifleet, A::x86_64, P::spt, B::solo5,
       "Unifleet, Solo5 spt, ABI 2, 1 net"},
      {"PVH with no other sign", with_notes({sample::pvh_note()}).bytes(), F::unknown, A::x86_64,
       P::virtio, B::pvh, "ELF, PVH"},
      {"OSv", with_notes({sample::note("Xen", 6, "osv") + sample::pvh_note()}).bytes(), F::osv,
       A::x86_64, P::virtio, B::pvh, "OSv, PVH"},
      {"Linux as PVH", with_notes({sample::note("Xen", 6, "linux"), sample::pvh_note()}).bytes(),
       F::linux, A::x86_64, P::virtio, B::pvh, "Linux, PVH"},
      {"NetBSD by its ident", with_notes({sample::note("NetBSD", 1, "1234"),
                                          sample::pvh_note()}).bytes(),
       F::netbsd, A::x86_64, P::virtio, B::pvh, "NetBSD, PVH"},
      {"Unikraft for QEMU", with_text(sample::multiboot(3), false, {".uk_libinfo"}).bytes(),
       F::unikraft, A::x86_64, P::virtio, B::multiboot, "Unikraft, multiboot"},
      {"Unikraft for Firecracker", with_text("", true, {".text", ".uk_bootinfo"}).bytes(),
       F::unikraft, A::x86_64, P::virtio, B::linux64, "Unikraft, Linux 64-bit entry"},
      {"IncludeOS", with_text(sample::multiboot(0x10003) + std::string(20, '\0') + mark, false)
       .bytes(), F::includeos, A::x86_64, P::virtio, B::multiboot, "IncludeOS, multiboot"},
      {"Rumprun", with_text(sample::multiboot(0x10003), false, {".bootstrap"}).bytes(),
       F::rumprun, A::x86_64, P::virtio, B::multiboot, "Rumprun, multiboot"},
      {"Hermit", hermit.bytes(), F::hermit, A::x86_64, P::virtio, B::hermit_loader,
       "Hermit, Hermit loader"},
      {"an ARM64 ELF", for_machine(with_notes({}), 183).bytes(), F::unknown, A::aarch64,
       P::virtio, B::arm64_elf, "ELF, arm64 ELF"},
      {"a Linux kernel", sample::bzimage(), F::linux, A::x86_64, P::virtio, B::bzimage,
       "Linux 6.1.0-18-cloud-amd64, bzImage"},
      {"an arm64 Image", sample::arm64_image(), F::unknown, A::aarch64, P::virtio, B::arm64_image,
       "arm64 Image"},
      {"a flat multiboot image", sample::multiboot(0x10003) + std::string(600, '\0'), F::unknown,
       A::x86_64, P::virtio, B::multiboot, "multiboot image"},
      {"a disk with a boot sector", mbr, F::unknown, A::x86_64, P::virtio, B::disk,
       "disk, boot sector"},
      {"a GPT disk", gpt, F::unknown, A::unknown, P::virtio, B::disk, "disk, GPT"},
      {"a Nanos disk", nanos, F::nanos, A::x86_64, P::virtio, B::disk, "Nanos, disk"},
      {"an OSv disk", osv, F::osv, A::x86_64, P::virtio, B::disk, "OSv, disk"},
      {"a qcow2 disk", sample::qcow2(), F::unknown, A::unknown, P::virtio, B::disk,
       "disk, qcow2 of 4 MiB"},
  };
}

TEST(Inspect, EveryFamilyIsKnownByItsBytes) {
  for (const Known& one : known()) {
    SCOPED_TRACE(one.sentence);
    auto info = look(one.bytes);
    ASSERT_TRUE(info) << info.error().what;
    EXPECT_EQ(info->family, one.family) << name_of(info->family);
    EXPECT_EQ(info->arch, one.arch);
    EXPECT_EQ(info->platform, one.platform);
    EXPECT_EQ(info->boot, one.boot) << name_of(info->boot);
    EXPECT_EQ(info->summary, one.summary);
    EXPECT_EQ(info->obstacle, "");
  }
}

TEST(Inspect, AFileCutAtAnyByteNeverPassesForWhole) {
  for (const Known& one : known()) {
    if (one.bytes.size() > 10'000) continue;
    for (std::size_t length = 0; length < one.bytes.size(); ++length) {
      auto info = look(one.bytes.substr(0, length));
      if (info) continue;  // a shorter image may be one; what matters is that nothing is read past
      EXPECT_EQ(info.error().code, Code::bad_image) << one.sentence << " at " << length;
    }
  }
  // Those whose headers name every byte are refused at every cut.
  for (const std::string& bytes : {solo5(2, 2, {{"service", 2}}).bytes(),
                                   with_notes({sample::pvh_note()}).bytes()}) {
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_FALSE(look(bytes.substr(0, length))) << length;
    }
  }
}

TEST(Inspect, EveryFlippedByteIsHandled) {
  for (const Known& one : known()) {
    if (one.bytes.size() > 3'000) continue;
    for (std::size_t at = 0; at < one.bytes.size(); ++at) {
      for (const char with : {'\x00', '\x01', '\x7f', '\xff'}) {
        std::string bytes = one.bytes;
        bytes[at] = with;
        auto info = look(bytes);
        if (!info) {
          EXPECT_EQ(info.error().code, Code::bad_image) << one.sentence << " at " << at;
        }
      }
    }
  }
}

TEST(Inspect, WhatIsNoImageIsSaidInWords) {
  struct Case {
    const char* sentence;
    std::string bytes;
    const char* words;
  };
  sample::Elf program = with_notes({sample::note("GNU", 1, sample::number(std::uint32_t{0}))});
  program.interpreter = "/lib64/ld-linux-x86-64.so.2";
  sample::Elf object = with_notes({});
  object.type = 1;
  sample::Elf big = with_notes({});
  big.big_endian = 2;
  sample::Elf stray = with_notes({sample::pvh_note()});
  stray.entry = 0x90000;
  std::string long_note = sample::pvh_note();
  sample::put(long_note, 4, std::uint32_t{0xfffffff0});
  std::string backing = sample::qcow2();
  backing[15] = 1;
  std::string data_file = sample::qcow2();
  data_file[79] = 4;
  std::string tar(600, '\0');
  std::memcpy(tar.data() + 257, "ustar", 5);
  sample::Elf no_manifest = with_notes({sample::solo5_abi(1, 2)});
  const std::vector<Case> cases = {
      {"empty", "", "the file is empty"},
      {"a script", "#!/bin/sh\necho hello\n", "starts with '#!/bin/sh'"},
      {"a text", "version: 1\n", "starts with 'version: 1'"},
      {"zeros", std::string(2000, '\0'), "starts with the bytes 00 00 00"},
      {"one byte", "\x01", "starts with the bytes 01"},
      {"gzip", "\x1f\x8b\x08 and so on", "gunzip"},
      {"xz", "\xfd" "7zXZ\0", "unxz"},
      {"zip", "PK\x03\x04", "a zip file"},
      {"an initrd", "070701 and so on", "images: {kernel: .., initrd: ..}"},
      {"tar", tar, "a tar archive"},
      {"a Windows program", "MZ\x90\x01\x02", "an EFI or Windows program"},
      {"a Linux program", program.bytes(), "a Linux program for x86_64 (needs /lib64/ld-linux"},
      {"an object file", object.bytes(), "not linked"},
      {"big endian", big.bytes(), "big-endian"},
      {"an entry outside", stray.bytes(), "entry lies outside"},
      {"a note outside its segment", with_notes({long_note}).bytes(), "does not fall within"},
      {"qcow2 on a backing file", backing, "backing file"},
      {"qcow2 with its data elsewhere", data_file, "data in another file"},
      {"an ELF header alone", std::string("\x7f" "ELF\x02\x01\x01", 7), "cut short"},
      {"Solo5 without a manifest", no_manifest.bytes(), "without its manifest"},
      {"an odd Solo5 target", solo5(9, 2).bytes(), "target number 9"},
      {"a Solo5 device of odd type", solo5(1, 2, {{"x", 7}}).bytes(), "of type 7"},
      {"a Solo5 device of odd name", solo5(1, 2, {{"x;rm", 2}}).bytes(), "\"x;rm\""},
      {"a kernel cut short", sample::bzimage().substr(0, 3000), "cut short"},
  };
  for (const Case& one : cases) {
    auto info = look(one.bytes);
    ASSERT_FALSE(info) << one.sentence << ": " << info->summary;
    EXPECT_EQ(info.error().code, Code::bad_image) << one.sentence;
    EXPECT_NE(info.error().what.find(one.words), std::string::npos)
        << one.sentence << ": " << info.error().what;
  }
}

TEST(Inspect, ForeignTextCannotForgeALine) {
  auto info = look("#!/bin/\x1b[31msh\x07 x\n");
  ASSERT_FALSE(info);
  for (const char c : info.error().what) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(Inspect, WhatNothingHereCanBootHasAnObstacle) {
  struct Case {
    const char* sentence;
    std::string bytes;
    const char* words;
  };
  const std::vector<Case> cases = {
      {"Xen PV by its notes", with_notes({sample::note("Xen", 6, "MiniOS")}).bytes(), "PV"},
      {"Xen PV by its section", with_notes({}, {"__xen_guest"}).bytes(), "PV"},
      {"Solo5 for muen", solo5(4, 2).bytes(), "muen"},
      {"a newer Solo5 ABI", solo5(1, 3).bytes(), "ABI 3"},
      {"RISC-V", for_machine(with_notes({}), 243).bytes(), "RISC-V"},
  };
  for (const Case& one : cases) {
    auto info = look(one.bytes);
    ASSERT_TRUE(info) << one.sentence << info.error().what;
    EXPECT_NE(info->obstacle.find(one.words), std::string::npos) << info->obstacle;
  }
}

TEST(Inspect, AnImageForAnotherCpuIsTold) {
  const auto arm = look(for_machine(solo5(1, 2), 183).bytes()).value();
  const auto risc = look(for_machine(with_notes({}), 243).bytes()).value();
  const auto disk = look(sample::qcow2()).value();
  EXPECT_TRUE(check_runs_on(arm, Arch::aarch64));
  EXPECT_TRUE(check_runs_on(disk, Arch::x86_64));
  const Status refused = check_runs_on(arm, Arch::x86_64);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::wrong_arch);
  EXPECT_EQ(refused.error().what, "the image is built for aarch64, this device is x86_64; add an "
                                  "image for x86_64 to the manifest");
  EXPECT_NE(check_runs_on(risc, Arch::aarch64).error().what.find("RISC-V"), std::string::npos);
}

TEST(Inspect, DevicesComeInTheirOrder) {
  const auto info = look(solo5(1, 2, {{"service", 2}, {"storage", 1}}).bytes()).value();
  const std::vector<ImageDevice> want = {{"service", DeviceKind::net},
                                         {"storage", DeviceKind::block}};
  EXPECT_EQ(info.devices, want);
  EXPECT_EQ(info.entry, 0x100000u);
}

TEST(Inspect, TheLanguageOfItsFilesIsToldAndNoFamily) {
  sample::Elf elf;
  elf.notes = {sample::pvh_note(), sample::note("Unifleet", 2, std::string("firewall/1\0", 11))};
  const auto info = look(elf.bytes()).value();
  EXPECT_EQ(info.language, "firewall/1");
  EXPECT_EQ(info.family, Family::unknown);
  elf.notes.back() = sample::note("Unifleet", 2, std::string(5000, 'x'));
  EXPECT_EQ(look(elf.bytes())->language.size(), 64u);
}

TEST(Inspect, AnArm64ImageOfOursSaysSoBehindItsHeader) {
  const std::string header = sample::arm64_image().substr(0, 64);
  const std::string own = sample::note("Unifleet", 1, std::string("\1\0\0\0", 4));
  const std::string language = sample::note("Unifleet", 2, std::string("dns/1\0", 6));
  const auto info = look(header + own + language + std::string(4096, 'x')).value();
  EXPECT_EQ(info.family, Family::unifleet);
  EXPECT_EQ(info.language, "dns/1");
  EXPECT_EQ(info.summary, "Unifleet, arm64 Image");
  const auto foreign = look(header + sample::note("Somebody", 1, "1234") + own).value();
  EXPECT_EQ(foreign.family, Family::unknown) << "only right behind it";
  for (std::size_t size = 0; size < own.size() + language.size(); ++size) {
    EXPECT_TRUE(look(header + (own + language).substr(0, size)).has_value()) << size;
  }
}

TEST(Inspect, AFileOnDiskIsReadLikeMemory) {
  std::string path = "/tmp/fleet-inspect-XXXXXX";
  const int descriptor = ::mkstemp(path.data());
  ASSERT_GE(descriptor, 0);
  for (const Known& one : known()) {
    ASSERT_EQ(::ftruncate(descriptor, 0), 0);
    ASSERT_EQ(::pwrite(descriptor, one.bytes.data(), one.bytes.size(), 0),
              static_cast<ssize_t>(one.bytes.size()));
    auto info = inspect_file(path);
    ASSERT_TRUE(info) << info.error().what;
    EXPECT_EQ(info->summary, one.summary);
  }
  ASSERT_EQ(::ftruncate(descriptor, 0), 0);
  EXPECT_NE(inspect_file(path).error().what.find(path), std::string::npos);
  ::close(descriptor);
  ::unlink(path.c_str());
  EXPECT_EQ(inspect_file(path).error().code, Code::not_found);
  EXPECT_EQ(inspect_file("/dev/null").error().code, Code::bad_image);
  EXPECT_EQ(inspect_file("/tmp").error().code, Code::bad_image);
}

TEST(Inspect, NumbersAreThoseOfTheSchema) {
  using namespace fleet::v1;
  EXPECT_EQ(static_cast<int>(images::Arch::x86_64), static_cast<int>(fleet::v1::X86_64));
  EXPECT_EQ(static_cast<int>(images::Arch::aarch64), static_cast<int>(fleet::v1::AARCH64));
  EXPECT_EQ(static_cast<int>(images::Platform::virtio), static_cast<int>(fleet::v1::VIRTIO));
  EXPECT_EQ(static_cast<int>(images::Platform::hvt), static_cast<int>(fleet::v1::HVT));
  EXPECT_EQ(static_cast<int>(images::Platform::spt), static_cast<int>(fleet::v1::SPT));
  EXPECT_EQ(static_cast<int>(images::Platform::bare), static_cast<int>(fleet::v1::BARE));
  for (int number = 1; number <= 11; ++number) {
    std::string name = name_of(static_cast<Family>(number));
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(name, Format_Name(static_cast<Format>(number)));
  }
  EXPECT_FALSE(Format_IsValid(12)) << "inspect must learn the new family";
}

}  // namespace
}  // namespace images
