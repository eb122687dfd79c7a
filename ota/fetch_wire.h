// What the agent and its fleet-fetch process say to each other: fixed-size messages over one
// SOCK_SEQPACKET pair. Both are built together, so there is no version; nobody else includes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace ota {

inline constexpr int kFetchSocket = 3;  // the descriptor that fleet-fetch finds its socket on
// A target path of 1024 bytes, each percent-encoded, and what stands before it.
inline constexpr std::size_t kMaxFetchPathBytes = 4096;
inline constexpr std::size_t kMaxFetchFileNameBytes = 1024;
inline constexpr std::size_t kMaxFetchHostBytes = 255;
inline constexpr std::size_t kMaxFetchWhatBytes = 400;
// fleet-fetch speaks at least this often while it works; four times this silent, it counts as hung.
inline constexpr int kFetchHeartbeatMs = 5000;

// First message of the parent, once.
struct FetchSetup {
  std::uint32_t connect_timeout_ms;
  std::uint32_t low_speed_bytes_per_s;
  std::uint32_t low_speed_ms;
  std::uint32_t port;
  std::uint32_t without_tls;
  char host_name[kMaxFetchHostBytes + 1];
  char address[kMaxFetchHostBytes + 1];
  char ca_file[kMaxFetchFileNameBytes + 1];
  char certificate_file[kMaxFetchFileNameBytes + 1];
  char key_file[kMaxFetchFileNameBytes + 1];
};

enum class FetchWork : std::uint32_t {
  fetch = 0,        // with the descriptor of the file
  // With those of delta, output and, if there is one, base; of the order expected_bytes counts.
  apply_delta = 1,
};
inline constexpr std::size_t kMaxFetchDescriptors = 3;

// Every later one, with descriptors (SCM_RIGHTS).
struct FetchOrder {
  std::uint64_t offset_bytes;
  std::uint64_t expected_bytes;
  std::uint64_t max_bytes;
  std::uint64_t max_received_bytes;
  std::uint64_t rate_bytes_per_s;
  std::uint32_t deadline_ms;
  FetchWork work;
  char path[kMaxFetchPathBytes + 1];
};

// The child's: progress while it works, and one that is final.
struct FetchReply {
  std::uint32_t is_final;
  std::int32_t code;  // proto::Code; unset = it came whole
  std::uint64_t file_bytes;
  std::uint64_t received_bytes;
  char what[kMaxFetchWhatBytes + 1];
};

static_assert(std::is_trivially_copyable_v<FetchSetup>);
static_assert(std::is_trivially_copyable_v<FetchOrder>);
static_assert(std::is_trivially_copyable_v<FetchReply>);

/// Copies text into a field of a zeroed message; false when it does not fit or holds a NUL.
template <std::size_t Size>
bool put_text(char (&field)[Size], std::string_view text) {
  if (text.size() >= Size || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(field, text.data(), text.size());
  return true;
}

/// The text of a field, also when the other side left out the closing NUL.
template <std::size_t Size>
std::string_view get_text(const char (&field)[Size]) {
  return std::string_view(field, ::strnlen(field, Size));
}

}  // namespace ota
