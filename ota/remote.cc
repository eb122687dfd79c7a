#include "ota/remote.h"

#include <charconv>
#include <utility>

namespace ota {
namespace {

// No percent-encoded file name is like it: a '%' there has two hex digits behind it.
constexpr const char* kPartialFile = "%partial";

// Something of a URL that stands where it can mean nothing good.
bool has_foreign_part(std::string_view text) {
  return text.find_first_of("@?#\\") != std::string_view::npos;
}

Result<bool> is_target(const Fd& file, const TargetFile& target) {
  TRY(const std::uint64_t size_bytes, size_of(file));
  if (!std::cmp_equal(size_bytes, target.length_bytes)) return false;
  const Hashes& hashes = target.hashes;
  if (!hashes.sha256 && !hashes.sha512) return false;
  if (hashes.sha256) {
    TRY(const Sha256 digest, hash_file(file.get()));
    if (digest != *hashes.sha256) return false;
  }
  if (hashes.sha512) {
    TRY(const Sha512 digest, hash_file_sha512(file.get()));
    if (digest != *hashes.sha512) return false;
  }
  return true;
}

Status fetch_partial(FetchSession& session, const std::string& path, const TargetFile& target,
                     const Fd& file) {
  FetchRequest request;
  request.path = path;
  request.expected_bytes = static_cast<std::uint64_t>(target.length_bytes);
  request.max_bytes = 1;  // counts where the target is empty: its size cannot be asked for then
  const auto done = session.fetch(request, file);
  // Whoever reads from the network must not hold the file while it is judged.
  session.end();
  if (!done) return done.error();
  TRY(const bool good, is_target(file, target));
  if (good) return {};
  return Error{Code::bad_digest,
               path + ": the " + std::to_string(done->file_bytes) +
                   " bytes that came are not those that were signed; the mirror is broken or lies",
               ""};
}

}  // namespace

Result<BaseUrl> parse_base_url(std::string_view text) {
  const auto bad = [&] {
    return Error{Code::bad_argument,
                 "\"" + std::string(text.substr(0, 200)) +
                     "\" is no base URL like https://host:8080/metadata/", ""};
  };
  BaseUrl url;
  url.without_tls = text.starts_with("http://");
  if (!url.without_tls && !text.starts_with("https://")) return bad();
  std::string_view rest = text.substr(text.find("//") + 2);
  if (has_foreign_part(rest)) return bad();
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  url.path = slash == rest.size() ? "/" : std::string(rest.substr(slash));
  if (url.path.back() != '/') url.path += '/';
  const std::string_view authority = rest.substr(0, slash);
  // The colons of an IPv6 address stand within brackets.
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  url.host = authority.substr(0, colon);
  url.port = url.without_tls ? 80 : 443;
  if (colon != std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return bad();
  }
  if (url.host.empty() || url.port == 0) return bad();
  return url;
}

Result<std::string> RemoteMetadata::fetch(std::string_view file_name, std::size_t max_bytes) {
  auto bytes = fetch_to_memory(fetch_, base_path_ + std::string(file_name), max_bytes);
  if (!bytes) {
    Error error = bytes.error();
    // Some mirrors answer 403 for a file that is not there.
    if (error.code == Code::forbidden) error.code = Code::not_found;
    return error.with("metadata " + std::string(file_name));
  }
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

Status fetch_target(FetchSession& session, const std::string& path, const TargetFile& target,
                    Disk& disk, const std::string& file_name) {
  const auto old = disk.open_file(file_name);
  if (old) {
    TRY(const bool good, is_target(*old, target));
    if (good) return {};
  }
  // What an earlier run left may be longer.
  TRY_VOID(disk.remove(kPartialFile));
  TRY(const Fd file,
      disk.open_partial(kPartialFile, static_cast<std::uint64_t>(target.length_bytes)));
  Status status = fetch_partial(session, path, target, file);
  if (status) status = disk.publish(kPartialFile, file, file_name);
  if (status) return {};
  TRY_VOID(disk.remove(kPartialFile));
  return status;
}

}  // namespace ota
