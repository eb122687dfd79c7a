// The keys of devices, trusted as they were first seen.
#include "deploy/fleetctl/device_pins.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/ota/temp_dir.h"

namespace fleetctl {
namespace {

using proto::Code;

struct PinsTest : ::testing::Test {
  TempDir folder;
  Context context{"lab", "https://lab:8443", folder.path()};

  static fleet::v1::DeviceConfig device(const std::string& key, const std::string& id = "a2b3") {
    fleet::v1::DeviceConfig out;
    out.set_device("edge-1");
    out.set_device_id(id);
    out.set_sealing_key(key);
    return out;
  }
  static std::string key(char digit) { return std::string(64, digit); }
};

TEST_F(PinsTest, TheFirstKeyIsTakenAndTheSameOneAgain) {
  const auto first = pinned_key(context, device(key('1')), {});
  ASSERT_TRUE(first.has_value()) << first.error().what;
  EXPECT_EQ(*first, std::string(32, '\x11'));
  EXPECT_TRUE(pinned_key(context, device(key('1')), {}).has_value());
  EXPECT_TRUE(pinned_key(context, device(key('2'), "other"), {}).has_value());
}

TEST_F(PinsTest, AnotherKeyIsRefusedUntilAPersonTakesIt) {
  ASSERT_TRUE(pinned_key(context, device(key('1')), {}).has_value());
  for (const std::set<std::string>& accepted : {std::set<std::string>{}, {"edge-2"}}) {
    const auto other = pinned_key(context, device(key('2')), accepted);
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error().code, Code::unauthenticated);
    EXPECT_NE(other.error().what.find("--accept-key edge-1"), std::string::npos);
  }
  EXPECT_TRUE(pinned_key(context, device(key('1')), {}).has_value());
  EXPECT_TRUE(pinned_key(context, device(key('2')), {"edge-1"}).has_value());
  EXPECT_FALSE(pinned_key(context, device(key('1')), {}).has_value());
}

TEST_F(PinsTest, WhatIsNoKeyOrNoDeviceIsNotPinned) {
  EXPECT_EQ(pinned_key(context, device(""), {}).error().code, Code::unavailable);
  EXPECT_EQ(pinned_key(context, device("12"), {}).error().code, Code::bad_argument);
  EXPECT_EQ(pinned_key(context, device(key('g')), {}).error().code, Code::bad_argument);
  for (const char* id : {"", "../x", "a/b"}) {
    EXPECT_EQ(pinned_key(context, device(key('1'), id), {}).error().code, Code::bad_argument);
  }
  EXPECT_FALSE(std::filesystem::exists(context.folder + "/devices"));
}

}  // namespace
}  // namespace fleetctl
