// What a tender takes from itself before a guest runs, beside its seccomp filter: descriptors,
// files, new privileges. What needs rights (user, namespaces, root) was done by the launcher.
#pragma once

#include <span>

#include "agent/tenders/failure.h"

namespace tenders {

/// Close every descriptor but 0, 1, 2 and these; forbid new privileges; forbid all files by
/// Landlock where the kernel has it.
/// in      keep: below 1024; negative numbers are skipped
/// errors  io
[[nodiscard]] bool confine(std::span<const int> keep, Failure& failure);

/// Writing where nobody reads is an error for the writer, not its end.
void ignore_broken_pipes();

}  // namespace tenders
