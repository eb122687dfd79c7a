// Writes flattened device trees, for tests and for the seeds of device_tree_fuzz.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace images::runtime {

inline std::string cells(const std::vector<std::uint32_t>& words) {
  std::string bytes;
  for (const std::uint32_t word : words) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(word >> shift);
  }
  return bytes;
}

class TreeWriter {
 public:
  TreeWriter& begin(const std::string& name) {
    structure_ += cells({1}) + padded(name + '\0');
    return *this;
  }
  TreeWriter& property(const std::string& name, const std::string& value) {
    structure_ += cells({3, static_cast<std::uint32_t>(value.size()),
                         static_cast<std::uint32_t>(strings_.size())}) + padded(value);
    strings_ += name + '\0';
    return *this;
  }
  TreeWriter& end() {
    structure_ += cells({2});
    return *this;
  }
  TreeWriter& nop() {
    structure_ += cells({4});
    return *this;
  }

  std::string bytes() const {
    const std::string structure = structure_ + cells({9});
    constexpr std::uint32_t kHeader = 40;
    const auto structure_bytes = static_cast<std::uint32_t>(structure.size());
    const auto strings_bytes = static_cast<std::uint32_t>(strings_.size());
    return cells({0xd00dfeed, kHeader + structure_bytes + strings_bytes, kHeader,
                  kHeader + structure_bytes, kHeader, 17, 16, 0, strings_bytes, structure_bytes}) +
           structure + strings_;
  }

 private:
  static std::string padded(std::string bytes) {
    bytes.resize((bytes.size() + 3) & ~std::size_t{3}, '\0');
    return bytes;
  }

  std::string structure_;
  std::string strings_;
};

/// One as QEMU's virt gives it, with `devices` places of virtio devices.
inline TreeWriter virt_tree(std::uint32_t devices) {
  TreeWriter tree;
  tree.begin("").property("#address-cells", cells({2})).property("#size-cells", cells({2}));
  tree.begin("psci").property("method", std::string("hvc\0", 4)).end();
  tree.begin("memory@40000000").property("device_type", std::string("memory\0", 7));
  tree.property("reg", cells({0, 0x40000000, 0, 0x1000000})).end().nop();
  tree.begin("intc@8000000").property("compatible", std::string("arm,cortex-a15-gic\0", 19));
  tree.property("reg", cells({0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000}));
  tree.begin("v2m@8020000").property("reg", cells({0, 0x8020000, 0, 0x1000})).end().end();
  for (std::uint32_t i = 0; i < devices; ++i) {
    tree.begin("virtio_mmio@" + std::to_string(i));
    tree.property("interrupts", cells({0, 16 + i, 1}));
    tree.property("reg", cells({0, 0xa000000 + i * 0x200, 0, 0x200}));
    tree.property("compatible", std::string("virtio,mmio\0", 12)).end();
  }
  tree.begin("chosen").property("linux,initrd-start", cells({0x40800000}));
  tree.property("linux,initrd-end", cells({0x40802800})).end();
  return tree.end();
}

}  // namespace images::runtime
