// The controller's data directory: its certificate authority, its online keys, its first token.
// Made once by `init`; every file is mode 600 in a folder of mode 700. No app can be signed with
// what is in here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/online_keys.h"
#include "ota/disk.h"
#include "proto/identity.h"

namespace controller {

inline constexpr int kCaDays = 7300;
inline constexpr int kServerDays = 7300;  // devices do not look at its dates (DESIGN 4)
inline constexpr int kDeviceDays = 90;

struct DataDir {
  std::string path;
  std::unique_ptr<ota::RealDisk> disk;
  std::string ca_pem;
  proto::PrivateKey ca_key;
  std::string server_pem;
  std::string server_key_pem;
  std::vector<std::string> ticket_keys;
  std::string host_name;  // the first name of the server's certificate
  OnlineKeys online_keys;

  std::string database_path() const { return path + "/controller.db"; }
};

/// Makes all of it, the token's hash in the store included.
/// in     names: host names of the certificate; `localhost` is added
/// errors already_exists (initialised before) | bad_argument (a name) | io | no_space
proto::Status init_data_dir(const std::string& path, std::vector<std::string> names,
                            std::int64_t wall_ms);
/// errors not_found (says how to make one) | bad_argument (a broken file) | io
proto::Result<DataDir> open_data_dir(const std::string& path);

}  // namespace controller
