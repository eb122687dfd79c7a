#include "deploy/fleetctl/home.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <span>

#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxSmallFileBytes = 64 * 1024;

bool is_context_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

struct Place {
  std::string folder;
  std::string name;
};

Place place_of(const std::string& path) {
  const fs::path whole(path);
  const std::string folder = whole.parent_path().string();
  return {folder.empty() ? "." : folder, whole.filename().string()};
}

}  // namespace

proto::Status make_folders(const std::string& path) {
  const fs::path whole(path);
  fs::path so_far;
  for (const fs::path& part : whole) {
    so_far /= part;
    std::error_code error;
    if (fs::is_directory(so_far, error)) continue;
    fs::create_directory(so_far, error);
    if (!error) fs::permissions(so_far, fs::perms::owner_all, error);
    if (error) {
      return proto::Error{proto::Code::io,
                          "cannot make the folder " + so_far.string() + ": " + error.message(), {}};
    }
  }
  return {};
}

proto::Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  const Place place = place_of(path);
  TRY(const auto disk, ota::RealDisk::open(place.folder));
  TRY(const auto bytes, disk->read_file(place.name, max_bytes));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

proto::Status write_private_file(const std::string& path, std::string_view content) {
  const Place place = place_of(path);
  TRY(const auto disk, ota::RealDisk::open(place.folder));
  return disk->replace_file(place.name, std::as_bytes(std::span(content)));
}

proto::Result<Home> Home::find() {
  if (const char* home = std::getenv("FLEET_HOME"); home != nullptr && *home != '\0') {
    return Home(fs::absolute(home).string());
  }
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config == '/') {
    return Home(std::string(config) + "/unifleet");
  }
  if (const char* user = std::getenv("HOME"); user != nullptr && *user == '/') {
    return Home(std::string(user) + "/.config/unifleet");
  }
  return proto::Error{proto::Code::bad_argument,
                      "neither FLEET_HOME nor HOME is set; set FLEET_HOME to a folder of yours",
                      {}};
}

std::vector<std::string> Home::context_names() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_ + "/contexts", error)) {
    const std::string name = entry.path().filename().string();
    if (is_context_name(name) && fs::exists(entry.path() / "address", error)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

proto::Result<Context> Home::context(std::string_view name) const {
  Context found;
  found.name = name;
  if (found.name.empty()) {
    if (const auto current = read_small_file(path_ + "/current", kMaxSmallFileBytes)) {
      found.name = trimmed(*current);
    }
  }
  found.folder = path_ + "/contexts/" + found.name;
  if (is_context_name(found.name)) {
    if (auto address = read_small_file(found.folder + "/address", kMaxSmallFileBytes)) {
      found.url = trimmed(std::move(*address));
      return found;
    }
  }
  std::string what = name.empty() ? "not logged in to any controller (looked in " + path_ + ")"
                                  : "there is no context '" + std::string(name) + "'";
  const std::vector<std::string> names = context_names();
  if (!names.empty()) what += "; there are: " + join(names, ", ");
  what += "\nlog in:  fleetctl login https://HOST:8443 --token-file admin.token --ca ca.pem";
  return proto::Error{proto::Code::not_found, what, {}};
}

proto::Result<Context> Home::save(const Login& login) const {
  if (!is_context_name(login.name)) {
    return proto::Error{proto::Code::bad_argument,
                        "'" + login.name + "' is no name for a context; use letters, digits, "
                        "'.', '-' and '_'", {}};
  }
  Context context{login.name, login.url, path_ + "/contexts/" + login.name};
  TRY_VOID(make_folders(context.keys_folder()));
  TRY_VOID(make_folders(context.tuf_folder()));
  TRY_VOID(write_private_file(context.ca_file(), login.ca_pem));
  TRY_VOID(write_private_file(context.token_file(), login.token));
  // The address last: it is what makes the context one.
  TRY_VOID(write_private_file(context.folder + "/address", login.url + "\n"));
  TRY_VOID(write_private_file(path_ + "/current", login.name + "\n"));
  return context;
}

}  // namespace fleetctl
