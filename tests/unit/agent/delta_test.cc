// Updates by delta on one device: the real agent, blobs and apply over a wire that counts.
#include "ota/delta.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <span>

#include "agent/trust.h"
#include "ota/hash.h"
#include "tests/unit/agent/fakes.h"

namespace {

using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& one : text) one = static_cast<char>(random());
  return text;
}

class DeltaTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
    repository.add(make_manifest("dns", 1), base);
    device.want(TestDevice::wish("dns", 1, "a1"));
    ASSERT_TRUE(device.run_until([&] { return device.live_release("dns") == 1; }));
    device.run_for(15'000);
    image.replace(5000, 20, "twenty other letters");
    device.wire.blob_bytes = 0;
    device.wire.paths.clear();
  }

  /// Serves a delta from `from` to `to` under its digest, and offers it.
  fleet::v1::DeltaOffer offer(const std::string& from, const std::string& to) {
    const auto made = ota::make_delta(std::as_bytes(std::span(from)),
                                      std::as_bytes(std::span(to)), to.size() * 2);
    FLEET_ASSERT(made.has_value());
    const std::string file(reinterpret_cast<const char*>(made->data()), made->size());
    return serve(from, to, file);
  }
  fleet::v1::DeltaOffer serve(const std::string& from, const std::string& to,
                              const std::string& file) {
    fleet::v1::DeltaOffer out;
    out.set_from(ota::sha256(from).hex());
    out.set_to(ota::sha256(to).hex());
    out.set_sha256(ota::sha256(file).hex());
    out.set_size_bytes(file.size());
    repository.files[agent::kDeltasPath + out.sha256()] = file;
    return out;
  }
  fleet::v1::DesiredApp wish(std::vector<fleet::v1::DeltaOffer> offers) {
    auto out = TestDevice::wish("dns", 2, "a2");
    for (fleet::v1::DeltaOffer& one : offers) *out.add_deltas() = std::move(one);
    return out;
  }
  void add(std::uint64_t max_bytes = 0) {
    auto manifest = make_manifest("dns", 2);
    manifest.mutable_update()->set_max_bytes(max_bytes);
    repository.add(manifest, image);
  }
  fleet::v1::Report push(std::vector<fleet::v1::DeltaOffer> offers) {
    device.want(wish(std::move(offers)));
    EXPECT_TRUE(device.run_until([&] { return device.ended("a2"); }));
    return device.last("a2");
  }
  bool asked_for(const std::string& path) {
    return std::count(device.wire.paths.begin(), device.wire.paths.end(), path) > 0;
  }
  /// Files under that folder of the store.
  static std::size_t count_in(const TestDevice& of, const char* folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(of.directory / folder)) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }
  std::string blob_path() { return agent::kBlobsPath + ota::sha256(image).hex(); }

  const std::string base = noise(20'000, 1);
  std::string image = base;
  Repository repository{kNow};
  TestDevice device{repository};
};

TEST_F(DeltaTest, AnOfferedDeltaIsAllThatIsFetched) {
  add();
  const auto delta = offer(base, image);
  const auto report = push({delta});
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, delta.size_bytes());
  EXPECT_LT(delta.size_bytes() * 10, image.size());
  EXPECT_LT(report.fetched_bytes() * 10, image.size());
  EXPECT_FALSE(asked_for(blob_path()));
  EXPECT_NE(report.detail().find(" by delta"), std::string::npos) << report.detail();
  device.run_for(15'000);
  EXPECT_EQ(count_in(device, "partial"), 0u);
  EXPECT_EQ(count_in(device, "blobs"), 4u) << "two images and two manifests";
}

TEST_F(DeltaTest, ACompressedImageNeedsNoBase) {
  image = std::string(20'000, 'x') + noise(500, 3);
  add();
  const auto compressed = offer("", image);
  EXPECT_EQ(compressed.from(), ota::empty_digest().hex());
  const auto report = push({compressed, serve("a base that nobody has", image, "x")});
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, compressed.size_bytes());
  EXPECT_FALSE(asked_for(blob_path()));
  EXPECT_NE(report.detail().find(" compressed"), std::string::npos) << report.detail();
}

TEST_F(DeltaTest, ABrokenCompressedImageIsFollowedByTheWholeOne) {
  image = std::string(20'000, 'x') + noise(500, 3);
  add();
  const auto report = push({serve("", image, "no frame")});
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, image.size() + 8);
}

TEST_F(DeltaTest, TheSmallestWhoseBaseIsHereIsTaken) {
  add();
  const auto small = offer(base, image);
  auto foreign = serve("a base that nobody has", image, "x");
  auto large = serve(base, image, std::string(5000, 'y'));
  auto other_image = offer(base, noise(3000, 4));
  const auto report = push({small, foreign, large, other_image});
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, small.size_bytes());
}

TEST_F(DeltaTest, OffersThatAreNoneAreIgnored) {
  add();
  fleet::v1::DeltaOffer bad = offer(base, image);
  std::vector<fleet::v1::DeltaOffer> offers(4, bad);
  offers[0].set_from("no digest");
  offers[1].set_sha256("../../etc/passwd");
  offers[2].set_size_bytes(0);
  offers[3].set_size_bytes(image.size());
  EXPECT_EQ(push(offers).state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.wire.blob_bytes, image.size());
}

TEST_F(DeltaTest, ABrokenDeltaIsFollowedByTheWholeImageAndTheReportSaysSo) {
  add();
  auto delta = offer(base, image);
  repository.files[agent::kDeltasPath + delta.sha256()][10] ^= 1;  // other bytes, the same length
  const auto report = push({delta});
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, delta.size_bytes() + image.size());
  EXPECT_NE(report.detail().find("a delta was broken, fetched whole"), std::string::npos)
      << report.detail();
  device.run_for(15'000);
  EXPECT_EQ(count_in(device, "partial"), 0u);
  EXPECT_EQ(count_in(device, "blobs"), 4u);
}

TEST_F(DeltaTest, WhatADeltaMakesCountsByItsHashAlone) {
  add();
  std::string other = image;
  other[7] ^= 1;
  auto lie = offer(base, other);
  lie.set_to(ota::sha256(image).hex());
  const auto report = push({lie});
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_TRUE(asked_for(blob_path()));
  EXPECT_NE(report.detail().find("a delta was broken"), std::string::npos) << report.detail();
}

TEST_F(DeltaTest, WhatIsNoDeltaOrNotThereIsFollowedByTheWholeImage) {
  add();
  auto gone = serve(base, image, "a delta");
  repository.files.erase(agent::kDeltasPath + gone.sha256());
  EXPECT_EQ(push({gone}).state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.wire.blob_bytes, image.size());
}

TEST_F(DeltaTest, ABudgetForTheDeltaIsEnough) {
  const auto delta = offer(base, image);
  add(delta.size_bytes());
  EXPECT_EQ(push({delta}).state(), fleet::v1::HEALTHY);
}

TEST_F(DeltaTest, OverTheBudgetNoByteOfTheImageComesAndTheOldReleaseRunsOn) {
  auto delta = offer(base, image);
  repository.files[agent::kDeltasPath + delta.sha256()][10] ^= 1;
  add(image.size());  // for the image alone, or the delta alone, but not for both
  bool always = true;
  device.after_each_event = [&] { always = always && device.launcher.serves(); };
  const auto report = push({delta});
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_BUDGET) << report.why().text();
  EXPECT_NE(report.why().text().find("a delta was broken"), std::string::npos)
      << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, delta.size_bytes());
  EXPECT_EQ(report.status().live_release(), 1u);
  device.run_for(15'000);
  EXPECT_TRUE(always);
  EXPECT_EQ(count_in(device, "partial"), 0u);
  EXPECT_EQ(count_in(device, "blobs"), 2u);
}

TEST_F(DeltaTest, AWireThatIsCutCostsNoByteTwice) {
  add();
  const auto delta = offer(base, image);
  device.wire.cut_blobs_after = 7;
  EXPECT_EQ(push({delta}).state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.wire.blob_bytes, delta.size_bytes());
}

// Gives the device as kill -9 leaves it once `path` was asked for so often, and cuts its wire then.
std::unique_ptr<TestDevice> killed_after(TestDevice& device, Repository& repository,
                                         const std::string& path, int times) {
  const auto asked = [&] {
    return std::count(device.wire.paths.begin(), device.wire.paths.end(), path) >= times;
  };
  EXPECT_TRUE(device.run_until(asked));
  return std::make_unique<TestDevice>(device, repository);
}

TEST_F(DeltaTest, AKilledAgentGoesOnWhereTheDownloadEnded) {
  add();
  for (const bool with_delta : {true, false}) {
    SCOPED_TRACE(with_delta);
    const auto delta = offer(base, image);
    const std::string path =
        with_delta ? agent::kDeltasPath + delta.sha256() : blob_path();
    const std::uint64_t size = with_delta ? delta.size_bytes() : image.size();
    TestDevice first(device, repository);
    first.start();
    first.wire.cut_blobs_after = size / 5;
    auto wanted = wish({});
    if (with_delta) *wanted.add_deltas() = delta;
    first.want(wanted);
    const auto second = killed_after(first, repository, path, 3);
    const std::uint64_t before = first.wire.blob_bytes;
    EXPECT_GT(before, 0u);
    EXPECT_LT(before, size);
    second->start();
    EXPECT_TRUE(second->run_until([&] { return second->ended("a2"); }));
    EXPECT_EQ(second->last("a2").state(), fleet::v1::HEALTHY);
    EXPECT_EQ(before + second->wire.blob_bytes, size) << "no byte came twice";
    second->run_for(15'000);
    EXPECT_EQ(count_in(*second, "partial"), 0u);
    second->stop();
    first.stop();
  }
}

TEST_F(DeltaTest, ANewerWishGoesOnWithTheSameImage) {
  add();
  device.wire.cut_blobs_after = 4000;
  device.want(wish({}));
  ASSERT_TRUE(device.run_until([&] {
    return std::count(device.wire.paths.begin(), device.wire.paths.end(), blob_path()) >= 3;
  }));
  auto manifest = make_manifest("dns", 3);
  manifest.set_description("the same image");
  repository.add(manifest, image);
  device.want(TestDevice::wish("dns", 3, "a3"));
  ASSERT_TRUE(device.run_until([&] { return device.ended("a3"); }));
  EXPECT_EQ(device.last("a3").state(), fleet::v1::HEALTHY) << device.last("a3").why().text();
  EXPECT_EQ(device.last("a2").state(), fleet::v1::SUPERSEDED);
  EXPECT_EQ(device.wire.blob_bytes, image.size()) << "no byte came twice";
  device.run_for(15'000);
  EXPECT_EQ(count_in(device, "partial"), 0u);
  EXPECT_EQ(count_in(device, "blobs"), 4u);
}

TEST_F(DeltaTest, AnotherAppsUpdateDoesNotCollectWhatWasBegun) {
  add();
  auto other = make_manifest("aaa", 1);
  other.mutable_publish(0)->set_host_port(54);
  repository.add(other, "image of aaa");
  device.wire.cut_blobs_after = 4000;
  device.want(wish({}));
  const auto second = killed_after(device, repository, blob_path(), 3);
  const std::uint64_t before = device.wire.blob_bytes;
  // After the restart the manifest of dns does not come, and aaa is done before it does.
  const auto& paths = device.wire.paths;
  const auto first_blob = std::find(paths.begin(), paths.end(), blob_path());
  ASSERT_NE(first_blob, paths.begin());
  second->wire.lost_part = *(first_blob - 1);
  second->start();
  fleet::v1::Desired desired;
  desired.set_generation(100);
  *desired.add_apps() = TestDevice::wish("aaa", 1, "b1");
  *desired.add_apps() = wish({});
  ASSERT_TRUE(second->agent->take(desired).has_value());
  EXPECT_TRUE(second->run_until([&] { return second->ended("b1"); }));
  EXPECT_EQ(second->last("b1").state(), fleet::v1::HEALTHY) << second->last("b1").why().text();
  second->run_for(100);
  EXPECT_FALSE(second->ended("a2"));
  second->wire.lost_part.clear();
  EXPECT_TRUE(second->run_until([&] { return second->ended("a2"); }));
  const std::uint64_t of_aaa = std::string("image of aaa").size();
  EXPECT_EQ(before + second->wire.blob_bytes - of_aaa, image.size()) << "no byte came twice";
  second->stop();
}

}  // namespace
