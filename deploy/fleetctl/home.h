// $FLEET_HOME: what an operator's machine keeps. One folder per context (a controller and a
// person):
//   current                    the name of the context in use
//   contexts/NAME/address      the controller's URL
//   contexts/NAME/token        mode 600
//   contexts/NAME/ca.pem       the only CA that counts
//   contexts/NAME/keys/        sealed signing keys, mode 600
//   contexts/NAME/devices/ID   the device's sealing key as it was first seen, hex
//   contexts/NAME/audit-head   the end of the audit log that was last verified
//   contexts/NAME/tuf/         the newest metadata that was seen and verified
// Folders are 0700. Files are replaced whole.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ota/disk.h"
#include "ota/hash.h"
#include "proto/result.h"

namespace fleetctl {

/// One context, opened. A value of paths and small strings.
struct Context {
  std::string name;
  std::string url;
  std::string folder;
  std::string ca_file() const { return folder + "/ca.pem"; }
  std::string token_file() const { return folder + "/token"; }
  std::string keys_folder() const { return folder + "/keys"; }
  std::string tuf_folder() const { return folder + "/tuf"; }
};

class Home {
 public:
  /// FLEET_HOME, else $XDG_CONFIG_HOME/unifleet, else ~/.config/unifleet. Nothing is made yet.
  /// errors bad_argument (neither FLEET_HOME nor HOME is set)
  static proto::Result<Home> find();
  explicit Home(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }

  /// in     name: "" = the current one
  /// errors not_found, which teaches login; names the contexts there are
  proto::Result<Context> context(std::string_view name) const;
  std::vector<std::string> context_names() const;

  /// What a login leaves. The context becomes the current one.
  struct Login {
    std::string name;
    std::string url;
    std::string ca_pem;
    std::string_view token;
  };
  /// errors bad_argument (name) | no_space | io
  proto::Result<Context> save(const Login& login) const;

 private:
  std::string path_;
};

/// Makes the folder and those above it, mode 0700. errors io
proto::Status make_folders(const std::string& path);

/// The whole of a small file. errors not_found | io | too_large
proto::Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes);

/// Replaces a file whole and durably, mode 0600. errors no_space | io | not_found (its folder)
proto::Status write_private_file(const std::string& path, std::string_view content);

}  // namespace fleetctl
