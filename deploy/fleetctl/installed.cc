#include "deploy/fleetctl/installed.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "deploy/fleetctl/text.h"

namespace fleetctl {

namespace fs = std::filesystem;

proto::Result<std::string> find_installed(const InstalledFolder& folder,
                                          const std::string& given) {
  std::error_code error;
  const char* variable = std::getenv(folder.variable);
  std::vector<std::string> places;
  if (!given.empty()) {
    places = {given};
  } else if (variable != nullptr && *variable != '\0') {
    places = {variable};
  } else {
    const fs::path prefix =
        fs::read_symlink("/proc/self/exe", error).parent_path().parent_path();
    places = {(prefix / "share/unifleet" / folder.installed).string(),
              (prefix / folder.built).string()};
  }
  for (const std::string& place : places) {
    if (fs::is_directory(place, error)) return place;
  }
  return proto::Error{proto::Code::not_found,
                      std::string(folder.what) + " is not in " + join(places, " nor in ") +
                          "\nsay where it is with " + folder.flag + " FOLDER or " +
                          folder.variable, {}};
}

}  // namespace fleetctl
