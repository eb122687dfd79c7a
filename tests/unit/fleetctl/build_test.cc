// What is built of a folder of sources, for whom, and how compilers are run.
#include "deploy/fleetctl/build.h"

#include <gtest/gtest.h>

#include "deploy/fleetctl/build_process.h"
#include "deploy/fleetctl/build_push.h"
#include "tests/unit/fleetctl/folder.h"

namespace fleetctl {
namespace {

using proto::Code;

constexpr SdkTarget kX86Virtio{fleet::v1::X86_64, fleet::v1::VIRTIO};
constexpr SdkTarget kX86Spt{fleet::v1::X86_64, fleet::v1::SPT};
constexpr SdkTarget kArmSpt{fleet::v1::AARCH64, fleet::v1::SPT};

using BuildTest = FolderTest;

TEST_F(BuildTest, SourcesAreThoseOfTheFolderAndBelowInOneOrder) {
  for (const char* name : {"src/b.cpp", "main.cc", "a.c", "x.cxx", "a.h", "notes.txt", ".hidden.c",
                           ".git/c.c", "build/d.c"}) {
    write(name);
  }
  const auto sources = find_sources(folder_);
  ASSERT_TRUE(sources) << sources.error().what;
  std::vector<std::string> names;
  for (const std::string& path : *sources) names.push_back(path.substr(folder_.size() + 1));
  EXPECT_EQ(names, (std::vector<std::string>{"a.c", "main.cc", "src/b.cpp", "x.cxx"}));
}

TEST_F(BuildTest, AFolderWithNothingToCompileSaysSo) {
  write("notes.txt");
  EXPECT_NE(find_sources(folder_).error().what.find("nothing to compile"), std::string::npos);
  EXPECT_NE(find_sources(folder_ + "/no").error().what.find("no such folder"), std::string::npos);
  EXPECT_NE(find_sources(folder_ + "/notes.txt").error().what.find("no folder"),
            std::string::npos);
}

TEST_F(BuildTest, AFolderWithoutAManifestIsAnAppOfItsNameWithTheDefaults) {
  write("web-1/main.c");
  const auto file = manifest_of_folder(folder_ + "/web-1/");
  ASSERT_TRUE(file) << file.error().what;
  const auto& manifest = file->applications[0].manifest;
  EXPECT_EQ(manifest.name(), "web-1");
  EXPECT_EQ(manifest.health().type(), fleet::v1::HEALTH_PROCESS);
  EXPECT_EQ(manifest.publish_size(), 0);
  write("We\"b/main.c");
  EXPECT_NE(manifest_of_folder(folder_ + "/We\"b").error().what.find("is no name for an app"),
            std::string::npos);
}

TEST_F(BuildTest, AnImageDeclaresWhatItsManifestNames) {
  fleet::v1::AppManifest manifest;
  manifest.add_network();
  EXPECT_EQ(device_list(manifest), "net(\"service\"),");
  manifest.mutable_network(0)->set_name("wan");
  manifest.add_network();
  manifest.add_devices()->set_name("rs485");
  manifest.add_volumes()->set_name("cache");
  EXPECT_EQ(device_list(manifest), "net(\"wan\"),net(\"net1\"),net(\"rs485\"),block(\"cache\"),");
}

TEST_F(BuildTest, TheSdkIsWhatLiesInItsFolder) {
  EXPECT_EQ(open_sdk(folder_).error().code, Code::not_found);
  write("x86_64/spt/libruntime.a");
  write("aarch64/spt/libruntime.a");
  write("x86_64/compile.c", "-isystem\n@sdk@/include/lwip\n\n-O2\n");
  const auto sdk = open_sdk(folder_);
  ASSERT_TRUE(sdk) << sdk.error().what;
  EXPECT_EQ(sdk->targets, (std::vector<SdkTarget>{kX86Spt, kArmSpt}));
  const auto arguments = sdk_arguments(*sdk, fleet::v1::X86_64, "compile.c");
  ASSERT_TRUE(arguments) << arguments.error().what;
  EXPECT_EQ(*arguments,
            (std::vector<std::string>{"-isystem", folder_ + "/include/lwip", "-O2"}));
}

TEST(BuildTargets, AreWhatIsWantedOfWhatThereIs) {
  const Sdk sdk{"/sdk", {kX86Virtio, kX86Spt, kArmSpt}};
  EXPECT_EQ(*choose_targets(sdk, {"aarch64"}, {}), (std::vector<SdkTarget>{kArmSpt}));
  EXPECT_EQ(*choose_targets(sdk, {"x86_64", "aarch64"}, {"spt"}),
            (std::vector<SdkTarget>{kX86Spt, kArmSpt}));
  const auto missing = choose_targets(sdk, {"x86_64"}, {"hvt"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what.find("no image for x86_64/hvt; it has x86_64/virtio, x86_64/spt, "
                                      "aarch64/spt"), std::string::npos) << missing.error().what;
  EXPECT_NE(choose_targets(sdk, {"arm"}, {}).error().what.find("one of x86_64, aarch64"),
            std::string::npos);
  EXPECT_NE(choose_targets(sdk, {}, {"bare"}).error().what.find("--platform bare is not known"),
            std::string::npos);
}

TEST(BuildTargets, AreThoseOfTheDevicesThatThePushIsFor) {
  const Sdk sdk{"/sdk", {kX86Virtio, kX86Spt, kArmSpt}};
  fleet::v1::DeviceList devices;
  auto& first = *devices.add_devices()->mutable_inventory();
  first.set_arch(fleet::v1::AARCH64);
  EXPECT_EQ(*targets_for(sdk, devices), (std::vector<SdkTarget>{kArmSpt}));
  devices.add_devices()->mutable_inventory()->set_arch(fleet::v1::X86_64);
  EXPECT_EQ(targets_for(sdk, devices)->size(), 3U);
  devices.mutable_devices()->DeleteSubrange(1, 1);
  const Sdk other{"/sdk", {kX86Spt}};
  EXPECT_NE(targets_for(other, devices).error().what.find("no image for aarch64"),
            std::string::npos);
}

TEST(BuildProcess, TellsWhatWasSaidAndLetsNothingBeginAfterAFailure) {
  const std::atomic<bool> interrupted{false};
  const std::string shell = find_program("sh");
  ASSERT_FALSE(shell.empty());
  std::vector<Command> commands;
  commands.push_back({{shell, "-c", "echo out; echo wrong >&2; exit 3"}, "first"});
  for (int i = 0; i < 500; ++i) commands.push_back({{shell, "-c", "exit 0"}, "more"});
  std::size_t begun = 0;
  const auto ran =
      run_commands(commands, interrupted, [&begun](const Command&, std::size_t) { ++begun; });
  ASSERT_TRUE(ran) << ran.error().what;
  EXPECT_FALSE((*ran)[0].good);
  EXPECT_EQ((*ran)[0].said, "out\nwrong\n");
  EXPECT_EQ(ran->size(), begun);
  EXPECT_LT(begun, commands.size());
}

TEST(BuildProcess, AnArgumentIsNeverSplitNorRead) {
  const std::atomic<bool> interrupted{false};
  const auto ran = run_commands({{{find_program("echo"), "a  b; $HOME `id`"}, "echo"}}, interrupted,
                                [](const Command&, std::size_t) {});
  ASSERT_TRUE(ran) << ran.error().what;
  EXPECT_EQ((*ran)[0].said, "a  b; $HOME `id`\n");
}

TEST(BuildProcess, AnInterruptEndsWhatRuns) {
  std::atomic<bool> interrupted{false};
  const auto ran = run_commands(
      {{{find_program("sleep"), "600"}, "long"}}, interrupted,
      [&interrupted](const Command&, std::size_t) { interrupted.store(true); });
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, Code::cancelled);
  EXPECT_EQ(find_program("no-such-program-at-all"), "");
}

}  // namespace
}  // namespace fleetctl
