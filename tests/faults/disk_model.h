// Disk model: what a directory may hold after a power cut, from what was there before and the calls
// up to the cut. Pure. It promises a program no more than POSIX does: bytes and size of a file are
// kept by a sync of that file, names by a sync of their directory, a rename is one step, and a
// sector of 512 bytes is old or new. Whatever was not synced may be there, in part, or not at all,
// in any order; only names follow one another: a later change of a name needs the earlier one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/result.h"
#include "tests/faults/trace.h"

namespace faults {

/// A file or a directory as it lies on the disk.
struct Entry {
  bool directory = false;
  std::uint32_t mode = 0600;
  std::string bytes;

  bool operator==(const Entry&) const = default;
};

/// By path relative to the root; every file's directories are in it too, but not the root itself.
using Tree = std::map<std::string, Entry>;

/// How the disk behaved at the cut.
struct Loss {
  enum class Kind {
    none,      // all that was issued is there: the kindest disk, and a killed process
    unsynced,  // only what was synced is there
    seeded,    // some of the rest too: lost, torn, out of order, sizes without bytes
  };
  Kind kind = Kind::none;
  std::uint64_t seed = 0;  // of `seeded`
};

/// "none", "unsynced" or "seed-7".
std::string name_of(const Loss& loss);

/// The directory after a cut behind the first `count` calls. `before`, what was there at first, is
/// on the disk. A call on a file that is in neither is a programmer error.
Tree after_cut(const Tree& before, const std::vector<Op>& ops, std::size_t count, Loss loss);

/// A real directory as it is, without SQLite's "-shm". errors io
proto::Result<Tree> read_tree(const std::string& root);
/// Makes the empty or missing directory `root` hold this. errors io
proto::Status write_tree(const Tree& tree, const std::string& root);
/// For telling trees apart.
std::uint64_t fingerprint(const Tree& tree);

}  // namespace faults
