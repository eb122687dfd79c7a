// What lwIP asks of us in the middle of its work (lwipopts.h): C, because lwIP is.
#pragma once

#include <lwip/ip4_addr.h>
#include <lwip/ip6_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

#ifdef __cplusplus
extern "C" {
#endif

/// An IPv6 packet for us, its header first. Not 0: it was not wanted and is freed.
int fleet_ip6_input(struct pbuf *packet);

/// The router for what is not on the link; NULL: there is none.
const ip6_addr_t *fleet_ip6_gateway(struct netif *interface, const ip6_addr_t *to);
/// The same; NULL: the interface's own.
const ip4_addr_t *fleet_ip4_gateway(struct netif *interface, const ip4_addr_t *to);

/// The interface that leads there; NULL: as lwIP would choose.
struct netif *fleet_ip4_way(const ip4_addr_t *to);
struct netif *fleet_ip6_way(const ip6_addr_t *to);

#ifdef __cplusplus
}
#endif
