// A directory of its own for one test, in memory where the machine can (the tests sync a lot),
// removed with all that is in it.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "proto/result.h"

class TempDir {
 public:
  TempDir() {
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    const auto base = in_memory ? std::filesystem::path("/dev/shm") :
                                  std::filesystem::temp_directory_path();
    std::string pattern = (base / "fleet-XXXXXX").string();
    FLEET_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};
