// What lwIP asks of us in the middle of its work (lwipopts.h): C, because lwIP is.
#pragma once

#include <lwip/ip6_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

#ifdef __cplusplus
extern "C" {
#endif

/// An IPv6 packet for us, its header first. Not 0: it was not wanted and is freed.
int fleet_ip6_input(struct pbuf *packet);

/// The router for what is not on the link; NULL: there is none.
const ip6_addr_t *fleet_ip6_gateway(struct netif *interface);

#ifdef __cplusplus
}
#endif
