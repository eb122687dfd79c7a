// What an operator's machine keeps: contexts, keys, modes.
#include "deploy/fleetctl/home.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "deploy/fleetctl/keystore.h"
#include "deploy/fleetctl/terminal.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using proto::Code;

class HomeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "fleetctl-home-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  unsigned mode_of(const std::string& path) const {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777u;
  }

  std::string folder_;
};

TEST_F(HomeTest, WithoutALoginTheErrorTeachesIt) {
  const auto context = Home(folder_).context("");
  ASSERT_FALSE(context);
  EXPECT_EQ(context.error().code, Code::not_found);
  EXPECT_NE(context.error().what.find("fleetctl login"), std::string::npos);
}

TEST_F(HomeTest, ALoginIsKeptPrivatelyAndBecomesTheCurrentOne) {
  const Home home(folder_ + "/deep/home");
  ASSERT_TRUE(home.save({"lab", "https://lab:8443", "PEM", "secret-token"}));
  ASSERT_TRUE(home.save({"field", "https://field:8443", "PEM", "other"}));
  const auto current = home.context("");
  ASSERT_TRUE(current);
  EXPECT_EQ(current->name, "field");
  const auto lab = home.context("lab");
  ASSERT_TRUE(lab);
  EXPECT_EQ(lab->url, "https://lab:8443");
  EXPECT_EQ(mode_of(lab->token_file()), 0600u);
  EXPECT_EQ(mode_of(lab->folder), 0700u);
  EXPECT_EQ(home.context_names(), (std::vector<std::string>{"field", "lab"}));
  const auto none = home.context("moon");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().what.find("field, lab"), std::string::npos);
}

TEST_F(HomeTest, AContextNameCannotLeaveItsFolder) {
  const Home home(folder_);
  for (const char* name : {"../x", "a/b", "", ".hidden", "-x"}) {
    const auto saved = home.save({name, "https://h", "PEM", "t"});
    ASSERT_FALSE(saved) << name;
    EXPECT_EQ(saved.error().code, Code::bad_argument);
  }
  EXPECT_FALSE(home.context("../../etc"));
}

TEST_F(HomeTest, SecretsAreReadWithoutTheirLineEnd) {
  std::ofstream(folder_ + "/token") << "abc\r\nmore\n";
  const auto secret = read_secret_file(folder_ + "/token", "the token");
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->view(), "abc");
  std::ofstream(folder_ + "/empty") << "\n";
  const auto empty = read_secret_file(folder_ + "/empty", "the token");
  ASSERT_FALSE(empty);
  EXPECT_NE(empty.error().what.find("the token in " + folder_ + "/empty is empty"),
            std::string::npos);
  const auto missing = read_secret_file(folder_ + "/none", "the token");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
}

TEST_F(HomeTest, AKeyIsSealedTwiceAndOpensWithItsPassphraseOnly) {
  const std::string keys = folder_ + "/keys";
  const std::string copy = folder_ + "/copy";
  ASSERT_TRUE(make_folders(keys));
  const KeyStore store(keys);
  const ota::SigningKey key = ota::SigningKey::generate();
  const ota::Secret passphrase("correct horse");
  const auto saved = store.save(key, "apps.dns", passphrase, copy);
  ASSERT_TRUE(saved) << saved.error().what;
  EXPECT_EQ(mode_of(saved->path), 0600u);
  EXPECT_TRUE(fs::exists(copy + "/" + fs::path(saved->path).filename().string()));

  const auto found = store.find("apps.dns", {key.keyid()});
  ASSERT_TRUE(found);
  EXPECT_TRUE(open_key(*found, passphrase));
  const auto wrong = open_key(*found, ota::Secret("wrong horse"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Code::unauthenticated);
  EXPECT_NE(wrong.error().what.find("wrong passphrase for the key apps/dns ("), std::string::npos);

  const auto other = store.find("apps.dns", {std::string(64, 'a')});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::not_found);
}

TEST_F(HomeTest, TheSecondCopyMayNotLieWhereTheFirstDoes) {
  ASSERT_TRUE(make_folders(folder_ + "/keys"));
  const KeyStore store(folder_ + "/keys");
  const auto saved = store.save(ota::SigningKey::generate(), "root", ota::Secret("correct horse"),
                                folder_ + "/keys/");
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, Code::bad_argument);
  EXPECT_TRUE(store.list()->empty());
}

}  // namespace
}  // namespace fleetctl
