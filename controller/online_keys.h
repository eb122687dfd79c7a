// The online keys, snapshot's and timestamp's: files of the data directory, each with a successor
// once its rotation was begun. Which one signs is what the newest root names, so that root and
// files may be written in either order and the power may go in between. They never sign root,
// targets or apps.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/v1/api.pb.h"
#include "ota/disk.h"
#include "ota/keys.h"
#include "ota/metadata.h"
#include "proto/result.h"

namespace controller {

class OnlineKeys {
 public:
  /// Makes both keys, in a new data directory. errors io | no_space
  static proto::Status make(ota::Disk& disk);
  /// in     disk: the data directory; outlives the keys
  /// errors not_found | bad_argument (a broken file) | io
  static proto::Result<OnlineKeys> open(ota::Disk& disk);

  /// The key that this root names for the role: the one in use, or its successor. Null: neither, or
  /// the root wants more than one signature.
  const ota::SigningKey* named_by(const ota::Root& root, std::string_view role) const;

  /// Makes a successor for "snapshot" or "timestamp"; if there is one already, that one stays, so
  /// that a ceremony may be begun again.
  /// errors bad_argument (another role) | io | no_space
  /// after  survives power loss: a root that names it may be signed
  proto::Status make_next(std::string_view role);

  /// After this root was stored: a successor that it names takes the place of the key that it no
  /// longer names, which is gone from the disk. Repeatable. errors io | no_space
  proto::Status settle(const ota::Root& root);

  /// The public halves.
  fleet::v1::OnlineKeys to_api() const;

 private:
  struct Pair {
    ota::SigningKey current;
    std::optional<ota::SigningKey> next;
  };
  explicit OnlineKeys(ota::Disk& disk) : disk_(&disk) {}

  ota::Disk* disk_;
  std::map<std::string, Pair, std::less<>> pairs_;  // by role
};

}  // namespace controller
