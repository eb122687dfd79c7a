// Trace: the durable system calls below one directory, in the order in which they took effect. What
// was recorded of a program in this process, or read from the file that a preloaded recorder wrote.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/result.h"

namespace faults {

enum class Call {
  create,     // a file came to be; argument: its mode
  write,      // argument: offset; data: the bytes
  resize,     // argument: the new size
  allocate,   // argument: the size that it has at least afterwards
  seal,       // fchmod; argument: the mode
  rename,     // path -> to
  unlink,     // a file's name is gone
  make_dir,   // argument: its mode
  sync,       // fsync: bytes and mode of a file, names in a directory
  sync_data,  // fdatasync, or a write through a descriptor of O_DSYNC: bytes, names
};
inline constexpr int kCalls = 10;

/// "create", "write" and so on: the words of this enum.
const char* name_of(Call call);

/// One call that succeeded. Paths are relative to the directory; "" is the directory itself.
struct Op {
  Call call = Call::write;
  std::string path;
  std::string to;
  std::uint64_t argument = 0;
  std::string data;
  std::uint64_t peer_bytes = 0;  // how long another program's trace was just before it
};

/// "rename partial/6ac3 -> blobs/6ac3", for people.
std::string describe(const Op& op);

/// One record of a trace file: numbers in the machine's order, each text after its length.
std::string encode(const Op& op);

/// Reads a trace file, or its first `max_bytes`, the end of some record.
/// errors not_found | io (cut short, or no trace: names the byte)
proto::Result<std::vector<Op>> read_trace(const std::string& file,
                                          std::uint64_t max_bytes = ~std::uint64_t{0});

}  // namespace faults
