// Boards: what the metal is, one YAML file each, and whether an app fits on it. Everything here is
// pure: facts in, a choice or a refusal out; no device is asked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/v1/app.pb.h"
#include "proto/result.h"

namespace boards {

using proto::Result;
using proto::Status;

/// One board file, checked.
struct Board {
  std::string name;                  // [a-z][a-z0-9_-]{0,39}: what `needs.boards` says
  std::string description;
  fleet::v1::Arch arch = fleet::v1::ARCH_UNSPECIFIED;
  std::vector<fleet::v1::MonitorKind> monitors;  // what can work on it; never empty
  std::uint64_t memory_reserve_bytes = 0;        // stays free for the host

  bool operator==(const Board&) const = default;
};

/// Reads a board file's text. `file` is only for the errors.
/// errors bad_argument ("pi.yaml:4: monitor: unknown key; nearest: monitors") | too_large
Result<Board> parse_board(std::string_view text, std::string_view file);

/// The same from a path. errors also not_found, io
Result<Board> load_board(const std::string& path);

/// What is taken when no board file is given: the same as ARCH-generic.yaml (a unit test compares).
Board generic_board(fleet::v1::Arch arch);

/// What of a device counts for `needs`.
struct FitFacts {
  std::map<std::string, std::string> labels;
  std::uint64_t memory_free_bytes = 0;  // on the host now, without what the app itself would free
};

/// Do the manifest's `needs` and its images fit this board? Asked before a byte is fetched.
/// errors, each naming what is needed and what is there:
///        no_fit (needs.arch, needs.boards, needs.labels) | wrong_arch (no image for this CPU) |
///        no_memory (needs.memory_free above what is free beyond the board's reserve)
Status check_fit(const fleet::v1::AppManifest& manifest, const Board& board,
                 const FitFacts& facts);

/// A monitor as the device's probe left it, best first.
struct RankedMonitor {
  fleet::v1::MonitorKind kind = fleet::v1::MONITOR_UNSPECIFIED;
  bool usable = false;
  std::string label;     // "qemu/tcg"
  std::string evidence;  // "ran a guest in 31 ms", or why not
};

/// Which image runs under which monitor; indexes into what was given.
struct ImagePick {
  int image_index = 0;
  std::size_t monitor_index = 0;

  bool operator==(const ImagePick&) const = default;
};

/// The first usable monitor, best first, that takes an image for this CPU and that the manifest's
/// `monitors` allows; of its images the first in the manifest.
/// errors wrong_arch (no image for this CPU) | no_monitor (images and monitors do not meet) |
///        monitor_missing (they meet, but the monitor is not usable: with its evidence)
Result<ImagePick> pick_image(const fleet::v1::AppManifest& manifest, fleet::v1::Arch arch,
                             const std::vector<RankedMonitor>& monitors);

/// Does this kind of monitor take images of this platform?
bool takes(fleet::v1::MonitorKind kind, fleet::v1::Platform platform);

}  // namespace boards
