#include "images/runtime/virtio/device_tree.h"

#include <algorithm>

namespace images::runtime::virtio {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint32_t kMagic = 0xd00dfeed;
constexpr std::size_t kHeaderBytes = 40;
constexpr std::uint32_t kBeginNode = 1;
constexpr std::uint32_t kEndNode = 2;
constexpr std::uint32_t kProperty = 3;
constexpr std::uint32_t kNop = 4;
constexpr std::uint32_t kEnd = 9;
constexpr std::size_t kMaxDepth = 16;
constexpr std::uint32_t kFirstShared = 32;   // the number of the first interrupt that devices share
constexpr std::uint32_t kMaxShared = 988;

/// Big-endian; 0 beyond the end.
std::uint32_t word_at(Bytes bytes, std::size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < 4) return 0;
  return std::uint32_t{bytes[offset]} << 24 | std::uint32_t{bytes[offset + 1]} << 16 |
         std::uint32_t{bytes[offset + 2]} << 8 | bytes[offset + 3];
}

/// A number of one or two cells.
std::uint64_t number_at(Bytes bytes, std::size_t cell, std::size_t cells) {
  const std::uint64_t high = word_at(bytes, cell * 4);
  return cells == 1 ? high : high << 32 | word_at(bytes, cell * 4 + 4);
}

/// Up to its NUL, which must be there.
bool text_at(Bytes bytes, std::size_t offset, std::string_view& out) {
  if (offset >= bytes.size()) return false;
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
  const auto end = std::find(begin, bytes.end(), 0);
  if (end == bytes.end()) return false;
  out = {reinterpret_cast<const char*>(&*begin), static_cast<std::size_t>(end - begin)};
  return true;
}

/// A list of texts, each with its NUL.
bool names(Bytes list, std::string_view wanted) {
  std::string_view one;
  for (std::size_t at = 0; text_at(list, at, one); at += one.size() + 1) {
    if (one == wanted) return true;
  }
  return false;
}

/// What a node says; views into the tree.
struct Node {
  std::string_view name;
  Bytes compatible;
  Bytes device_type;
  Bytes reg;
  Bytes interrupts;
  Bytes method;
  Bytes initrd_start;
  Bytes initrd_end;
};

class Reader {
 public:
  Reader(Bytes structure, Bytes strings, DeviceTree& out)
      : structure_(structure), strings_(strings), out_(out) {}

  std::string_view read() {
    for (;;) {
      if (structure_.size() - at_ < 4) return "it ends within a node";
      const std::uint32_t token = word_at(structure_, at_);
      at_ += 4;
      bool good = true;
      switch (token) {
        case kBeginNode: good = begin_node(); break;
        case kProperty: good = property(); break;
        case kEndNode: good = end_node(); break;
        case kNop: break;
        case kEnd: return depth_ == 0 ? "" : "it ends within a node";
        default: good = false;
      }
      if (!good) return "a node is damaged";
    }
  }

 private:
  bool begin_node() {
    std::string_view name;
    if (depth_ == kMaxDepth || !text_at(structure_, at_, name)) return false;
    ++depth_;
    if (depth_ == 2) {
      node_ = {};
      node_.name = name;
    }
    return skip(name.size() + 1);
  }

  bool property() {
    if (depth_ == 0 || structure_.size() - at_ < 8) return false;
    const std::uint32_t size = word_at(structure_, at_);
    std::string_view name;
    if (!text_at(strings_, word_at(structure_, at_ + 4), name)) return false;
    at_ += 8;
    if (size > structure_.size() - at_) return false;
    const Bytes value = structure_.subspan(at_, size);
    if (depth_ == 1) take_root(name, value);
    if (depth_ == 2) take(name, value);
    return skip(size);
  }

  bool end_node() {
    if (depth_ == 0) return false;
    if (depth_ == 2) finish();
    --depth_;
    return true;
  }

  /// To the next word behind so many bytes.
  bool skip(std::size_t size) {
    const std::size_t padded = (size + 3) & ~std::size_t{3};
    if (padded > structure_.size() - at_) return false;
    at_ += padded;
    return true;
  }

  void take_root(std::string_view name, Bytes value) {
    const std::uint32_t cells = word_at(value, 0);
    if (cells != 1 && cells != 2) return;
    if (name == "#address-cells") address_cells_ = cells;
    if (name == "#size-cells") size_cells_ = cells;
  }

  void take(std::string_view name, Bytes value) {
    if (name == "compatible") node_.compatible = value;
    if (name == "device_type") node_.device_type = value;
    if (name == "reg") node_.reg = value;
    if (name == "interrupts") node_.interrupts = value;
    if (name == "method") node_.method = value;
    if (name == "linux,initrd-start") node_.initrd_start = value;
    if (name == "linux,initrd-end") node_.initrd_end = value;
  }

  AddressRange range(std::size_t index) const {
    const std::size_t cell = index * (address_cells_ + size_cells_);
    return {number_at(node_.reg, cell, address_cells_),
            number_at(node_.reg, cell + address_cells_, size_cells_)};
  }

  void take_gic(Gic version) {
    out_.gic = version;
    out_.distributor = range(0);
    out_.cpu_interface = range(1);
  }

  void finish() {
    if (names(node_.device_type, "memory") && out_.memory.size_bytes == 0) out_.memory = range(0);
    if (node_.name == "chosen") {
      const std::uint64_t begin = number_at(node_.initrd_start, 0, node_.initrd_start.size() / 4);
      const std::uint64_t end = number_at(node_.initrd_end, 0, node_.initrd_end.size() / 4);
      if (begin < end) out_.initrd = {begin, end - begin};
    }
    if (node_.name == "psci") out_.power_by_smc = names(node_.method, "smc");
    if (names(node_.compatible, "arm,cortex-a15-gic") || names(node_.compatible, "arm,gic-400")) {
      take_gic(Gic::v2);
    }
    if (names(node_.compatible, "arm,gic-v3")) take_gic(Gic::v3);
    if (names(node_.compatible, "virtio,mmio") && out_.device_count < out_.devices.size()) {
      const std::uint32_t line = word_at(node_.interrupts, 4);
      if (node_.interrupts.size() != 12 || word_at(node_.interrupts, 0) != 0 ||
          line >= kMaxShared) {
        return;
      }
      out_.devices[out_.device_count++] = {static_cast<std::uintptr_t>(range(0).address),
                                           kFirstShared + line};
    }
  }

  Bytes structure_;
  Bytes strings_;
  DeviceTree& out_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;  // 1 within the root, 2 within its children
  std::size_t address_cells_ = 2;
  std::size_t size_cells_ = 1;
  Node node_;  // at depth 2
};

/// A block of the tree by its offset and size in the header. False: it does not lie in it.
bool block(Bytes tree, std::size_t offset_at, std::size_t size_at, Bytes& out) {
  const std::uint32_t offset = word_at(tree, offset_at);
  const std::uint32_t size = word_at(tree, size_at);
  if (offset > tree.size() || size > tree.size() - offset) return false;
  out = tree.subspan(offset, size);
  return true;
}

}  // namespace

std::string_view read_device_tree(std::span<const std::uint8_t> bytes, DeviceTree& out) {
  if (bytes.size() < kHeaderBytes || word_at(bytes, 0) != kMagic) return "it is none";
  const std::uint32_t size = word_at(bytes, 4);
  const std::uint32_t oldest_reader = word_at(bytes, 24);
  if (oldest_reader > 17) return "it is of a newer version than 17";
  if (size < kHeaderBytes || size > bytes.size()) return "it is longer than memory";
  const Bytes tree = bytes.first(size);
  Bytes structure;
  Bytes strings;
  if (!block(tree, 8, 36, structure) || !block(tree, 12, 32, strings)) return "it is cut short";
  out = DeviceTree{};
  return Reader(structure, strings, out).read();
}

}  // namespace images::runtime::virtio
