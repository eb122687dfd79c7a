// Questions that came by TCP and go on to other servers by TCP: a connection for each.
#pragma once

#include <cstdint>
#include <span>

#include "images/dns/forward.h"
#include "images/dns/service.h"
#include "images/runtime/arena.h"

namespace images::dns {

inline constexpr std::size_t kMaxRelays = 8;  // at once, of all askers

class Relay;

/// Called once when a relay has its answer, or has none: see answer_of().
using RelayDone = void (*)(void* asker);

/// Once, before the first question. False: no memory. Both outlive everything.
bool start_forward_tcp(const Service& service, Upstreams& upstreams, runtime::Arena& memory);

/// Take a question over (Asked::forward). `done(asker)` comes later, never from inside. nullptr:
/// there is no room.
Relay* forward_tcp(std::span<const std::uint8_t> packet, const Query& query, RelayDone done,
                   void* asker);

/// True once `done` was called.
bool is_done(const Relay& relay);

/// The answer behind its two bytes of length, as the asker gets it; "this server failed" if no
/// other one answered. Stays until release().
std::span<const std::uint8_t> answer_of(const Relay& relay);

/// The asker needs it no more, also before it is done.
void release(Relay& relay);

}  // namespace images::dns
