#include "images/runtime/virtio/device_tree.h"

#include <gtest/gtest.h>

#include "tests/unit/images_runtime/tree_writer.h"

namespace images::runtime::virtio {
namespace {

std::string read(const std::string& bytes, DeviceTree& out) {
  return std::string(
      read_device_tree({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, out));
}

TEST(DeviceTree, WhatVirtTellsIsRead) {
  DeviceTree tree;
  ASSERT_EQ(read(virt_tree(3).bytes() + std::string(5000, 'x'), tree), "");
  EXPECT_EQ(tree.memory.address, 0x40000000u);
  EXPECT_EQ(tree.memory.size_bytes, 0x1000000u);
  EXPECT_EQ(tree.initrd.address, 0x40800000u);
  EXPECT_EQ(tree.initrd.size_bytes, 0x2800u);
  EXPECT_EQ(tree.gic, Gic::v2);
  EXPECT_EQ(tree.distributor.address, 0x8000000u);
  EXPECT_EQ(tree.cpu_interface.address, 0x8010000u);
  EXPECT_FALSE(tree.power_by_smc);
  ASSERT_EQ(tree.device_count, 3u);
  EXPECT_EQ(tree.devices[2].address, 0xa000400u);
  EXPECT_EQ(tree.devices[2].line, 32u + 18u) << "behind those of one CPU";
}

TEST(DeviceTree, MoreDevicesThanWeHoldAreLeftOut) {
  DeviceTree tree;
  ASSERT_EQ(read(virt_tree(kMaxDevices + 9).bytes(), tree), "");
  EXPECT_EQ(tree.device_count, kMaxDevices);
}

TEST(DeviceTree, NumbersOfOneCellAndOfTwo) {
  TreeWriter writer;
  writer.begin("").property("#address-cells", cells({1})).property("#size-cells", cells({1}));
  writer.begin("memory").property("device_type", std::string("memory\0", 7));
  writer.property("reg", cells({0x80000000, 0x2000000})).end();
  writer.begin("psci").property("method", std::string("smc\0", 4)).end();
  writer.begin("chosen").property("linux,initrd-start", cells({0, 0x81000000}));
  writer.property("linux,initrd-end", cells({0, 0x81000010})).end().end();
  DeviceTree tree;
  ASSERT_EQ(read(writer.bytes(), tree), "");
  EXPECT_EQ(tree.memory.address, 0x80000000u);
  EXPECT_EQ(tree.memory.size_bytes, 0x2000000u);
  EXPECT_EQ(tree.initrd.size_bytes, 0x10u);
  EXPECT_TRUE(tree.power_by_smc);
  EXPECT_EQ(tree.gic, Gic::none);
}

TEST(DeviceTree, AnInterruptThatIsNoSharedOneIsNoDevices) {
  for (const auto& interrupts : {cells({1, 5, 1}), cells({0, 988, 1}), cells({0, 5}), cells({})}) {
    TreeWriter writer;
    writer.begin("").begin("virtio_mmio@a000000").property("interrupts", interrupts);
    writer.property("compatible", std::string("virtio,mmio\0", 12)).end().end();
    DeviceTree tree;
    ASSERT_EQ(read(writer.bytes(), tree), "");
    EXPECT_EQ(tree.device_count, 0u);
  }
}

TEST(DeviceTree, WhatIsNoneOrDamagedIsSaid) {
  DeviceTree tree;
  EXPECT_EQ(read("", tree), "it is none");
  std::string bytes = virt_tree(1).bytes();
  EXPECT_EQ(read(std::string(bytes).replace(0, 1, "x"), tree), "it is none");
  EXPECT_EQ(read(bytes.substr(0, bytes.size() - 1), tree), "it is longer than memory");
  EXPECT_EQ(read(std::string(bytes).replace(24, 4, cells({18})), tree),
            "it is of a newer version than 17");
  EXPECT_EQ(read(std::string(bytes).replace(8, 4, cells({0xffffffff})), tree), "it is cut short");
  EXPECT_EQ(read(std::string(bytes).replace(36, 4, cells({40})), tree), "it ends within a node");
  EXPECT_EQ(read(std::string(bytes).replace(40, 4, cells({7})), tree), "a node is damaged");
  TreeWriter deep;
  for (int i = 0; i < 40; ++i) deep.begin("n");
  EXPECT_EQ(read(deep.bytes(), tree), "a node is damaged");
}

}  // namespace
}  // namespace images::runtime::virtio
