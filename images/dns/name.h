// Domain names in wire format without compression, at most 255 bytes, compared without case.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace images::dns {

inline constexpr std::size_t kMaxNameBytes = 255;  // with the root's zero byte
inline constexpr std::size_t kMaxLabelBytes = 63;
inline constexpr std::size_t kMaxLabels = 127;

/// A name somewhere in memory: labels with their lengths, then a zero byte. Always well-formed.
using NameView = std::span<const std::uint8_t>;

/// A name of its own. Starts as the root.
class Name {
 public:
  NameView view() const { return {bytes_.data(), size_}; }
  bool is_root() const { return size_ == 1; }

  /// Append a label (1..63 bytes, made lower case) before the root. False: it does not fit.
  bool add_label(std::span<const std::uint8_t> label);
  /// Append all labels of another name. False: it does not fit.
  bool add_name(NameView other);
  void clear() { *this = Name{}; }

 private:
  std::array<std::uint8_t, kMaxNameBytes> bytes_{};
  std::size_t size_ = 1;
};

/// Same name, letters compared without case.
bool same_name(NameView a, NameView b);

/// True if `name` is `parent` or below it.
bool is_below_or_same(NameView name, NameView parent);

/// Number of labels without the root.
std::size_t count_labels(NameView name);

/// The name without its first `count` labels; count <= count_labels(name).
NameView drop_labels(NameView name, std::size_t count);

/// DNSSEC's canonical order (RFC 4034 section 6.1): by labels from the right, so that all names
/// below a name follow it directly. < 0, 0, > 0.
int compare_names(NameView a, NameView b);

/// As people write it ("www.example.test", "." for the root), what is not plain as \DDD. Returns
/// what was written; cut if the buffer is too small.
std::string_view name_text(NameView name, std::span<char> buffer);

}  // namespace images::dns
