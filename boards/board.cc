// The loader of board files.
#include "boards/board.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "proto/document.h"
#include "proto/limits.h"
#include "proto/units.h"
#include "proto/yaml.h"

namespace boards {

using proto::Code;
using proto::Error;

namespace {

constexpr std::size_t kMaxBoardBytes = 64 * proto::kKiB;
constexpr std::uint64_t kGenericReserveBytes = 64 * proto::kMiB;

// One file while it is read; keeps the place for errors.
class BoardReader {
 public:
  BoardReader(std::string_view file, YAML::Node root) : file_(file), root_(std::move(root)) {}

  Result<Board> read() const;

 private:
  Error wrong(const YAML::Node& node, const std::string& what) const {
    const int line = node.Mark().line + 1;
    return Error{Code::bad_argument, file_ + ":" + std::to_string(line) + ": " + what, file_};
  }
  Status check_keys() const;
  Result<std::string> text(const std::string& key, const std::string& fallback) const;
  Status read_monitors(Board& board) const;

  std::string file_;
  YAML::Node root_;
};

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {"version",  "name",     "description",
                                                "arch",     "monitors", "memory_reserve"};
  return keys;
}

std::string listed(const google::protobuf::EnumDescriptor& type) {
  std::string words;
  for (int i = 1; i < type.value_count(); ++i) {
    words += (words.empty() ? "" : ", ") + proto::word_of(*type.value(i));
  }
  return words;
}

bool is_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= proto::kMaxNameLength && name[0] >= 'a' &&
         name[0] <= 'z' && std::all_of(name.begin(), name.end(), plain);
}

Status BoardReader::check_keys() const {
  if (!root_.IsMap()) return wrong(root_, "a board file is a map: `key: value` lines");
  std::vector<std::string> seen;
  for (const auto& entry : root_) {
    if (!entry.first.IsScalar()) return wrong(entry.first, "a key must be a word");
    const std::string key = entry.first.Scalar();
    const auto& known = known_keys();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::string nearest = proto::nearest_word(key, known);
      return wrong(entry.first, key + ": unknown key" +
                                    (nearest.empty() ? "" : "; nearest: " + nearest));
    }
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      return wrong(entry.first, key + ": given twice");
    }
    seen.push_back(key);
  }
  return {};
}

Result<std::string> BoardReader::text(const std::string& key, const std::string& fallback) const {
  const YAML::Node node = root_[key];
  if (!node.IsDefined() && !fallback.empty()) return fallback;
  if (!node.IsDefined()) return wrong(root_, key + ": is missing");
  if (!node.IsScalar()) return wrong(node, key + ": one value is expected");
  return node.Scalar();
}

Status BoardReader::read_monitors(Board& board) const {
  const YAML::Node node = root_["monitors"];
  if (!node.IsDefined()) return wrong(root_, "monitors: is missing");
  if (!node.IsSequence() || node.size() == 0) {
    return wrong(node, "monitors: a list is expected, best first: [hvt, spt, qemu]");
  }
  const auto& type = *fleet::v1::MonitorKind_descriptor();
  for (const YAML::Node& one : node) {
    const auto* value = one.IsScalar() ? proto::value_of_word(type, one.Scalar()) : nullptr;
    if (value == nullptr || value->number() == 0) {
      return wrong(one, "monitors: one of " + listed(type) + " is expected");
    }
    const auto kind = static_cast<fleet::v1::MonitorKind>(value->number());
    if (std::find(board.monitors.begin(), board.monitors.end(), kind) != board.monitors.end()) {
      return wrong(one, "monitors: " + one.Scalar() + " is given twice");
    }
    board.monitors.push_back(kind);
  }
  return {};
}

Result<Board> BoardReader::read() const {
  TRY_VOID(check_keys());
  Board board;
  TRY(const std::string version, text("version", ""));
  if (version != "1") return wrong(root_["version"], "version: 1 is known, not " + version);
  TRY(board.name, text("name", ""));
  if (!is_name(board.name)) {
    return wrong(root_["name"], "name: a letter, then letters, digits, - or _, at most " +
                                    std::to_string(proto::kMaxNameLength));
  }
  TRY(board.description, text("description", board.name));
  TRY(const std::string arch, text("arch", ""));
  const auto& type = *fleet::v1::Arch_descriptor();
  const auto* value = proto::value_of_word(type, arch);
  if (value == nullptr || value->number() == 0) {
    return wrong(root_["arch"], "arch: one of " + listed(type) + " is expected");
  }
  board.arch = static_cast<fleet::v1::Arch>(value->number());
  TRY_VOID(read_monitors(board));
  TRY(const std::string reserve, text("memory_reserve", "64M"));
  const auto bytes = proto::parse_size_bytes(reserve);
  if (!bytes) return wrong(root_["memory_reserve"], "memory_reserve: " + bytes.error().what);
  board.memory_reserve_bytes = *bytes;
  return board;
}

}  // namespace

Result<Board> parse_board(std::string_view text, std::string_view file) {
  TRY(const YAML::Node document, proto::load_yaml(text, file, kMaxBoardBytes));
  try {
    return BoardReader(file, document).read();
  } catch (const YAML::Exception& error) {
    return proto::yaml_error(file, error);
  }
}

Result<Board> load_board(const std::string& path) {
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return Error{errno == ENOENT ? Code::not_found : Code::io,
                 path + ": " + std::strerror(errno), path};
  }
  // One byte more than allowed, so that a longer file is seen.
  std::string text(kMaxBoardBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return Error{Code::io, path + ": cannot be read", path};
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_board(text, path);
}

Board generic_board(fleet::v1::Arch arch) {
  FLEET_ASSERT(arch == fleet::v1::X86_64 || arch == fleet::v1::AARCH64);
  const std::string word = proto::word_of(arch);
  return Board{word + "-generic",
               "Any " + word + " machine with Linux",
               arch,
               {fleet::v1::MONITOR_HVT, fleet::v1::MONITOR_SPT, fleet::v1::MONITOR_QEMU},
               kGenericReserveBytes};
}

}  // namespace boards
