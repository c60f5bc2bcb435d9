/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of lwIP is compiled, and why. Numbers that a user may want to change are not here: they are
 * per instance (struct instance_settings) or per PCB (tcp_limits.h), set at run time.
 */
#ifndef PRONGHORN_LWIPOPTS_H
#define PRONGHORN_LWIPOPTS_H

/* <netinet/tcp.h> claims this name for the protocol's minimum; ours is the largest we may send. */
#undef TCP_MSS

/* ---- shape ------------------------------------------------------------------------------------
 * No operating system underneath: a stack's turn calls in, nothing is locked, nothing sleeps. Only
 * the raw API is built; sockets are ours (socket/). */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_CALLBACK_API 1
/* timers.c: a fixed table with due times of its own per instance, so that nothing is allocated and
 * the stack knows how long it may sleep. */
#define LWIP_TIMERS 1
#define LWIP_TIMERS_CUSTOM 1
/* Host byte order functions are libc's: both meet in socket/. */
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1

/* ---- memory -----------------------------------------------------------------------------------
 * Everything lwIP allocates (PCBs, segments, header pbufs, ARP queues) comes from the instance's own
 * slabs (memory.c): no fixed pools to size, exhaustion is one limit, and a test sees the balance. */
#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define mem_clib_malloc memory_alloc
#define mem_clib_calloc memory_zalloc
#define mem_clib_free memory_free
#define MEMP_MEM_MALLOC 1
/* Received packets are mbufs (packet.c), never pool pbufs. */
#define PBUF_POOL_SIZE 0
#define PBUF_POOL_BUFSIZE 1536
#define LWIP_SUPPORT_CUSTOM_PBUF 1
/* A header pbuf is referenced by the queue and by whoever sends; 8 bits are too few for a multicast
 * packet that goes to many sockets. */
#define LWIP_PBUF_REF_T u16_t
/* Pool sizes only bound things that are never pools here. */
#define LWIP_DISABLE_MEMP_SANITY_CHECKS 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* ---- link -------------------------------------------------------------------------------------- */
#define LWIP_ETHERNET 1
#define LWIP_ARP 1
/* Searched linearly, so with a hint per PCB; 128 neighbours on one link is a full /25. */
#define ARP_TABLE_SIZE 128
#define LWIP_NETIF_HWADDRHINT 1
/* Packets that wait for an address: a burst to a new neighbour must not lose its beginning. */
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 128
#define ETHARP_TABLE_MATCH_NETIF 1
#define ETHARP_SUPPORT_STATIC_ENTRIES 1
#define ETH_PAD_SIZE 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0
/* The port says which checksums its device does (packet.c); all others are made in software. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM checksum_sum
/* Own addresses answer themselves, and each instance has a loopback of its own (127.0.0.0/8, ::1):
 * packets to them go round without the device. */
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_LOOPBACK_MAX_PBUFS 1024
#define LWIP_NETIF_LINK_CALLBACK 0
#define LWIP_NETIF_STATUS_CALLBACK 0
#define LWIP_NETIF_EXT_STATUS_CALLBACK 0
#define LWIP_NETIF_HOSTNAME 0
#define LWIP_SINGLE_NETIF 0

/* ---- IPv4 --------------------------------------------------------------------------------------- */
#define LWIP_IPV4 1
#define IP_FORWARD 0
#define IP_REASSEMBLY 1
#define IP_FRAG 1
/* A 64 KiB datagram is 45 pieces at MTU 1500; this many pieces may wait in total. */
#define IP_REASS_MAX_PBUFS 1024
#define MEMP_NUM_REASSDATA 64
#define IP_REASS_MAXAGE 15
#define IP_DEFAULT_TTL 64
#define IP_SOF_BROADCAST 1
#define IP_SOF_BROADCAST_RECV 0
#define LWIP_ICMP 1
#define LWIP_MULTICAST_PING 0
#define LWIP_BROADCAST_PING 0
#define LWIP_IGMP 1
#define LWIP_MULTICAST_TX_OPTIONS 1
#define LWIP_RAW 0
#define LWIP_DHCP 0
#define LWIP_AUTOIP 0
#define LWIP_DNS 0

/* ---- IPv6 --------------------------------------------------------------------------------------- */
#define LWIP_IPV6 1
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_FRAG 1
#define LWIP_IPV6_REASS 1
/* Without it the reassembly header does not fit between the fragments' headers on 64 bit. */
#define IPV6_FRAG_COPYHEADER 1
#define LWIP_IPV6_NUM_ADDRESSES 8
#define LWIP_IPV6_AUTOCONFIG 0
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 0
#define LWIP_IPV6_DHCP6 0
#define LWIP_ND6_NUM_NEIGHBORS 64
#define LWIP_ND6_NUM_DESTINATIONS 64
#define LWIP_ND6_NUM_ROUTERS 4
#define LWIP_ND6_NUM_PREFIXES 8
#define LWIP_ND6_QUEUEING 1
#define MEMP_NUM_ND6_QUEUE 64
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 0

/* ---- UDP ---------------------------------------------------------------------------------------- */
#define LWIP_UDP 1
#define LWIP_UDPLITE 0
#define UDP_TTL 64

/* ---- TCP ---------------------------------------------------------------------------------------- */
#define LWIP_TCP 1
#define TCP_TTL 64
/* The largest segment ever: a 9000-byte MTU. What is announced follows the netif's MTU. */
#define TCP_MSS 8960
#define TCP_CALCULATE_EFF_SEND_MSS 1
/* Starting limits of a PCB; tcp_limits.h moves them per connection. Scale 7 reaches 8 MiB, twice
 * what 10 Gbit/s at 1 ms with margin asks for. */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 7
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_PCB_WND tcp_start_receive_bytes()
#define TCP_PCB_SND_BUF tcp_start_send_bytes()
#define TCP_PCB_CONGESTION tcp_start_congestion()
/* pbufs, not bytes: 64-byte writes by reference take one each. The field is 16 bits wide. */
#define TCP_SND_QUEUELEN 65000
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_KEEPALIVE 1
/* The socket layer learns from its destroy callback that lwIP has freed a PCB. */
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_OVERSIZE TCP_MSS
/* tcp_ticks are milliseconds (tcp_timer.c). */
#define TCP_TMR_INTERVAL 1
#define TCP_SLOW_INTERVAL 1
/* RTO waits double from about a second: 15 tries end after a quarter of an hour, as Linux does. */
#define TCP_MAXRTX 12
#define TCP_SYNMAXRTX 6
#define SO_REUSE 1
/* Every socket that shares a multicast port gets its copy. */
#define SO_REUSE_RXTOALL 1

/* ---- counters ----------------------------------------------------------------------------------- */
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define LWIP_STATS_DISPLAY 0
#define MEM_STATS 0
#define MEMP_STATS 0
#define SYS_STATS 0

/* ---- what lwIP asks us (hooks.h) ----------------------------------------------------------------- */
#define LWIP_HOOK_FILENAME "lwip/hooks.h"
#define LWIP_HOOK_TCP_ISN isn_next
#define LWIP_HOOK_IP4_ROUTE_SRC hook_ip4_route
#define LWIP_HOOK_IP6_ROUTE hook_ip6_route
#define LWIP_HOOK_ETHARP_GET_GW hook_ip4_gateway
#define LWIP_HOOK_ND6_GET_GW hook_ip6_gateway
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, options_len, first_len, second, packet) \
    ((pcb)->least_ttl == 0 || hook_lives_long_enough((const struct ip_pcb *)(pcb)) ? ERR_OK : ERR_ABRT)

#endif
