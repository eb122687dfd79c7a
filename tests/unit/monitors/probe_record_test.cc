#include "agent/monitors/probe_record.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace monitors {
namespace {

class ProbeRecord : public ::testing::Test {
 protected:
  ProbeRecord() {
    char name[] = "/tmp/probe-record.XXXXXX";
    folder_ = ::mkdtemp(name);
    disk_ = std::move(*ota::RealDisk::open(folder_));
  }
  ~ProbeRecord() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::unique_ptr<ota::RealDisk> disk_;
  const ProbeTime time_{"2f0c", 4200, "0.1.0", "kvm spt"};
  const std::vector<ProbeResult> results_ = {
      {"hvt", true, true, 31, "ran a million instructions and floating point in 31 ms"},
      {"qemu", false, false, 0, "QEMU said: \"no\"\n"}};
};

TEST_F(ProbeRecord, WhatWasSeenComesBackInItsOrder) {
  EXPECT_FALSE(read_probe_record(*disk_, time_).has_value());
  ASSERT_TRUE(write_probe_record(*disk_, time_, results_).has_value());
  const auto read = read_probe_record(*disk_, time_);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].monitor, results_[i].monitor);
    EXPECT_EQ((*read)[i].kvm, results_[i].kvm);
    EXPECT_EQ((*read)[i].usable, results_[i].usable);
    EXPECT_EQ((*read)[i].elapsed_ms, results_[i].elapsed_ms);
    EXPECT_EQ((*read)[i].evidence, results_[i].evidence);
  }
}

TEST_F(ProbeRecord, AnotherBootLauncherAgentOrProgramProbesAgain) {
  ASSERT_TRUE(write_probe_record(*disk_, time_, results_).has_value());
  for (const ProbeTime& other : {ProbeTime{"2f0d", 4200, "0.1.0", "kvm spt"},
                                 ProbeTime{"2f0c", 4201, "0.1.0", "kvm spt"},
                                 ProbeTime{"2f0c", 4200, "0.1.1", "kvm spt"},
                                 ProbeTime{"2f0c", 4200, "0.1.0", "spt"}}) {
    EXPECT_FALSE(read_probe_record(*disk_, other).has_value());
  }
}

TEST_F(ProbeRecord, TheHostHasWhatTheLauncherCanStart) {
  agent::LauncherInfo info;
  EXPECT_EQ(monitors::host_has(info), "");
  info.kvm_allowed = info.spt_present = true;
  EXPECT_EQ(monitors::host_has(info), "kvm spt");
}

TEST_F(ProbeRecord, WhatIsNoRecordIsNone) {
  const std::string time =
      R"({"time":{"boot":"2f0c","launcher":4200,"agent":"0.1.0","host_has":"kvm spt"},)";
  for (const std::string& text :
       {std::string("{"), time + R"("monitors":[{}]})", time + R"("monitors":5})",
        time + R"("monitors":[{"monitor":"hvt","kvm":1,"usable":true,)"
               R"("elapsed_ms":1,"evidence":""}]})",
        std::string(100'000, ' ')}) {
    std::ofstream(folder_ + "/" + kProbeRecord) << text;
    EXPECT_FALSE(read_probe_record(*disk_, time_).has_value()) << text;
  }
  // And that text is one, but for what is wrong in those.
  std::ofstream(folder_ + "/" + kProbeRecord) << time + R"("monitors":[]})";
  EXPECT_TRUE(read_probe_record(*disk_, time_).has_value());
}

}  // namespace
}  // namespace monitors
