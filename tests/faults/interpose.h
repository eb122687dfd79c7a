// Interposition: the C library's durable calls, ours first. Linked into a program, or preloaded, it
// hands each call below the watched directory to one Watcher and then to the library. It changes no
// call, and knows nothing of calls that bypass the library.
#pragma once

#include <string>

#include "tests/faults/trace.h"

namespace faults {

/// Who is told. Calls of several threads come one after the other: before() and the one of the
/// others that follows it stand together. None may make a durable call below the watched directory.
class Watcher {
 public:
  virtual ~Watcher() = default;
  /// The call is about to be made.
  virtual void before() = 0;
  /// It succeeded.
  virtual void made(Op op) = 0;
  /// It failed, and changed nothing.
  virtual void failed() {}
};

/// Watches the directory `root` until called again; null: watches nothing. `watcher` outlives that.
/// Names that end in "-shm" are left out: SQLite makes that file anew from the WAL.
void watch(const std::string& root, Watcher* watcher);

}  // namespace faults
