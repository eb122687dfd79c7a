// What the loader takes and what it refuses, each refusal by its name.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/tenders/solo5_image.h"

namespace {

namespace abi = images::abi;
using proto::Code;
using sample::load;
using sample::notes;
using sample::Solo5File;

TEST(TenderImage, TakesWhatSolo5Builds) {
  const auto result = sample::read(Solo5File().bytes());
  ASSERT_TRUE(result.good) << result.what;
  EXPECT_EQ(result.image.entry, 0x100020u);
  EXPECT_EQ(result.image.segment_count, 2u);
  EXPECT_EQ(result.image.end, 0x103000u);
  EXPECT_EQ(result.image.memory_end, 0x103000u);
  EXPECT_EQ(result.image.abi_version, 2u);
  EXPECT_EQ(result.image.manifest.entry_count, 1u);
}

struct Good {
  const char* name;
  std::function<void(Solo5File&)> change;
};

/// FORMATS 1e, all in one: two segments with the notes inside the text, and a .bss of its own.
TEST(TenderImage, TakesNotesInsideTheTextAndABssWithoutBytes) {
  Solo5File file;
  file.parts[0] = load(0x100000, 5, std::string(64, '\x90') + sample::abi_note() +
                                        sample::manifest_note());
  file.parts[1] = load(0x110000, 6, "", 0x8000);
  file.header.segment_count = 4;
  const std::size_t text = sizeof file.header + 4 * sizeof(abi::ElfSegment);
  file.parts[2].segment.offset = text + 64;
  file.parts[3].segment.offset = text + 64 + sample::abi_note().size();
  const auto result = sample::read(file.bytes());
  ASSERT_TRUE(result.good) << result.what;
  EXPECT_EQ(result.image.segment_count, 1u);
  EXPECT_EQ(result.image.memory_end, 0x118000u);
}

TEST(TenderImage, TakesWhatRealImagesLookLike) {
  const Good cases[] = {
      {"an older ABI", [](Solo5File& f) { f.parts[2] = notes(sample::abi_note(2, 1)); }},
      {"both notes in one segment",
       [](Solo5File& f) {
         f.parts[2] = notes(sample::note("OpenBSD", 1, std::string(4, '\0')) + sample::abi_note() +
                            sample::manifest_note());
         f.parts.pop_back();
       }},
      {"an empty PT_LOAD at address 0", [](Solo5File& f) { f.parts.push_back(load(0, 6, "")); }},
      {"an execute-only text", [](Solo5File& f) { f.parts[0].segment.flags = 1; }},
      {"any OS ABI", [](Solo5File& f) { f.header.os_abi = 9; }},
      {"segments of no alignment", [](Solo5File& f) { f.parts[0].segment.alignment = 1; }},
      {"devices",
       [](Solo5File& f) {
         f.parts[3] = notes(sample::manifest_note({sample::entry("service", abi::kDeviceNet),
                                                   sample::entry("storage", abi::kDeviceBlock)}));
       }},
  };
  for (const Good& one : cases) {
    Solo5File file;
    one.change(file);
    const auto result = sample::read(file.bytes());
    EXPECT_TRUE(result.good) << one.name << ": " << result.what;
  }
}

TEST(TenderImage, ABssOfItsOwnNeedsMemoryButMovesNoEnd) {
  Solo5File file;
  file.parts.insert(file.parts.begin() + 2, load(0x110000, 6, "", 0x20000));
  const auto result = sample::read(file.bytes());
  ASSERT_TRUE(result.good) << result.what;
  EXPECT_EQ(result.image.end, 0x103000u);
  EXPECT_EQ(result.image.memory_end, 0x130000u);
  tenders::Failure failure;
  EXPECT_FALSE(tenders::check_fits(result.image, "guest", 0x120000, failure));
  EXPECT_EQ(failure.code, Code::no_memory);
  EXPECT_TRUE(tenders::check_fits(result.image, "guest", 0x200000, failure));
}

struct Bad {
  const char* name;
  std::function<void(Solo5File&)> change;
  Code code;
  const char* says;
};

void expect_refused(std::initializer_list<Bad> cases) {
  for (const Bad& one : cases) {
    Solo5File file;
    one.change(file);
    const auto result = sample::read(file.bytes());
    EXPECT_FALSE(result.good) << one.name;
    EXPECT_EQ(result.code, one.code) << one.name << ": " << result.what;
    EXPECT_NE(result.what.find(one.says), std::string::npos) << one.name << ": " << result.what;
  }
}

TEST(TenderImage, RefusesHeadersByWhatIsWrong) {
  expect_refused({
      {"no ELF", [](Solo5File& f) { f.header.magic[1] = 'X'; }, Code::bad_image, "not an ELF"},
      {"32 bits", [](Solo5File& f) { f.header.file_class = 1; }, Code::bad_image, "64-bit"},
      {"big endian", [](Solo5File& f) { f.header.data = 2; }, Code::bad_image, "little-endian"},
      {"PIE", [](Solo5File& f) { f.header.type = 3; }, Code::bad_image, "ET_EXEC"},
      {"another CPU", [](Solo5File& f) { f.header.machine = 8; }, Code::wrong_arch, "built for"},
      {"too many segments", [](Solo5File& f) { f.header.segment_count = 65; }, Code::bad_image,
       "65 program headers"},
      {"odd headers", [](Solo5File& f) { f.header.segment_bytes = 55; }, Code::bad_image,
       "program headers"},
      {"headers outside", [](Solo5File& f) { f.header.segments_offset = ~0ULL - 8; },
       Code::bad_image, "cut short in its program headers"},
      {"entry below", [](Solo5File& f) { f.header.entry = 0xfffff; }, Code::bad_image, "entry"},
      {"entry above", [](Solo5File& f) { f.header.entry = 0x103000; }, Code::bad_image, "entry"},
  });
}

TEST(TenderImage, RefusesSegmentsByWhatIsWrong) {
  expect_refused({
      {"W+X", [](Solo5File& f) { f.parts[1].segment.flags = 7; }, Code::bad_image,
       "writable and executable"},
      {"W+X .bss", [](Solo5File& f) { f.parts.push_back(load(0x110000, 3, "", 4096)); },
       Code::bad_image, "writable and executable"},
      {"too low", [](Solo5File& f) { f.parts[0].segment.address = 0xff000; }, Code::bad_image,
       "below 0x100000"},
      {"too low when aligned", [](Solo5File& f) { f.parts[0].segment.alignment = 0x200000; },
       Code::bad_image, "below 0x100000"},
      {"overlap", [](Solo5File& f) { f.parts[1].segment.address = 0x100000; }, Code::bad_image,
       "overlaps"},
      {"overlap of pages", [](Solo5File& f) { f.parts[1].segment.address = 0x100800; },
       Code::bad_image, "overlaps"},
      {"descending", [](Solo5File& f) { std::swap(f.parts[0], f.parts[1]); }, Code::bad_image,
       "comes before"},
      {"smaller in memory", [](Solo5File& f) { f.parts[1].segment.memory_bytes = 3; },
       Code::bad_image, "more bytes in the file"},
      {"alignment 3", [](Solo5File& f) { f.parts[1].segment.alignment = 3; }, Code::bad_image,
       "power of two"},
      {"alignment 2^63", [](Solo5File& f) { f.parts[1].segment.alignment = 1ULL << 63; },
       Code::bad_image, "power of two"},
      {"address overflow", [](Solo5File& f) { f.parts[1].segment.address = ~0ULL - 4095; },
       Code::bad_image, "beyond every possible memory"},
      {"size overflow", [](Solo5File& f) { f.parts[1].segment.memory_bytes = ~0ULL; },
       Code::bad_image, "beyond every possible memory"},
      {"nothing to load",
       [](Solo5File& f) { f.parts.erase(f.parts.begin(), f.parts.begin() + 2); }, Code::bad_image,
       "no segment"},
  });
}

TEST(TenderImage, RefusesNotesByWhatIsWrong) {
  expect_refused({
      {"no ABI note", [](Solo5File& f) { f.parts.erase(f.parts.begin() + 2); }, Code::bad_image,
       "No Solo5 ABI information"},
      {"no manifest", [](Solo5File& f) { f.parts.pop_back(); }, Code::bad_image,
       "No Solo5 manifest"},
      {"hvt for spt", [](Solo5File& f) { f.parts[2] = notes(sample::abi_note(1)); },
       Code::not_supported, "target hvt, this is a tender for spt"},
      {"virtio", [](Solo5File& f) { f.parts[2] = notes(sample::abi_note(3)); },
       Code::not_supported, "target virtio"},
      {"ABI 3", [](Solo5File& f) { f.parts[2] = notes(sample::abi_note(2, 3)); },
       Code::not_supported, "ABI version 3; 1 and 2"},
      {"ABI 0", [](Solo5File& f) { f.parts[2] = notes(sample::abi_note(2, 0)); },
       Code::not_supported, "ABI version 0"},
      {"two ABI notes", [](Solo5File& f) { f.parts.push_back(notes(sample::abi_note())); },
       Code::bad_image, "two Solo5 ABI notes"},
      {"an empty PT_NOTE", [](Solo5File& f) { f.parts.push_back(notes("")); }, Code::bad_image,
       "note does not fall within valid size"},
      {"a note behind its segment", [](Solo5File& f) { f.parts[2].segment.file_bytes = 20; },
       Code::bad_image, "note does not fall within valid size"},
      {"a note behind the file", [](Solo5File& f) { f.parts[2].segment.offset = 1 << 20; },
       Code::bad_image, "note does not fall within valid size"},
      {"a segment that overflows", [](Solo5File& f) { f.parts[2].segment.offset = ~0ULL - 4; },
       Code::bad_image, "note does not fall within valid size"},
      {"a small ABI note",
       [](Solo5File& f) { f.parts[2] = notes(sample::note("Solo5", abi::kAbiNoteType, "abcd")); },
       Code::bad_image, "note does not fall within valid size"},
      {"a huge name",
       [](Solo5File& f) {
         f.parts[2].content.replace(0, 4, std::string(4, '\xff'));
       },
       Code::bad_image, "note does not fall within valid size"},
  });
}

TEST(TenderImage, RefusesManifestsByWhatIsWrong) {
  const auto with = [](std::vector<abi::ManifestEntry> devices, std::uint32_t version = 1) {
    return [devices, version](Solo5File& f) {
      f.parts[3] = notes(sample::manifest_note(devices, version));
    };
  };
  abi::ManifestEntry attached = sample::entry("a", abi::kDeviceNet);
  attached.attached = 1;
  abi::ManifestEntry unended = sample::entry(std::string(68, 'x'), abi::kDeviceNet);
  const std::vector<abi::ManifestEntry> many(64, sample::entry("a", abi::kDeviceNet));
  expect_refused({
      {"version 2", with({}, 2), Code::bad_image, "of version 2"},
      {"65 entries", with(many), Code::bad_image, "too many entries, at most 64 are possible"},
      {"twice", with({sample::entry("a", 1), sample::entry("a", 2)}), Code::bad_image,
       "two devices of the name a"},
      {"type 3", with({sample::entry("a", 3)}), Code::bad_image, "type 3"},
      {"a second reserved one", with({sample::entry("a", 1U << 30)}), Code::bad_image, "type"},
      {"no name", with({sample::entry("", 1)}), Code::bad_image, "has the name ''"},
      {"a strange name", with({sample::entry("a\x1b", 1)}), Code::bad_image, "has the name 'a?'"},
      {"a name without an end", with({unended}), Code::bad_image, "has the name"},
      {"attached already", with({attached}), Code::bad_image, "attached already"},
      {"more entries than bytes",
       [](Solo5File& f) { f.parts[3].content.replace(28, 1, "\x05"); }, Code::bad_image,
       "5 entries in 116 bytes"},
      {"another first entry", [](Solo5File& f) { f.parts[3].content.replace(32, 1, "x"); },
       Code::bad_image, "reserved first entry"},
  });
}

TEST(TenderImage, EveryCutOfAFileIsRefusedOrLoadsNothingBeyondIt) {
  const std::string whole = Solo5File().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(sample::read(whole.substr(0, size)).good) << size;
  }
}

TEST(TenderImage, LoadsBytesToTheirPlaces) {
  std::vector<std::uint8_t> host(0x200000);
  const tenders::GuestMemory memory(host.data(), host.size());
  const std::string bytes = Solo5File().bytes();
  const sample::MemoryFile file(bytes);
  const auto result = sample::read(bytes);
  tenders::Failure failure;
  ASSERT_TRUE(tenders::load_segments(file.descriptor(), "guest", result.image, memory, failure));
  EXPECT_EQ(host[0x100000], 0x90);
  EXPECT_EQ(host[0x10003f], 0x90);
  EXPECT_EQ(host[0x100040], 0);
  EXPECT_EQ(host[0x10100f], 'd');
  EXPECT_EQ(host[0x101010], 0);
}

TEST(TenderImage, ASegmentBehindTheFileIsRefusedWhenLoaded) {
  Solo5File made;
  made.parts[1].segment.file_bytes = 4096;
  made.parts[1].segment.memory_bytes = 4096;
  made.parts[1].segment.offset = 1 << 20;
  const sample::MemoryFile file(made.bytes());
  const auto result = sample::read(made.bytes());
  ASSERT_TRUE(result.good) << result.what;
  std::vector<std::uint8_t> host(0x200000);
  tenders::Failure failure;
  EXPECT_FALSE(tenders::load_segments(file.descriptor(), "guest", result.image,
                                      {host.data(), host.size()}, failure));
  EXPECT_EQ(failure.code, Code::bad_image);
}

}  // namespace
