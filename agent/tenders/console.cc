#include "agent/tenders/console.h"

#include <asm/poll.h>
#include <asm/unistd.h>
#include <linux/errno.h>

#include "agent/tenders/sys.h"

namespace tenders {
namespace {

// What a pipe takes without waiting once it says that it is writable (PIPE_BUF).
constexpr std::size_t kPieceBytes = 4096;

}  // namespace

void write_patiently(int descriptor, std::span<const std::uint8_t> text, int stop) {
  for (bool first = true; !text.empty(); first = false) {
    pollfd ends[] = {{descriptor, POLLOUT, 0}, {stop, POLLIN, 0}};
    const long ready = sys::call(__NR_ppoll, reinterpret_cast<long>(ends), 2);
    if (ready == -EINTR) continue;
    const bool takes = ready > 0 && (ends[0].revents & POLLOUT) != 0;
    if (!takes || (ends[1].revents != 0 && !first)) return;
    const std::size_t size = text.size() < kPieceBytes ? text.size() : kPieceBytes;
    const long wrote = sys::write(descriptor, text.first(size));
    if (wrote == -EINTR) continue;
    if (wrote <= 0) return;
    text = text.subspan(static_cast<std::size_t>(wrote));
  }
}

}  // namespace tenders
