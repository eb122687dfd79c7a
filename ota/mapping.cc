#include "ota/mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <string>

#include "ota/disk.h"

namespace ota {

using proto::Code;
using proto::Error;

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

Result<Mapping> Mapping::read(const Fd& file, std::uint64_t max_bytes) {
  TRY(const std::uint64_t size_bytes, size_of(file));
  if (size_bytes > max_bytes) {
    return Error{Code::too_large,
                 "mapping a file of " + std::to_string(size_bytes) + " bytes: at most " +
                     std::to_string(max_bytes) + " are mapped", {}};
  }
  if (size_bytes == 0) return Error{Code::bad_argument, "mapping a file: it is empty", {}};
  const auto size = static_cast<std::size_t>(size_bytes);
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return errno_error("mapping a file", errno);
  return Mapping({static_cast<std::byte*>(memory), size});
}

Result<Mapping> Mapping::write(const Fd& file, std::uint64_t size_bytes) {
  FLEET_ASSERT(size_bytes > 0);
  if (::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) {
    return errno_error("taking room for a mapped file", errno);
  }
  const auto size = static_cast<std::size_t>(size_bytes);
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return errno_error("mapping a file to write", errno);
  return Mapping({static_cast<std::byte*>(memory), size});
}

}  // namespace ota
