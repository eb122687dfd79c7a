// A TUF repository behind fleet-fetch: its metadata as an Updater asks for it, and its targets as
// files that are what was signed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ota/disk.h"
#include "ota/fetch.h"
#include "ota/updater.h"

namespace ota {

/// Where files lie: "https://host:port/path/".
struct BaseUrl {
  bool without_tls = false;
  std::string host;  // an IPv6 address in its brackets
  std::uint16_t port = 0;
  std::string path;  // begins and ends with '/'
};

/// Reads http:// and https:// without user, query and fragment; a '/' at the end is put there.
/// errors bad_argument
Result<BaseUrl> parse_base_url(std::string_view text);

/// Metadata over a fetch session.
class RemoteMetadata final : public MetadataSource {
 public:
  /// in     fetch: borrowed, outlives the source. base_path: begins and ends with '/'
  RemoteMetadata(Fetch& fetch, std::string base_path)
      : fetch_(fetch), base_path_(std::move(base_path)) {}
  Result<std::string> fetch(std::string_view file_name, std::size_t max_bytes) override;

 private:
  Fetch& fetch_;
  std::string base_path_;
};

/// Brings a target's file to `file_name` on the disk, mode 0444. A file there that is the target
/// already is left alone, without a request; another one stays until the new one was verified.
/// in     path: of the URL, percent-encoded. The session's process ends before the file is hashed.
/// errors bad_digest (not what was signed) | FetchSession::fetch's | Disk's
Status fetch_target(FetchSession& session, const std::string& path, const TargetFile& target,
                    Disk& disk, const std::string& file_name);

}  // namespace ota
