#include "deploy/fleetctl/build_sdk.h"

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "deploy/fleetctl/home.h"
#include "deploy/fleetctl/installed.h"
#include "deploy/fleetctl/text.h"
#include "proto/document.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using fleet::v1::Arch;
using fleet::v1::Platform;
using proto::Code;

constexpr std::size_t kMaxArgumentsBytes = 64 * 1024;
constexpr std::string_view kSdkWord = "@sdk@";  // stands for the folder

std::string targets_text(const std::vector<SdkTarget>& targets) {
  std::vector<std::string> words;
  for (const SdkTarget& target : targets) words.push_back(text_of(target));
  return join(words, ", ");
}

template <typename Enum>
proto::Result<std::vector<Enum>> read_words(const google::protobuf::EnumDescriptor& type,
                                            const std::vector<std::string>& words,
                                            const std::string& flag,
                                            const std::vector<Enum>& known) {
  std::vector<Enum> out;
  for (const std::string& word : words) {
    const auto* value = proto::value_of_word(type, word);
    const auto one = value == nullptr ? Enum() : static_cast<Enum>(value->number());
    if (std::find(known.begin(), known.end(), one) == known.end()) {
      std::vector<std::string> names;
      for (const Enum name : known) names.push_back(proto::word_of(name));
      return proto::Error{Code::bad_argument,
                          flag + " " + visible(word) + " is not known; one of " +
                              join(names, ", "), flag};
    }
    out.push_back(one);
  }
  return out;
}

proto::Error missing(const Sdk& sdk, const std::string& what, Arch arch) {
  std::string text = "the SDK in " + sdk.folder + " makes no image for " + what + "; it has " +
                     targets_text(sdk.targets);
  if (arch == fleet::v1::AARCH64) {
    text += "\nthat part is built where the compiler is:  apt install g++-aarch64-linux-gnu, then "
            "cmake --preset release && cmake --build --preset release";
  }
  return proto::Error{Code::not_found, text, {}};
}

}  // namespace

std::string text_of(const SdkTarget& target) {
  return proto::word_of(target.arch) + "/" + proto::word_of(target.platform);
}

std::string Sdk::file_of(Arch arch, const std::string& name) const {
  return folder + "/" + proto::word_of(arch) + "/" + name;
}

std::string Sdk::file_of(const SdkTarget& target, const std::string& name) const {
  return folder + "/" + text_of(target) + "/" + name;
}

proto::Result<Sdk> open_sdk(const std::string& given) {
  Sdk sdk;
  TRY(sdk.folder, find_installed(kSdkFolder, given));
  std::error_code error;
  sdk.folder = fs::absolute(sdk.folder, error).lexically_normal().string();
  for (const Arch arch : {fleet::v1::X86_64, fleet::v1::AARCH64}) {
    for (const Platform platform : {fleet::v1::VIRTIO, fleet::v1::HVT, fleet::v1::SPT}) {
      const SdkTarget target{arch, platform};
      if (!fs::exists(sdk.file_of(target, "libruntime.a"), error)) continue;
      sdk.targets.push_back(target);
    }
  }
  if (!sdk.targets.empty()) return sdk;
  return proto::Error{Code::not_found,
                      "there is no SDK in " + sdk.folder +
                          "; build it:  cmake --build --preset release --target fleet_sdk", {}};
}

proto::Result<std::vector<std::string>> sdk_arguments(const Sdk& sdk, Arch arch,
                                                      const std::string& name) {
  TRY(const std::string text, read_small_file(sdk.file_of(arch, name), kMaxArgumentsBytes));
  std::vector<std::string> arguments;
  for (std::string& line : split(text, '\n')) {
    if (line.empty()) continue;
    if (const std::size_t at = line.find(kSdkWord); at != std::string::npos) {
      line.replace(at, kSdkWord.size(), sdk.folder);
    }
    arguments.push_back(std::move(line));
  }
  return arguments;
}

proto::Result<std::vector<SdkTarget>> choose_targets(const Sdk& sdk,
                                                     const std::vector<std::string>& archs,
                                                     const std::vector<std::string>& platforms) {
  TRY(std::vector<Arch> wanted_archs,
      read_words<Arch>(*fleet::v1::Arch_descriptor(), archs, "--arch",
                       {fleet::v1::X86_64, fleet::v1::AARCH64}));
  TRY(const std::vector<Platform> wanted,
      read_words<Platform>(*fleet::v1::Platform_descriptor(), platforms, "--platform",
                           {fleet::v1::SPT, fleet::v1::HVT, fleet::v1::VIRTIO}));
  if (wanted_archs.empty()) wanted_archs.push_back(own_arch());
  std::vector<SdkTarget> chosen;
  for (const Arch arch : wanted_archs) {
    std::size_t of_arch = 0;
    for (const SdkTarget& target : sdk.targets) {
      if (target.arch != arch) continue;
      ++of_arch;
      const bool named =
          std::find(wanted.begin(), wanted.end(), target.platform) != wanted.end();
      if (wanted.empty() || named) chosen.push_back(target);
    }
    if (of_arch == 0) return missing(sdk, proto::word_of(arch), arch);
    for (const Platform platform : wanted) {
      const SdkTarget target{arch, platform};
      if (std::find(sdk.targets.begin(), sdk.targets.end(), target) == sdk.targets.end()) {
        return missing(sdk, text_of(target), fleet::v1::ARCH_UNSPECIFIED);
      }
    }
  }
  return chosen;
}

Arch own_arch() {
#if defined(__aarch64__)
  return fleet::v1::AARCH64;
#else
  return fleet::v1::X86_64;
#endif
}

}  // namespace fleetctl
