// A folder of a test's own, with files in it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/unit/ota/temp_dir.h"

namespace fleetctl {

class FolderTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes = "") {
    const std::filesystem::path path = temp_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::string read(const std::string& name) const {
    std::ifstream stream(temp_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  TempDir temp_;
  std::string folder_ = temp_.path();
};

}  // namespace fleetctl
