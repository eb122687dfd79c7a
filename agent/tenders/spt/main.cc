// fleet-spt: runs a Solo5 spt unikernel as a process that can make seven kinds of system call and
// holds nothing but its own memory. Never returns from the jump into the guest.
#include <asm/unistd.h>
#include <linux/personality.h>

#include "agent/tenders/confine.h"
#include "agent/tenders/cpu.h"
#include "agent/tenders/prepare.h"
#include "agent/tenders/spt/enter.h"
#include "agent/tenders/spt/memory.h"
#include "agent/tenders/spt/reporter.h"
#include "agent/tenders/spt/rules.h"
#include "agent/tenders/sys.h"

namespace tenders {
namespace {

namespace abi = images::abi;
using proto::Code;

constexpr Program kProgram{"fleet-spt", abi::kTargetSpt};
constexpr std::uint64_t kMib = 1024 * 1024;

/// As the kernel reads a filter (struct sock_fprog).
struct FilterProgram {
  std::uint16_t count;
  std::uint64_t steps;
};
static_assert(sizeof(FilterProgram) == 16);

bool check_host(const Image& image, const StartInfo& start, Failure& failure) {
  // READ_IMPLIES_EXEC would make the guest's data code. Set, not asked: a service manager that
  // locks it (LockPersonality) allows the plain one and nothing else.
  if (const long set = sys::call(__NR_personality, PER_LINUX); set < 0) {
    return failure.because(Code::conflict, "plain personality: ", sys::error_text(set));
  }
  if (!can_filter()) {
    return failure.because(Code::not_supported, "this kernel has no seccomp filters");
  }
  for (std::size_t i = 0; i < image.segment_count; ++i) {
    const Segment& segment = image.segments[i];
    if (((segment.begin | segment.end) & (start.page_bytes - 1)) == 0) continue;
    return failure.because(Code::not_supported, "this host's pages have ", start.page_bytes,
                           " bytes and the segment at ", Hex{segment.address},
                           " is not aligned to that: link with -z max-page-size=65536");
  }
  return true;
}

/// The filter and its header, in the guest's memory from `at` on: ours will be gone when it loads.
bool write_filter(const Filter& filter, std::uint64_t at, const GuestMemory& memory) {
  const auto steps = filter.steps();
  std::span<std::uint8_t> place;
  if (at + sizeof(FilterProgram) + steps.size_bytes() > abi::kGuestImageStart) return false;
  if (!memory.prepare(at, sizeof(FilterProgram) + steps.size_bytes(), place)) return false;
  const FilterProgram program{static_cast<std::uint16_t>(steps.size()),
                              at + sizeof(FilterProgram)};
  const auto* header = reinterpret_cast<const std::uint8_t*>(&program);
  const auto* body = reinterpret_cast<const std::uint8_t*>(steps.data());
  for (std::size_t i = 0; i < sizeof program; ++i) place[i] = header[i];
  for (std::size_t i = 0; i < steps.size_bytes(); ++i) place[sizeof program + i] = body[i];
  return true;
}

bool keep_only_needed(const Prepared& prepared, const WaitSet& set, Failure& failure) {
  std::array<int, abi::kMaxManifestEntries + 4> keep;
  keep.fill(-1);
  for (std::size_t i = 0; i < prepared.devices.size(); ++i) {
    keep[i] = prepared.devices[i].descriptor;
  }
  keep[abi::kMaxManifestEntries] = set.epoll;
  keep[abi::kMaxManifestEntries + 1] = set.timer;
  keep[abi::kMaxManifestEntries + 2] = prepared.options.report_descriptor;
  keep[abi::kMaxManifestEntries + 3] = prepared.options.stats_descriptor;
  return confine(keep, failure);
}

/// Everything up to the jump. `enter` says where to.
bool make_ready(const StartInfo& start, Prepared& prepared, spt::Enter& enter, Failure& failure) {
  const Options& options = prepared.options;
  const std::uint64_t size = options.memory_mib * kMib;
  GuestMemory memory;
  WaitSet set;
  if (!check_host(prepared.image, start, failure) ||
      !check_fits(prepared.image, options.image_name, size, failure) ||
      !make_wait_set(prepared.devices, set, failure) ||
      !spt::map_memory(size, options.exec_heap, memory, failure) ||
      !load_segments(prepared.image_file, options.image_name, prepared.image, memory, failure)) {
    return false;
  }
  const std::uint64_t filter_at = (spt::write_boot_info(prepared, set, memory) + 7) & ~7ULL;
  // Where nobody is told which call it was, nobody needs to see it.
  const bool is_told = options.report_descriptor >= 0;
  Filter filter(kCpu.audit_arch, is_told ? Refusal::signal : Refusal::kill);
  if (!spt::add_rules(prepared.devices, set, filter) || !write_filter(filter, filter_at, memory)) {
    return failure.because(Code::too_large, "too many devices for one system call filter");
  }
  if (!spt::protect_memory(prepared.image, failure)) return false;
  const auto page = reinterpret_cast<std::uint64_t>(spt::spt_trampoline);
  const std::uint64_t after_page = page + start.page_bytes;
  enter = {size,      page - size,          after_page,
           spt::end_of_addresses() - after_page,
           filter_at, prepared.image.entry, size - kCpu.stack_offset,
           abi::kSptBootInfo};
  ignore_broken_pipes();
  return keep_only_needed(prepared, set, failure);
}

}  // namespace

int tender_main(const StartInfo& start) {
  Prepared prepared;
  Failure failure;
  spt::Enter enter{};
  if (!prepare(kProgram, start, prepared, failure) ||
      !make_ready(start, prepared, enter, failure)) {
    give_up(kProgram, prepared.options, failure);
  }
  const Options& options = prepared.options;
  if (options.exec_heap) {
    sys::write_text(2, "fleet-spt: warning: --x-exec-heap lets the guest run its own data\n");
  }
  if (options.report_descriptor >= 0 || options.stats_descriptor >= 0) {
    spt::split_reporter(options, options.memory_mib * kMib, start.started_ns);
  }
  spt::spt_enter(&enter);
}

}  // namespace tenders
