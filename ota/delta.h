// Delta: an image told by what it shares with another: one zstd frame with the base as its
// reference ("patch from"). An empty base makes it the image itself, compressed: a device's first.
// Made by the controller, applied by fleet-fetch alone. A delta is signed by nobody: what comes of
// it is worth nothing until its reader has hashed it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "proto/fd.h"
#include "proto/result.h"

namespace ota {

/// Tells `image` by `base`. Takes some 20 MiB beside its arguments and the delta itself, and 2 s of
/// a core for the largest images.
/// in     each of at most kMaxDeltaImageBytes (proto/limits.h), `image` of 1 byte at least
/// errors too_large (an argument is, or no delta of at most `max_delta_bytes` came of it) |
///        bad_argument (no image) | no_memory | internal
/// source zstd's --patch-from: ZSTD_CCtx_refPrefix, long distance matching, a window over both
proto::Result<std::vector<std::byte>> make_delta(std::span<const std::byte> base,
                                                 std::span<const std::byte> image,
                                                 std::size_t max_delta_bytes);

/// Fills `output` exactly. Everything about `base` and `delta` may be hostile: the one buffer
/// that zstd decodes into is `output`, its own state takes less than 256 KiB, and it needs no
/// window, whatever the frame asks for.
/// errors bad_digest (not one frame of exactly that size for a base like this; `output` holds
///        anything) | no_memory
proto::Status apply_delta(std::span<const std::byte> base, std::span<const std::byte> delta,
                          std::span<std::byte> output);

/// The files of an apply; `output` is open for reading and writing.
struct DeltaFiles {
  const proto::Fd& base;  // none: the empty base
  const proto::Fd& delta;
  const proto::Fd& output;
  std::uint64_t output_bytes = 0;  // as signed
};

/// The same over mapped files. After an error `output` is empty.
/// errors as apply_delta, and too_large (an image or a delta over the limit) | no_space | io
proto::Status apply_delta(const DeltaFiles& files);

}  // namespace ota
