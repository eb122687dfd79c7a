// Devices: what the manifest declares is attached, no more, no less, and is what it must be.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "agent/tenders/devices.h"
#include "agent/tenders/wait_set.h"
#include "tests/unit/tenders/solo5_image.h"

namespace {

namespace abi = images::abi;
using proto::Code;

class DevicesTest : public testing::Test {
 protected:
  DevicesTest() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair_), 0);
    manifest_.version = 1;
    manifest_.entry_count = 3;
    manifest_.entries[0] = sample::entry("", abi::kDeviceReserved);
    manifest_.entries[1] = sample::entry("service", abi::kDeviceNet);
    manifest_.entries[2] = sample::entry("disk", abi::kDeviceBlock);
  }
  ~DevicesTest() override {
    ::close(pair_[0]);
    ::close(pair_[1]);
  }

  /// Attach with these options; texts must outlive the call.
  bool attach(const std::vector<std::string>& texts) {
    std::vector<const char*> words;
    for (const std::string& text : texts) words.push_back(text.c_str());
    words.push_back("image");
    tenders::Options options;
    tenders::Failure failure;
    EXPECT_TRUE(tenders::parse_options(words, options, failure)) << failure.what.view();
    const bool good = tenders::attach_devices(options, manifest_, devices_, failure);
    code_ = failure.code;
    what_ = std::string(failure.what.view());
    return good;
  }
  std::string net() const { return "--net:service=@" + std::to_string(pair_[0]); }
  std::string disk() const { return "--block:disk=@" + std::to_string(file_.descriptor()); }

  int pair_[2] = {-1, -1};
  sample::MemoryFile file_{std::string(4096, 'd')};
  abi::Manifest manifest_{};
  tenders::Devices devices_{};
  Code code_ = Code::unset;
  std::string what_;
};

TEST_F(DevicesTest, DescriptorsAreTakenOver) {
  ASSERT_TRUE(attach({net(), disk(), "--net-mac:service=52:54:00:00:00:01"})) << what_;
  EXPECT_EQ(devices_[1].descriptor, pair_[0]);
  EXPECT_NE(::fcntl(pair_[0], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(manifest_.entries[1].net.mac[5], 1);
  EXPECT_EQ(manifest_.entries[1].net.mtu, 1500);
  EXPECT_EQ(manifest_.entries[1].attached, 1);
  EXPECT_EQ(manifest_.entries[1].descriptor, 0u);
  EXPECT_EQ(devices_[2].capacity_bytes, 4096u);
  EXPECT_EQ(manifest_.entries[2].block.capacity_bytes, 4096u);
  EXPECT_EQ(manifest_.entries[2].block.block_bytes, 512);
}

TEST_F(DevicesTest, AMacThatNobodyGaveIsLocallyAdministered) {
  ASSERT_TRUE(attach({net(), disk()})) << what_;
  EXPECT_EQ(manifest_.entries[1].net.mac[0] & 3, 2);
}

TEST_F(DevicesTest, TheMtuOfTheCommandLineWins) {
  ASSERT_TRUE(attach({net(), disk(), "--net-mtu:service=9000"})) << what_;
  EXPECT_EQ(manifest_.entries[1].net.mtu, 9000);
}

TEST_F(DevicesTest, AllThatIsDeclaredIsAttachedAndNothingElse) {
  EXPECT_FALSE(attach({net()}));
  EXPECT_NE(what_.find("'disk', which is not attached: add --block:disk="), std::string::npos)
      << what_;
  EXPECT_FALSE(attach({net(), disk(), "--net:other=@0"}));
  EXPECT_NE(what_.find("declares no net device 'other'"), std::string::npos) << what_;
  EXPECT_FALSE(attach({net(), disk(), "--net:disk=@0"}));
  EXPECT_NE(what_.find("declares no net device 'disk'"), std::string::npos) << what_;
  EXPECT_FALSE(attach({net(), disk(), "--net-mac:other=02:00:00:00:00:01"}));
  EXPECT_EQ(code_, Code::bad_argument);
  EXPECT_FALSE(attach({"--net-mtu:service=1500", disk()}));
  EXPECT_NE(what_.find("'service', which is not attached"), std::string::npos) << what_;
}

TEST_F(DevicesTest, DisksOfWrongSizeAreRefused) {
  const sample::MemoryFile odd(std::string(1000, 'd'));
  EXPECT_FALSE(attach({net(), "--block:disk=@" + std::to_string(odd.descriptor())}));
  EXPECT_NE(what_.find("Backing storage size must be block aligned"), std::string::npos) << what_;
  const sample::MemoryFile empty("");
  EXPECT_FALSE(attach({net(), "--block:disk=@" + std::to_string(empty.descriptor())}));
  EXPECT_NE(what_.find("Backing storage size must be block aligned"), std::string::npos) << what_;
  EXPECT_FALSE(attach({net(), disk(), "--block-sector-size:disk=8192"}));
  EXPECT_TRUE(attach({net(), disk(), "--block-sector-size:disk=4096"})) << what_;
}

TEST_F(DevicesTest, WhatIsNoDiskIsRefused) {
  EXPECT_FALSE(attach({net(), "--block:disk=/nonexistent"}));
  EXPECT_EQ(code_, Code::io);
  EXPECT_NE(what_.find("/nonexistent: No such file or directory"), std::string::npos) << what_;
  EXPECT_FALSE(attach({net(), "--block:disk=/dev/zero"}));
  EXPECT_NE(what_.find("neither a file nor a disk"), std::string::npos) << what_;
  EXPECT_FALSE(attach({net(), "--block:disk=@900"}));
  EXPECT_NE(what_.find("not open for reading"), std::string::npos) << what_;
  const int write_only = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  EXPECT_FALSE(attach({net(), "--block:disk=@" + std::to_string(write_only)}));
  EXPECT_NE(what_.find("not open for reading"), std::string::npos) << what_;
  ::close(write_only);
}

TEST_F(DevicesTest, ADescriptorMayBeForReadingOnly) {
  const sample::MemoryFile file(std::string(1024, 'd'));
  const std::string path = "/proc/self/fd/" + std::to_string(file.descriptor());
  const int read_only = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_TRUE(attach({net(), "--block:disk=@" + std::to_string(read_only)})) << what_;
  ::close(read_only);
}

TEST_F(DevicesTest, WritingThroughNeedsADescriptorThatDoes) {
  EXPECT_FALSE(attach({net(), disk(), "--block-sync:disk=always"}));
  EXPECT_NE(what_.find("O_DSYNC"), std::string::npos) << what_;
}

TEST_F(DevicesTest, WhatKeepsNoFramesApartIsNoNet) {
  int streams[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, streams), 0);
  EXPECT_FALSE(attach({"--net:service=@" + std::to_string(streams[0]), disk()}));
  EXPECT_NE(what_.find("does not keep frames apart"), std::string::npos) << what_;
  ::close(streams[0]);
  ::close(streams[1]);
  EXPECT_FALSE(attach({"--net:service=@" + std::to_string(file_.descriptor()), disk()}));
  EXPECT_NE(what_.find("is no tap"), std::string::npos) << what_;
  EXPECT_FALSE(attach({"--net:service=@901", disk()}));
  EXPECT_NE(what_.find("descriptor 901 is not open"), std::string::npos) << what_;
  EXPECT_FALSE(attach({"--net:service=no-such-tap", disk()}));
  EXPECT_EQ(code_, Code::not_found);
  EXPECT_FALSE(attach({"--net:service=a-name-that-is-too-long", disk()}));
  EXPECT_NE(what_.find("not an interface's name"), std::string::npos) << what_;
}

TEST_F(DevicesTest, TheWaitSetTellsTimerAndDevicesApart) {
  ASSERT_TRUE(attach({net(), disk()})) << what_;
  tenders::WaitSet set;
  tenders::Failure failure;
  ASSERT_TRUE(tenders::make_wait_set(devices_, set, failure));
  EXPECT_EQ(set.net_count, 1);
  ::close(set.epoll);
  ::close(set.timer);
}

}  // namespace
