// What of lwIP is built, and how much memory it may take: fixed pools, so that no traffic can use
// more.
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0 /* one thread, and interrupts never touch lwIP */
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_TIMERS 1
#define MEMP_NUM_SYS_TIMEOUT (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 8) /* 8: call_after() */

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_IPV6_AUTOCONFIG 0 /* addresses come from the manifest alone ... */
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_NUM_ADDRESSES 2 /* link-local and the manifest's */
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_FRAG 0  /* what hides a header in a second fragment is not answered */
#define LWIP_IPV6_REASS 0
#define LWIP_ND6_QUEUEING 0
/* ... and so do routers: net/ip6_guard.h says what is let through. */
#define LWIP_HOOK_FILENAME "images/runtime/net/hooks.h"
#define LWIP_HOOK_IP6_INPUT(packet, netif) fleet_ip6_input(packet)
#define LWIP_HOOK_ND6_GET_GW(netif, dest) fleet_ip6_gateway(netif, dest)
#define LWIP_HOOK_ETHARP_GET_GW(netif, dest) fleet_ip4_gateway(netif, dest)
#define LWIP_HOOK_IP4_ROUTE(dest) fleet_ip4_way(dest)
#define LWIP_HOOK_IP6_ROUTE(src, dest) fleet_ip6_way(dest)
#define LWIP_ARP 1
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DHCP 1
#define DHCP_DOES_ARP_CHECK 1
#define LWIP_AUTOIP 0
#define LWIP_DNS 0
#define LWIP_IGMP 0
#define LWIP_STATS 0
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 16
#define IP_FRAG 1
#define ARP_QUEUEING 0

#define MEM_ALIGNMENT 8
#define MEM_SIZE (96 * 1024)
#define MEMP_NUM_PBUF 64
/* One is DHCP's; 128: images/dns/forward_udp.h, one for each question. */
#define MEMP_NUM_UDP_PCB (9 + 128)
#define MEMP_NUM_TCP_PCB 32
#define MEMP_NUM_TCP_PCB_LISTEN 8
#define MEMP_NUM_TCP_SEG 128
#define MEMP_NUM_REASSDATA 8
#define PBUF_POOL_SIZE 128
#define PBUF_POOL_BUFSIZE 1536

#define TCP_MSS 1460
#define TCP_WND (4 * TCP_MSS)
#define TCP_SND_BUF (8 * TCP_MSS)
#define TCP_SND_QUEUELEN 32
#define TCP_LISTEN_BACKLOG 1
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 2 /* or tiny segments out of order would take the whole pool */
#define LWIP_TCP_TIMESTAMPS 0
/* A random first sequence number per connection: nobody outside can guess it. */
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) (fleet_random())
