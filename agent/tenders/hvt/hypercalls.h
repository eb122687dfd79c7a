// What an hvt guest can ask its tender to do. Every address and length is the guest's, and hostile.
#pragma once

#include <cstdint>

#include "agent/tenders/devices.h"
#include "agent/tenders/guest_memory.h"
#include "agent/tenders/wait_set.h"
#include "images/abi/solo5.h"

namespace tenders::hvt {

/// Counted for --stats.
struct Counters {
  std::uint64_t calls = 0;
  std::uint64_t frames_in = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t block_bytes_read = 0;
  std::uint64_t block_bytes_written = 0;
};

/// How the guest goes on after a call.
enum class After {
  go_on,
  ended,        // it halted: see Hypercalls::halt()
  bad_call,     // no such call
  bad_address,  // an address or length outside what it may use
};

class Hypercalls {
 public:
  /// All are borrowed. stop: readable once an order to stop has come; -1: none can.
  Hypercalls(const GuestMemory& memory, const Devices& devices, const WaitSet& set, int stop = -1)
      : memory_(memory), devices_(devices), set_(set), stop_(stop) {}

  After handle(std::uint32_t call, GuestAddress argument);

  /// Status and cookie, after `ended`.
  const images::abi::HaltCall& halt() const { return halt_; }
  /// The record at its cookie; nullptr: none.
  const std::uint8_t* trap_record() const { return trap_record_; }
  const Counters& counters() const { return counters_; }

 private:
  After walltime(GuestAddress argument);
  After puts(GuestAddress argument);
  After poll(GuestAddress argument);
  After block(GuestAddress argument, bool is_write);
  After net(GuestAddress argument, bool is_write);
  After halt(GuestAddress argument);
  std::int32_t transfer(const Device& device, std::span<std::uint8_t> data, std::uint64_t offset,
                        bool is_write);

  /// Copy a call's struct out of the guest's memory, and back. A call that answers asks for
  /// Access::write at once: nothing is done, and nobody waits, for an answer that has no place.
  template <typename T>
  bool get(GuestAddress address, Access access, T& out) const;
  template <typename T>
  bool put(GuestAddress address, const T& from) const;

  const GuestMemory& memory_;
  const Devices& devices_;
  const WaitSet& set_;
  int stop_;
  images::abi::HaltCall halt_{};
  const std::uint8_t* trap_record_ = nullptr;
  Counters counters_;
};

}  // namespace tenders::hvt
