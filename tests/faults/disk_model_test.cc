// The disk model itself: it finds the classic mistakes of programs that keep files, and finds none
// in the program that makes none. And the recorder: what it saw of a RealDisk makes the same files.
#include "tests/faults/disk_model.h"

#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "ota/disk.h"
#include "tests/faults/recording.h"
#include "tests/unit/ota/temp_dir.h"

namespace {

using faults::after_cut;
using faults::Call;
using faults::Loss;
using faults::Op;
using faults::Tree;

Op op(Call call, const std::string& path, std::uint64_t argument = 0,
      const std::string& data = "") {
  return {call, path, "", argument, data, 0};
}
Op move(const std::string& from, const std::string& to) {
  return {Call::rename, from, to, 0, "", 0};
}

std::vector<Loss> losses(std::uint64_t seeds) {
  std::vector<Loss> out = {{Loss::Kind::none, 0}, {Loss::Kind::unsynced, 0}};
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) out.push_back({Loss::Kind::seeded, seed});
  return out;
}

/// How many of all states after any cut break the rule.
std::size_t bad_states(const Tree& before, const std::vector<Op>& ops,
                       const std::function<bool(const Tree&, std::size_t)>& is_good) {
  std::size_t bad = 0;
  for (std::size_t count = 0; count <= ops.size(); ++count) {
    for (const Loss& loss : losses(64)) {
      bad += is_good(after_cut(before, ops, count, loss), count) ? 0 : 1;
    }
  }
  return bad;
}

// Replacing "name" through "new", as a program should.
std::vector<Op> replacing() {
  return {op(Call::create, "new", 0600), op(Call::write, "new", 0, std::string(2000, 'n')),
          op(Call::sync, "new"), move("new", "name"), op(Call::sync, "")};
}
const Tree kOld = {{"name", {false, 0600, std::string(1500, 'o')}}};

// Old or new and whole, and new once it was said to be kept.
bool old_or_new(const Tree& tree, std::size_t count) {
  const auto found = tree.find("name");
  if (found == tree.end()) return false;
  const bool is_new = found->second.bytes == std::string(2000, 'n');
  if (count == replacing().size()) return is_new;
  return is_new || found->second.bytes == std::string(1500, 'o');
}

TEST(DiskModel, FindsNothingInAFileThatIsReplacedAsItShould) {
  EXPECT_EQ(bad_states(kOld, replacing(), old_or_new), 0u);
}

TEST(DiskModel, FindsTheMissingSyncOfTheFile) {
  auto ops = replacing();
  ops[2] = op(Call::sync, "name");  // of another file
  EXPECT_GT(bad_states(kOld, ops, old_or_new), 0u);
}

TEST(DiskModel, FindsTheMissingSyncOfTheDirectory) {
  auto ops = replacing();
  ops[4] = op(Call::sync, "name");
  EXPECT_GT(bad_states(kOld, ops, old_or_new), 0u);
}

TEST(DiskModel, FindsTheRenameBeforeTheBytes) {
  auto ops = replacing();
  ops[2] = move("new", "name");
  ops[3] = op(Call::sync, "name");
  EXPECT_GT(bad_states(kOld, ops, old_or_new), 0u);
}

TEST(DiskModel, FindsTheFileThatIsOverwrittenInPlace) {
  const std::vector<Op> ops = {op(Call::resize, "name", 0),
                               op(Call::write, "name", 0, std::string(2000, 'n')),
                               op(Call::sync, "name"), op(Call::sync, ""), op(Call::sync, "")};
  EXPECT_GT(bad_states(kOld, ops, old_or_new), 0u);
}

TEST(DiskModel, FindsANameInANewDirectoryWhoseOwnNameWasNotSynced) {
  const std::vector<Op> ops = {op(Call::make_dir, "d", 0700), op(Call::create, "d/f", 0600),
                               op(Call::sync, "d/f"), op(Call::sync, "d")};
  const auto is_kept = [&](const Tree& tree, std::size_t count) {
    return count < ops.size() || tree.count("d/f") == 1;
  };
  EXPECT_GT(bad_states({}, ops, is_kept), 0u);
  auto mended = ops;
  mended.push_back(op(Call::sync, ""));
  const auto is_kept_at_last = [&](const Tree& tree, std::size_t count) {
    return count < mended.size() || tree.count("d/f") == 1;
  };
  EXPECT_EQ(bad_states({}, mended, is_kept_at_last), 0u);
}

TEST(DiskModel, FindsTwoFilesThatRelyOnTheOrderOfTheirWrites) {
  const Tree before = {{"data", {false, 0600, "0"}}, {"mark", {false, 0600, "0"}}};
  const std::vector<Op> ops = {op(Call::write, "data", 0, "1"), op(Call::write, "mark", 0, "1")};
  const auto in_order = [](const Tree& tree, std::size_t) {
    return tree.at("mark").bytes == "0" || tree.at("data").bytes == "1";
  };
  EXPECT_GT(bad_states(before, ops, in_order), 0u);
}

TEST(DiskModel, TearsALongWriteAndLeavesASectorWhole) {
  const Tree before = {{"f", {false, 0600, std::string(8192, 'o')}}};
  const std::vector<Op> ops = {op(Call::write, "f", 0, std::string(8192, 'n'))};
  std::size_t torn = 0;
  const auto looked_at = [&torn](const Tree& tree, std::size_t) {
    const std::string& bytes = tree.at("f").bytes;
    torn += bytes != std::string(8192, 'o') && bytes != std::string(8192, 'n') ? 1 : 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      if (bytes[at] != bytes[at / 512 * 512]) return false;
    }
    return true;
  };
  EXPECT_EQ(bad_states(before, ops, looked_at), 0u);
  EXPECT_GT(torn, 0u);
}

TEST(DiskModel, LeavesAFileThatGrewWithoutItsBytes) {
  const std::vector<Op> ops = {op(Call::create, "f", 0600),
                               op(Call::write, "f", 0, std::string(4096, 'n'))};
  const auto not_zero = [](const Tree& tree, std::size_t) {
    return tree.count("f") == 0 || tree.at("f").bytes != std::string(4096, '\0');
  };
  EXPECT_GT(bad_states({}, ops, not_zero), 0u);
}

TEST(DiskModel, KeepsWhatWasSyncedThroughADescriptorThatWritesThrough) {
  const Tree before = {{"f", {false, 0600, "old"}}};
  const std::vector<Op> ops = {op(Call::write, "f", 0, "new"), op(Call::sync_data, "f")};
  const auto kept = [&](const Tree& tree, std::size_t count) {
    return count < ops.size() || tree.at("f").bytes == "new";
  };
  EXPECT_EQ(bad_states(before, ops, kept), 0u);
}

TEST(DiskModel, ALaterChangeOfANameNeedsTheEarlierOne) {
  const Tree before = {{"f", {false, 0600, "old"}}};
  const std::vector<Op> ops = {op(Call::unlink, "f"), op(Call::create, "f", 0600),
                               op(Call::write, "f", 0, "new"), op(Call::sync, "f")};
  const auto sane = [](const Tree& tree, std::size_t) {
    return tree.count("f") == 0 || tree.at("f").bytes == "old" || tree.at("f").bytes == "new" ||
           tree.at("f").bytes.find_first_not_of('\0') == std::string::npos;
  };
  EXPECT_EQ(bad_states(before, ops, sane), 0u);
}

TEST(Recording, WhatWasSeenOfARealDiskMakesTheSameFilesAndAllOfThemAreSynced) {
  const TempDir directory;
  auto disk = ota::RealDisk::open(directory.path());
  ASSERT_TRUE(disk.has_value());
  const faults::Recording recording(directory.path(), [](std::size_t) {});
  const std::string text(10'000, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  ASSERT_TRUE((*disk)->make_directory("blobs").has_value());
  ASSERT_TRUE((*disk)->make_directory("partial").has_value());
  ASSERT_TRUE((*disk)->replace_file("root.json", bytes).has_value());
  auto partial = (*disk)->open_partial("partial/one", 1000);
  ASSERT_TRUE(partial.has_value());
  ASSERT_TRUE(ota::write_at(*partial, 0, bytes).has_value());
  ASSERT_TRUE((*disk)->publish("partial/one", *partial, "blobs/one").has_value());
  const auto volume = (*disk)->open_sized("volume", {5000, true});
  ASSERT_TRUE(volume.has_value());
  ASSERT_TRUE(ota::write_at(*volume, 100, bytes.first(50)).has_value());
  ASSERT_TRUE((*disk)->replace_file("gone", bytes).has_value());
  ASSERT_TRUE((*disk)->remove("gone").has_value());

  const auto there = faults::read_tree(directory.path());
  ASSERT_TRUE(there.has_value());
  EXPECT_EQ(there->size(), 5u);
  for (const Loss& loss : losses(16)) {
    EXPECT_EQ(after_cut({}, recording.ops(), recording.ops().size(), loss), *there)
        << name_of(loss);
  }
}

TEST(Trace, IsReadAsItWasWrittenAndRefusedWhenItIsCut) {
  const TempDir directory;
  const std::string file = directory / "trace";
  const auto ops = replacing();
  std::string records;
  for (const Op& one : ops) records += encode(one);
  ASSERT_TRUE(faults::write_tree({{"trace", {false, 0600, records}}}, directory.path()));
  const auto read = faults::read_trace(file);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) EXPECT_EQ(encode((*read)[i]), encode(ops[i]));
  records.pop_back();
  ASSERT_TRUE(faults::write_tree({{"trace", {false, 0600, records}}}, directory.path()));
  EXPECT_EQ(faults::read_trace(file).error().code, proto::Code::io);
}

}  // namespace
