// Any bytes as a Solo5 image: no crash, nothing outside the guest's memory, and no character that
// harms a terminal in what is said of it.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "agent/tenders/image.h"

namespace {

constexpr std::size_t kMemory = 4 * 1024 * 1024;

void check(bool condition) {
  if (!condition) std::abort();
}

void check_image(int file, const tenders::Image& image) {
  std::uint64_t last = images::abi::kGuestImageStart;
  for (std::size_t i = 0; i < image.segment_count; ++i) {
    const tenders::Segment& segment = image.segments[i];
    check(segment.begin >= last && segment.begin <= segment.address);
    check(segment.address + segment.file_bytes <= segment.end);
    check((segment.flags & 3) != 3);
    last = segment.end;
  }
  check(image.manifest.entry_count >= 1 && image.manifest.entry_count <= 64);
  tenders::Failure failure;
  if (!tenders::check_fits(image, "fuzz", kMemory, failure)) return;
  static std::vector<std::uint8_t> host(kMemory);
  const tenders::GuestMemory memory(host.data(), host.size());
  (void)tenders::load_segments(file, "fuzz", image, memory, failure);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = ::memfd_create("image", MFD_CLOEXEC);
  check(::ftruncate(file, 0) == 0);
  check(::pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  static tenders::Image image;
  image = {};
  tenders::Failure failure;
  if (tenders::read_image(file, "fuzz", images::abi::kTargetSpt, image, failure)) {
    check_image(file, image);
  } else {
    check(failure.code != proto::Code::unset && !failure.what.empty());
    for (const char c : failure.what.view()) check(c >= ' ' && c <= '~');
  }
  return 0;
}
