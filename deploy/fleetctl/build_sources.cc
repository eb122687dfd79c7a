// What a folder of sources holds: its files, its app, the devices that its image declares.
#include <algorithm>
#include <filesystem>

#include "deploy/fleetctl/build.h"
#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using proto::Code;

constexpr std::size_t kMaxSources = 1000;

bool is_source(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".c" || extension == ".cc" || extension == ".cpp" || extension == ".cxx";
}

// The folder's own name, also of "." and "..".
std::string name_of_folder(const std::string& folder) {
  std::error_code error;
  const fs::path whole = fs::canonical(folder, error);
  return whole.filename().string();
}

proto::Status check_folder(const std::string& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  return proto::Error{Code::not_found,
                      visible(folder) + (fs::exists(folder, error) ? " is no folder of sources"
                                                                   : ": there is no such folder"),
                      folder};
}

}  // namespace

proto::Result<std::vector<std::string>> find_sources(const std::string& folder) {
  TRY_VOID(check_folder(folder));
  std::vector<std::string> sources;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (at->is_directory(ignored)) {
      if (name.front() == '.' || name == "build") at.disable_recursion_pending();
    } else if (name.front() != '.' && is_source(at->path())) {
      sources.push_back(at->path().string());
    }
    if (sources.size() <= kMaxSources) continue;
    return proto::Error{Code::too_large,
                        visible(folder) + " holds more than " + std::to_string(kMaxSources) +
                            " sources", folder};
  }
  if (error) return proto::Error{Code::io, visible(folder) + ": " + error.message(), folder};
  if (sources.empty()) {
    return proto::Error{Code::not_found,
                        "there is nothing to compile in " + visible(folder) +
                            ": no .c, .cc, .cpp or .cxx\nhow an appliance is written:  "
                            "images/runtime/README.md", folder};
  }
  std::sort(sources.begin(), sources.end());  // the same image whatever the file system's order
  return sources;
}

proto::Result<proto::ManifestFile> manifest_of_folder(const std::string& folder) {
  TRY_VOID(check_folder(folder));
  const std::string path = (fs::path(folder) / "manifest.yml").string();
  std::error_code error;
  if (fs::exists(path, error)) return proto::load_manifest(path);
  const std::string name = name_of_folder(folder);
  auto file = proto::parse_manifest(
      "version: 1\napplications:\n- name: \"" + visible(name) + "\"\n  path: .\n", "its defaults",
      folder);
  if (file) return file;
  return proto::Error{Code::bad_argument,
                      "\"" + visible(name) + "\" is no name for an app ([a-z][a-z0-9-]{0,39}); "
                      "write " + visible(path) + " with another one", folder};
}

std::string device_list(const fleet::v1::AppManifest& manifest) {
  std::string list;
  const bool only = manifest.network_size() == 1;
  for (int i = 0; i < manifest.network_size(); ++i) {
    const std::string& name = manifest.network(i).name();
    list += "net(\"" + (!name.empty() ? name : only ? "service" : "net" + std::to_string(i)) +
            "\"),";
  }
  // A serial line is a network device to a guest (images/abi/serial_line.h).
  for (const auto& device : manifest.devices()) list += "net(\"" + device.name() + "\"),";
  for (const auto& volume : manifest.volumes()) list += "block(\"" + volume.name() + "\"),";
  return list;
}

}  // namespace fleetctl
