// Questions that go on to other servers by UDP: for each try a socket of its own on a random port.
#pragma once

#include <lwip/udp.h>

#include <cstdint>
#include <span>

#include "images/dns/forward.h"
#include "images/dns/service.h"
#include "images/runtime/arena.h"

namespace images::dns {

inline constexpr std::size_t kMaxForwards = 128;  // at once; lwipopts.h has as many sockets

/// Once, before the first question. False: no memory. Both outlive everything.
bool start_forward_udp(const Service& service, Upstreams& upstreams, runtime::Arena& memory);

/// Take a question over (Asked::forward); its answer goes to `asker` from `pcb`. False: there is no
/// room, and nobody will answer it.
bool forward_udp(std::span<const std::uint8_t> packet, const Query& query, udp_pcb* pcb,
                 const ip_addr_t& asker, u16_t asker_port);

}  // namespace images::dns
