// Small images made in memory, byte by byte as FORMATS says, for the tests of inspect and boards.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sample {

template <typename Number>
void put(std::string& bytes, std::size_t at, Number value) {
  if (bytes.size() < at + sizeof value) bytes.resize(at + sizeof value, '\0');
  std::memcpy(bytes.data() + at, &value, sizeof value);  // the tests run on little endian
}

inline std::string padded(std::string text) {
  text.resize((text.size() + 3) & ~std::size_t{3}, '\0');
  return text;
}

inline std::string note(const std::string& owner, std::uint32_t type, const std::string& content) {
  std::string bytes;
  put(bytes, 0, static_cast<std::uint32_t>(owner.size() + 1));
  put(bytes, 4, static_cast<std::uint32_t>(content.size()));
  put(bytes, 8, type);
  return bytes + padded(owner + '\0') + padded(content);
}

template <typename Number>
std::string number(Number value) {
  std::string bytes;
  put(bytes, 0, value);
  return bytes;
}

struct Device {
  std::string name;
  std::uint32_t type;
};

inline std::string solo5_abi(std::uint32_t target, std::uint32_t version) {
  return note("Solo5", 0x31494241, number(target) + number(version) + std::string(8, '\0'));
}

inline std::string solo5_manifest(const std::vector<Device>& devices) {
  std::string content(4, '\0');
  content += number(std::uint32_t{1});
  content += number(static_cast<std::uint32_t>(devices.size() + 1));
  std::string reserved(104, '\0');
  put(reserved, 68, std::uint32_t{1} << 30);
  content += reserved;
  for (const Device& device : devices) {
    std::string entry = device.name;
    entry.resize(104, '\0');
    put(entry, 68, device.type);
    content += entry;
  }
  return note("Solo5", 0x3154464d, content);
}

struct Elf {
  std::uint16_t machine = 62;
  bool is64 = true;
  std::uint8_t osabi = 0;
  std::uint16_t type = 2;
  std::uint64_t entry = 0x100000;
  std::vector<std::string> notes;        // each in a PT_NOTE of its own
  std::string text = std::string(64, '\x90');
  std::string interpreter;
  std::vector<std::string> sections;
  int big_endian = 1;                    // EI_DATA

  std::string bytes() const;
};

inline std::string Elf::bytes() const {
  const std::size_t header = is64 ? 64 : 52;
  const std::size_t segment_bytes = is64 ? 56 : 32;
  const std::size_t count = 1 + notes.size() + (interpreter.empty() ? 0 : 1);
  std::string out(header + count * segment_bytes, '\0');
  std::memcpy(out.data(), "\x7f" "ELF", 4);
  out[4] = is64 ? 2 : 1;
  out[5] = static_cast<char>(big_endian);
  out[6] = 1;
  out[7] = static_cast<char>(osabi);
  put(out, 16, type);
  put(out, 18, machine);
  std::size_t index = 0;
  const auto add = [&](std::uint32_t kind, std::uint64_t address, const std::string& content) {
    const std::size_t at = header + index++ * segment_bytes;
    const std::uint64_t offset = out.size();
    const std::uint64_t size = content.size();
    put(out, at, kind);
    if (is64) {
      put(out, at + 8, offset);
      put(out, at + 16, address);
      put(out, at + 24, address);
      put(out, at + 32, size);
      put(out, at + 40, size);
    } else {
      const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
      put(out, at + 4, low(offset));
      put(out, at + 8, low(address));
      put(out, at + 12, low(address));
      put(out, at + 16, low(size));
      put(out, at + 20, low(size));
    }
    out += content;
  };
  add(1, 0x100000, text);
  for (const std::string& one : notes) add(4, 0, one);
  if (!interpreter.empty()) add(3, 0, interpreter + '\0');
  std::uint64_t table = 0;
  if (!sections.empty()) {
    std::string names(1, '\0');
    std::vector<std::uint32_t> places;
    for (const std::string& name : sections) {
      places.push_back(static_cast<std::uint32_t>(names.size()));
      names += name + '\0';
    }
    const std::uint64_t names_at = out.size();
    out += names;
    table = out.size();
    const std::size_t entry_bytes = is64 ? 64 : 40;
    out.resize(out.size() + (sections.size() + 1) * entry_bytes, '\0');
    for (std::size_t i = 0; i < places.size(); ++i) {
      put(out, table + (i + 1) * entry_bytes, places[i]);
    }
    if (is64) {
      put(out, table + 24, names_at);
      put(out, table + 32, static_cast<std::uint64_t>(names.size()));
    } else {
      put(out, table + 16, static_cast<std::uint32_t>(names_at));
      put(out, table + 20, static_cast<std::uint32_t>(names.size()));
    }
  }
  const auto section_count =
      static_cast<std::uint16_t>(sections.empty() ? 0 : sections.size() + 1);
  if (is64) {
    put(out, 24, entry);
    put(out, 32, static_cast<std::uint64_t>(header));
    put(out, 40, table);
    put(out, 54, static_cast<std::uint16_t>(segment_bytes));
    put(out, 56, static_cast<std::uint16_t>(count));
    put(out, 60, section_count);
  } else {
    put(out, 24, static_cast<std::uint32_t>(entry));
    put(out, 28, static_cast<std::uint32_t>(header));
    put(out, 32, static_cast<std::uint32_t>(table));
    put(out, 42, static_cast<std::uint16_t>(segment_bytes));
    put(out, 44, static_cast<std::uint16_t>(count));
    put(out, 48, section_count);
  }
  return out;
}

inline std::string multiboot(std::uint32_t flags) {
  return number(std::uint32_t{0x1BADB002}) + number(flags) +
         number(std::uint32_t{0} - 0x1BADB002 - flags);
}

inline std::string pvh_note(std::uint32_t entry = 0x100000) {
  return note("Xen", 18, number(entry));
}

inline std::string bzimage() {
  std::string bytes(5 * 512 + 1600, '\0');
  bytes[0x1f1] = 4;
  put(bytes, 0x1f4, std::uint32_t{100});
  put(bytes, 0x1fe, std::uint16_t{0xaa55});
  std::memcpy(bytes.data() + 0x202, "HdrS", 4);
  put(bytes, 0x206, std::uint16_t{0x020f});
  put(bytes, 0x20e, std::uint16_t{0x300});
  std::memcpy(bytes.data() + 0x500, "6.1.0-18-cloud-amd64 (debian)", 29);
  return bytes;
}

inline std::string arm64_image() {
  std::string bytes(4096, '\0');
  put(bytes, 8, std::uint64_t{0x80000});
  put(bytes, 24, std::uint64_t{0xa});
  std::memcpy(bytes.data() + 0x38, "ARM\x64", 4);
  return bytes;
}

inline std::string qcow2() {
  std::string bytes("QFI\xfb\0\0\0\3", 8);
  bytes.resize(512, '\0');
  // 0x400000 bytes, big endian at 24..31.
  bytes[29] = 0x40;
  return bytes;
}

}  // namespace sample
