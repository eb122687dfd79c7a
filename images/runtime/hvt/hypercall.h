// The way from an hvt guest to its tender.
#pragma once

#include <cstdint>

#include "images/abi/solo5.h"

extern "C" {
/// hypercall.S of each CPU. The struct lies below 4 GiB and is read and written in place.
void hvt_call(std::uint32_t number, void* argument);
}

namespace images::runtime::hvt {

template <typename Call>
void hypercall(abi::Hypercall number, Call& call) {
  hvt_call(static_cast<std::uint32_t>(number), &call);
}

/// Get ready to tell of faults; by each CPU.
void start_cpu();

/// The record of the fault that ends the guest, abi::kTrapRecordBytes of it readable; by each CPU.
/// nullptr: no fault, or no such record on this CPU.
const void* trap_record();

}  // namespace images::runtime::hvt
