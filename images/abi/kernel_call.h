// The way into the host kernel without a C library: for the tenders, and for spt guests, which may
// make a few calls themselves.
#pragma once

extern "C" {
/// kernel_call.S of each CPU. Returns the result, or a negative error number; never retries.
long kernel_call(long number, long a, long b, long c, long d, long e, long f);
}
