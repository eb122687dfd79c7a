#include "images/inspect_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace images {

using proto::Code;
using proto::Error;
using proto::Result;

namespace {

// No header that we read is longer; a longer wish is a lie in the file.
constexpr std::uint64_t kMaxReadBytes = 4 * 1024 * 1024;

}  // namespace

Error bad_image(std::string what) { return Error{Code::bad_image, std::move(what), {}}; }

std::string printable(std::string_view text, std::size_t most) {
  std::string clean(text.substr(0, most));
  for (char& c : clean) {
    if (c < ' ' || c > '~') c = '?';
  }
  return clean;
}

ImageReader::ImageReader(std::span<const std::byte> whole)
    : memory_(whole), size_bytes_(whole.size()) {}

ImageReader::ImageReader(int descriptor, std::uint64_t size_bytes)
    : descriptor_(descriptor), size_bytes_(size_bytes) {}

Result<ImageReader> ImageReader::open(int descriptor) {
  struct stat facts = {};
  if (::fstat(descriptor, &facts) != 0) {
    return Error{Code::io, std::string("asking for its size: ") + std::strerror(errno), {}};
  }
  if (!S_ISREG(facts.st_mode)) return bad_image("not a regular file");
  return ImageReader(descriptor, static_cast<std::uint64_t>(facts.st_size));
}

Result<std::vector<std::byte>> ImageReader::up_to(std::uint64_t offset, std::uint64_t size) const {
  if (offset >= size_bytes_ || size == 0) return std::vector<std::byte>();
  const auto take = static_cast<std::size_t>(
      std::min({size, size_bytes_ - offset, kMaxReadBytes}));
  if (descriptor_ < 0) {
    const auto part = memory_.subspan(static_cast<std::size_t>(offset), take);
    return std::vector<std::byte>(part.begin(), part.end());
  }
  std::vector<std::byte> bytes(take);
  std::size_t count = 0;
  while (count < take) {
    const ssize_t got = ::pread(descriptor_, bytes.data() + count, take - count,
                                static_cast<off_t>(offset + count));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{Code::io, std::string("reading: ") + std::strerror(errno), {}};
    if (got == 0) break;
    count += static_cast<std::size_t>(got);
  }
  bytes.resize(count);
  return bytes;
}

Result<std::vector<std::byte>> ImageReader::bytes(std::uint64_t offset, std::uint64_t size) const {
  const bool inside = offset <= size_bytes_ && size <= size_bytes_ - offset;
  if (!inside || size > kMaxReadBytes) {
    return bad_image("cut short or damaged: a header names " + std::to_string(size) +
                     " bytes at " + std::to_string(offset) + ", the file has " +
                     std::to_string(size_bytes_));
  }
  TRY(std::vector<std::byte> found, up_to(offset, size));
  if (found.size() != size) return Error{Code::io, "reading: the file shrank", {}};
  return found;
}

std::uint64_t Fields::number(std::size_t offset, std::size_t size, bool big) const {
  if (offset > bytes_.size() || size > bytes_.size() - offset) return 0;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t at = big ? i : size - 1 - i;
    value = (value << 8) | std::to_integer<std::uint64_t>(bytes_[offset + at]);
  }
  return value;
}

std::uint8_t Fields::u8(std::size_t offset) const {
  return static_cast<std::uint8_t>(number(offset, 1, false));
}
std::uint16_t Fields::u16(std::size_t offset) const {
  return static_cast<std::uint16_t>(number(offset, 2, false));
}
std::uint32_t Fields::u32(std::size_t offset) const {
  return static_cast<std::uint32_t>(number(offset, 4, false));
}
std::uint64_t Fields::u64(std::size_t offset) const { return number(offset, 8, false); }
std::uint32_t Fields::u32_big(std::size_t offset) const {
  return static_cast<std::uint32_t>(number(offset, 4, true));
}
std::uint64_t Fields::u64_big(std::size_t offset) const { return number(offset, 8, true); }

std::string Fields::text(std::size_t offset, std::size_t most) const {
  std::string found;
  for (std::size_t at = offset; at < bytes_.size() && found.size() < most; ++at) {
    if (bytes_[at] == std::byte{0}) break;
    found.push_back(std::to_integer<char>(bytes_[at]));
  }
  return found;
}

bool Fields::has(std::size_t offset, std::string_view expected) const {
  if (offset > bytes_.size() || expected.size() > bytes_.size() - offset) return false;
  return std::memcmp(bytes_.data() + offset, expected.data(), expected.size()) == 0;
}

Fields Fields::sub(std::size_t offset, std::size_t size) const {
  if (offset > bytes_.size()) return Fields({});
  return Fields(bytes_.subspan(offset, std::min(size, bytes_.size() - offset)));
}

}  // namespace images
