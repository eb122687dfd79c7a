// appliance.h for an appliance in C: console, time, config, memory, pages by HTTP. lwIP's raw API
// (lwip/udp.h, lwip/tcp.h) is C by itself. Ports of frames and volumes are for C++ alone.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Text of the config: not ended by a NUL, there for ever. data is NULL if there is none.
struct fleet_text {
  const char *data;
  size_t size;
};

/// Written by the appliance. Called once, with the config read, the network up and a clock; sets
/// everything up and calls fleet_run(). What it returns ends the guest (0..31).
int fleet_main(void);

/// Serve for ever: packets, timers, sleep. Callbacks run inside it, one at a time.
__attribute__((noreturn)) void fleet_run(void);

/// Call function(argument) once, after that many milliseconds, inside fleet_run(). Panics if more
/// than 8 are waiting.
void fleet_call_after(uint32_t delay_ms, void (*function)(void *), void *argument);

/// Milliseconds since the start of the guest, never backwards.
uint64_t fleet_now_ms(void);

/// One line on the console, of at most 400 bytes; control characters become '?'.
void fleet_print(const char *text);

/// Memory that is never taken back, all zero, aligned for anything; NULL: none is left.
void *fleet_allocate(size_t size_bytes);

/// The manifest's `args`, in their order, from 0 on; its `env`; its `files`.
struct fleet_text fleet_argument(size_t index);
struct fleet_text fleet_variable(const char *name);
struct fleet_text fleet_file(const char *path);

/// A page for machines to read (net/http_page.h).
struct fleet_page {
  const char *path;          // "/healthz"
  const char *content_type;  // "text/plain"
  /// Called for each request: writes at most `size` bytes and returns how many; `status` is 200,
  /// and may be made 503.
  size_t (*write)(char *out, size_t size, int *status);
};

/// Listen on that port; once. At most 16 pages, which are copied. false: no memory, or the port
/// could not be opened.
bool fleet_serve_pages(uint16_t port, const struct fleet_page *pages, size_t count);

#ifdef __cplusplus
}
#endif
