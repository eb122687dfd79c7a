// An app's role: the releases that it lists, and the next version of it.
#include <algorithm>
#include <limits>
#include <set>

#include "ota/repository.h"
#include "proto/limits.h"

namespace ota {
namespace {

constexpr std::string_view kManifestEnd = "/manifest";
constexpr std::string_view kBlobs = "blobs/";

Error bad_role(std::string_view app, const std::string& what) {
  return Error{Code::bad_metadata, "the role of the app " + std::string(app) + ": " + what,
               std::string(app)};
}

// A release number without sign and leading zeros, or 0.
std::int64_t read_number(std::string_view text) {
  if (text.empty() || text.size() > 15 || text.front() == '0') return 0;
  std::int64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + (c - '0');
  }
  return number;
}

Result<BlobRef> blob_of(std::string_view app, const std::string& path, const TargetFile& file) {
  if (!file.hashes.sha256) return bad_role(app, path + " has no sha256");
  return BlobRef{*file.hashes.sha256, static_cast<std::uint64_t>(file.length_bytes)};
}

// The blobs that a manifest's target names in `custom`, looked up among those that the role lists.
Status read_custom(const TargetFile& file, std::string_view app,
                   const std::map<Sha256, BlobRef>& listed, ListedRelease& release) {
  const std::string where = "release " + std::to_string(release.number) + ": ";
  const Json* blobs = file.custom.find("blobs");
  if (blobs == nullptr || !blobs->is_array()) return bad_role(app, where + "no `custom.blobs`");
  for (const Json& item : blobs->as_array()) {
    if (!item.is_string()) return bad_role(app, where + "a blob that is no digest");
    const auto digest = Sha256::from_hex(item.as_string());
    if (!digest) return bad_role(app, where + digest.error().what);
    const auto found = listed.find(*digest);
    if (found == listed.end()) {
      return bad_role(app, where + "the blob " + item.as_string() + " is not listed");
    }
    release.blobs.push_back(found->second);
  }
  const Json* yanked = file.custom.find("yanked");
  if (yanked != nullptr && !yanked->is_bool()) return bad_role(app, where + "`custom.yanked`");
  release.yanked = yanked != nullptr && yanked->as_bool();
  return {};
}

Hashes only_sha256(const Sha256& digest) { return Hashes{digest, {}, {}}; }

// The lists of a role, made new from its releases: what no release names is not there.
Result<std::map<std::string, TargetFile>> list_targets(std::string_view app,
                                                       const std::vector<ListedRelease>& releases) {
  std::map<std::string, TargetFile> targets;
  std::map<Sha256, std::uint64_t> sizes;
  for (const ListedRelease& release : releases) {
    Json digests = Json::array();
    for (const BlobRef& blob : release.blobs) {
      digests.push_back(blob.digest.hex());
      const auto [known, added] = sizes.emplace(blob.digest, blob.size_bytes);
      if (!added && known->second != blob.size_bytes) {
        return Error{Code::bad_argument, "one digest with two sizes: " + blob.digest.hex(), ""};
      }
      TargetFile file;
      file.length_bytes = static_cast<std::int64_t>(blob.size_bytes);
      file.hashes = only_sha256(blob.digest);
      targets.insert_or_assign(blob_path(app, blob.digest), std::move(file));
    }
    TargetFile manifest;
    manifest.length_bytes = static_cast<std::int64_t>(release.manifest.size_bytes);
    manifest.hashes = only_sha256(release.manifest.digest);
    manifest.custom = Json::object();
    manifest.custom.set("blobs", std::move(digests));
    if (release.yanked) manifest.custom.set("yanked", true);
    targets.insert_or_assign(manifest_path(app, release.number), std::move(manifest));
  }
  return targets;
}

}  // namespace

std::string app_role_name(std::string_view app) { return "apps." + std::string(app); }

std::string manifest_path(std::string_view app, std::int64_t number) {
  return "apps/" + std::string(app) + "/" + std::to_string(number) + std::string(kManifestEnd);
}

std::string blob_path(std::string_view app, const Sha256& digest) {
  return "apps/" + std::string(app) + "/" + std::string(kBlobs) + digest.hex();
}

Result<std::vector<ListedRelease>> releases_of(const Targets& role, std::string_view app) {
  const std::string prefix = "apps/" + std::string(app) + "/";
  std::map<Sha256, BlobRef> blobs;
  std::vector<std::pair<ListedRelease, const TargetFile*>> found;
  for (const auto& [path, file] : role.targets) {
    if (path.rfind(prefix, 0) != 0) return bad_role(app, path + " is none of its paths");
    const std::string_view rest = std::string_view(path).substr(prefix.size());
    TRY(const BlobRef blob, blob_of(app, path, file));
    if (rest.rfind(kBlobs, 0) == 0) {
      if (rest.substr(kBlobs.size()) != blob.digest.hex()) {
        return bad_role(app, path + " is not named by its digest");
      }
      blobs.emplace(blob.digest, blob);
      continue;
    }
    const std::size_t slash = rest.find('/');
    const std::int64_t number = read_number(rest.substr(0, slash));
    if (slash == std::string_view::npos || rest.substr(slash) != kManifestEnd || number == 0) {
      return bad_role(app, path + " is neither a manifest nor a blob");
    }
    found.push_back({ListedRelease{number, blob, {}, false}, &file});
  }
  std::vector<ListedRelease> releases;
  for (auto& [release, file] : found) {
    TRY_VOID(read_custom(*file, app, blobs, release));
    releases.push_back(std::move(release));
  }
  std::sort(releases.begin(), releases.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  return releases;
}

Result<std::int64_t> highest_release(const Targets* role, std::string_view app) {
  if (role == nullptr) return std::int64_t{0};
  TRY(const std::vector<ListedRelease> releases, releases_of(*role, app));
  return releases.empty() ? std::int64_t{0} : releases.back().number;
}

Result<Targets> next_app_role(const Targets* previous, std::string_view app,
                              const ListedRelease& added, std::span<const std::int64_t> keep,
                              std::int64_t now) {
  std::vector<ListedRelease> releases;
  if (previous != nullptr) {
    TRY(releases, releases_of(*previous, app));
  }
  const std::int64_t highest = releases.empty() ? 0 : releases.back().number;
  if (added.number != highest + 1) {
    return Error{Code::bad_argument,
                 "release " + std::to_string(added.number) + " of " + std::string(app) +
                     " cannot follow " + std::to_string(highest) + "; take " +
                     std::to_string(highest + 1),
                 std::string(app)};
  }
  releases.push_back(added);
  // Sorted by number, so the newest are at the end.
  const std::size_t old_count =
      releases.size() > proto::kMaxReleasesListed ? releases.size() - proto::kMaxReleasesListed : 0;
  std::vector<ListedRelease> listed;
  for (std::size_t i = 0; i < releases.size(); ++i) {
    const bool deployed = std::find(keep.begin(), keep.end(), releases[i].number) != keep.end();
    if (i >= old_count || deployed) listed.push_back(releases[i]);
  }
  Targets role = previous != nullptr ? next_targets(*previous, now) : make_targets(now);
  TRY(role.targets, list_targets(app, listed));
  return role;
}

Result<Targets> edit_app_role(const Targets& previous, std::string_view app,
                              std::span<const std::int64_t> yank, std::int64_t now) {
  TRY(std::vector<ListedRelease> releases, releases_of(previous, app));
  for (const std::int64_t number : yank) {
    const auto found =
        std::find_if(releases.begin(), releases.end(),
                     [number](const ListedRelease& release) { return release.number == number; });
    if (found == releases.end()) {
      return Error{Code::bad_argument,
                   "release " + std::to_string(number) + " of " + std::string(app) +
                       " is not listed, so no device may take it anyway",
                   std::string(app)};
    }
    found->yanked = true;
  }
  Targets role = next_targets(previous, now);
  TRY(role.targets, list_targets(app, releases));
  return role;
}

}  // namespace ota
