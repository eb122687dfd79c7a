// Names of roles, files and targets, and the patterns of delegations.
#include <algorithm>

#include "ota/metadata.h"

namespace ota {
namespace {

constexpr std::size_t kMaxPathBytes = 1024;

std::vector<std::string_view> split_segments(std::string_view path) {
  std::vector<std::string_view> segments;
  std::size_t start = 0;
  for (;;) {
    const std::size_t slash = path.find('/', start);
    segments.push_back(path.substr(start, slash - start));
    if (slash == std::string_view::npos) return segments;
    start = slash + 1;
  }
}

// Where the character after the one at `at` begins; UTF-8 continuation bytes belong to it.
std::size_t next_character(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

// One segment against one pattern. Only the last `*` is ever tried again, so the time is at most
// the product of both lengths.
bool segment_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t = next_character(text, t);
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      star_text = next_character(text, star_text);
      t = star_text;
      p = star + 1;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

Status check_target_path(std::string_view path) {
  const auto refuse = [&](const char* why) {
    return Error{Code::bad_metadata,
                 "target path " + compact_json(Json(path.substr(0, 200))) + " " + why, ""};
  };
  if (path.empty()) return refuse("is empty");
  if (path.size() > kMaxPathBytes) return refuse("is longer than 1024 bytes");
  const bool printable = std::none_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\';
  });
  if (!printable) return refuse("has a control character or a backslash");
  for (const std::string_view segment : split_segments(path)) {
    if (segment.empty()) return refuse("has an empty part");
    if (segment == "." || segment == "..") return refuse("has a part that leads elsewhere");
  }
  return {};
}

bool path_matches(std::string_view pattern, std::string_view path) {
  const auto patterns = split_segments(pattern);
  const auto segments = split_segments(path);
  return std::equal(patterns.begin(), patterns.end(), segments.begin(), segments.end(),
                    segment_matches);
}

bool delegates(const DelegatedRole& role, std::string_view path) {
  if (!role.path_hash_prefixes.empty()) {
    const std::string digest = sha256(path).hex();
    return std::any_of(role.path_hash_prefixes.begin(), role.path_hash_prefixes.end(),
                       [&](const std::string& prefix) { return digest.rfind(prefix, 0) == 0; });
  }
  return std::any_of(role.paths.begin(), role.paths.end(),
                     [&](const std::string& pattern) { return path_matches(pattern, path); });
}

std::string percent_encode(std::string_view text, std::string_view kept) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-' || c == '~' ||
                       kept.find(c) != std::string_view::npos;
    const auto byte = static_cast<unsigned char>(c);
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string url_path(std::string_view path) { return percent_encode(path, "/!$&'()*+,;=:@"); }

std::string metadata_file_name(std::string_view role, std::optional<std::int64_t> version) {
  const std::string name = percent_encode(role) + ".json";
  return version ? std::to_string(*version) + "." + name : name;
}

std::string target_file_path(std::string_view path, const TargetFile& file, bool consistent) {
  if (!consistent) return std::string(path);
  FLEET_ASSERT(file.hashes.sha256 || file.hashes.sha512);
  const std::string digest =
      file.hashes.sha256 ? file.hashes.sha256->hex() : file.hashes.sha512->hex();
  const std::size_t slash = path.rfind('/');
  const std::size_t name_at = slash == std::string_view::npos ? 0 : slash + 1;
  return std::string(path.substr(0, name_at)) + digest + "." + std::string(path.substr(name_at));
}

}  // namespace ota
