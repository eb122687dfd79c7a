// The catalog: what is in it, what catalog:NAME stands for, and what is copied out of it.
#include "deploy/fleetctl/catalog.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "deploy/fleetctl/draft.h"
#include "tests/unit/fleetctl/folder.h"
#include "tests/unit/images/sample.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using proto::Code;

std::string solo5_image(std::uint32_t target, std::uint16_t machine) {
  sample::Elf elf;
  elf.machine = machine;
  elf.osabi = 255;
  elf.interpreter = "/nonexistent/solo5/";
  elf.notes = {sample::solo5_abi(target, 2), sample::solo5_manifest({{"service", 2}}),
               sample::note("Unifleet", 1, sample::number(std::uint32_t{1}))};
  return elf.bytes();
}

class CatalogTest : public FolderTest {
 protected:
  void SetUp() override {
    write("catalog/dns/manifest.yml",
          "# Names.\nversion: 1\napplications:\n- name: names\n  description: Some names\n"
          "  images:\n    x86_64/spt: dns.x86_64.spt\n    # and\n    x86_64/hvt: dns.x86_64.hvt\n"
          "  memory: 16M\n  files:\n    /a.zone: {from: zones/a.zone}\n");
    write("catalog/dns/zones/a.zone", "@ SOA\n");
    write("catalog/dns/dns.x86_64.spt", solo5_image(2, 62));
    write("catalog/dns/dns.x86_64.hvt", solo5_image(1, 62));
    write("catalog/dns/dns.aarch64.spt", solo5_image(2, 183));
    write("catalog/dns/README.md", "no image");
    write("catalog/debug/dns.debug", solo5_image(2, 62));  // no manifest, no app
    write("catalog/broken/manifest.yml", "version: 1\napplications: [{nmae: x}]\n");
  }
  Catalog catalog() const {
    const auto found = read_catalog(folder_ + "/catalog");
    EXPECT_TRUE(found);
    return *found;
  }
  CommandResult copy(const std::string& name, const std::string& into) {
    std::ostringstream out;
    std::ostringstream error;
    Terminal terminal(out, error, {});
    const std::atomic<bool> interrupted{false};
    Program program{terminal, interrupted, "", false};
    CatalogOptions options;
    options.folder = folder_ + "/catalog";
    options.name = name;
    options.into = folder_ + "/" + into;
    return copy_from_catalog(program, options);
  }
};

TEST_F(CatalogTest, AnEntryIsWhatItsManifestAndItsImagesSay) {
  const Catalog found = catalog();
  ASSERT_EQ(found.entries.size(), 1U);
  const CatalogEntry& dns = found.entries[0];
  EXPECT_EQ(dns.name, "dns");
  EXPECT_EQ(dns.app, "names");
  EXPECT_EQ(dns.description, "Some names");
  EXPECT_EQ(image_kinds(dns), "x86_64/{hvt,spt} aarch64/spt");
  ASSERT_EQ(found.unreadable.size(), 1U);
  EXPECT_NE(found.unreadable[0].find("broken/manifest.yml:2"), std::string::npos);
}

TEST_F(CatalogTest, AnAppIsFoundByItsFolderOrItsOwnName) {
  EXPECT_EQ(find_entry(catalog(), "dns")->name, "dns");
  EXPECT_EQ(find_entry(catalog(), "names")->name, "dns");
  const auto none = find_entry(catalog(), "nams");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::not_found);
  EXPECT_NE(none.error().what.find("nearest: names"), std::string::npos);
}

TEST_F(CatalogTest, AWordOfTheCatalogStandsForTheImagesThatFit) {
  proto::ImageSource source;
  source.catalog = "dns";
  source.place = "manifest.yml:4: image";
  const auto all = catalog_images(catalog(), source);
  ASSERT_TRUE(all) << all.error().what;
  ASSERT_EQ(all->size(), 3U);
  EXPECT_TRUE((*all)[2].kernel.ends_with("/dns/dns.aarch64.spt"));
  source.arch = fleet::v1::X86_64;
  EXPECT_EQ(catalog_images(catalog(), source)->size(), 2U);
  source.platform = fleet::v1::VIRTIO;
  const auto none = catalog_images(catalog(), source);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what,
            "manifest.yml:4: image: the catalog's dns has no such image; it has "
            "x86_64/{hvt,spt} aarch64/spt");
}

TEST_F(CatalogTest, AnAppWithoutImagesTakesThoseOfItsName) {
  write("here/manifest.yml", "version: 1\napplications:\n- name: names\n");
  PushOptions options;
  options.manifest_file = folder_ + "/here/manifest.yml";
  options.catalog = folder_ + "/catalog";
  const auto recipe = read_recipe(options);
  ASSERT_TRUE(recipe) << recipe.error().what;
  const auto draft = make_draft(*recipe, options);
  ASSERT_TRUE(draft) << draft.error().what;
  EXPECT_EQ(draft->images.size(), 3U);

  write("here/manifest.yml", "version: 1\napplications:\n- name: web\n");
  const auto other = make_draft(*read_recipe(options), options);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().what.find("manifest.yml:3: name: the app has no image; write image, "
                                    "images or path\nthe catalog has no app web"),
            std::string::npos) << other.error().what;
}

TEST_F(CatalogTest, ACopyHasTheManifestWithTheCatalogsImagesAndItsFiles) {
  ASSERT_TRUE(copy("dns", "mine"));
  EXPECT_EQ(read("mine/manifest.yml"),
            "# Names.\nversion: 1\napplications:\n- name: names\n  description: Some names\n"
            "  image: catalog:dns\n  memory: 16M\n  files:\n    /a.zone: {from: zones/a.zone}\n");
  EXPECT_EQ(read("mine/zones/a.zone"), "@ SOA\n");
  EXPECT_TRUE(proto::load_manifest(folder_ + "/mine/manifest.yml"));
}

TEST_F(CatalogTest, ACopyNeverOverwritesAndLeavesNothingWhenItCannot) {
  write("mine/manifest.yml", "mine\n");
  const auto refused = copy("dns", "mine");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::already_exists);
  EXPECT_EQ(read("mine/manifest.yml"), "mine\n");
  EXPECT_FALSE(fs::exists(folder_ + "/mine/zones/a.zone"));

  write("catalog/dns/manifest.yml", "version: 1\napplications:\n- name: names\n"
        "  files:\n    /a: {from: ../broken/manifest.yml}\n");
  const auto outside = copy("dns", "other");
  ASSERT_FALSE(outside);
  EXPECT_NE(outside.error().what.find("does not lie beside"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ + "/other"));
}

TEST_F(CatalogTest, ACatalogThatIsNotThereSaysHowToNameIt) {
  const auto none = read_catalog(folder_ + "/nowhere");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().what.find("--catalog FOLDER or FLEET_CATALOG"), std::string::npos);
}

}  // namespace
}  // namespace fleetctl
