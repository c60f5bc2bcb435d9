/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multicast membership with sources: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), the part of a host.
 *
 * A member is one socket's wish: a group on an interface, and a filter: from these sources alone
 * (include), or from all but these (exclude). What the members of a group want together is the interface's
 * filter (multicast.c); routers are told of it and of each change (multicast_report.c). lwIP keeps the list of
 * groups that are received at all, and speaks IGMPv2 and MLDv1 where a router of these was heard (RFC 3376 7.2.1,
 * RFC 3810 8.2.1); our patch asks us first.
 *
 * Everything in a turn. Members belong to their list's owner and are freed when they leave.
 */
#ifndef PRONGHORN_LWIP_MULTICAST_H
#define PRONGHORN_LWIP_MULTICAST_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/ip_addr.h"
#include "lwip/netif.h"

/* As the kernel's net.ipv4.igmp_max_msf, but not as few. */
#define MULTICAST_SOURCES_MAX 64

struct multicast_member;

struct multicast_wish {
    enum {
        MULTICAST_JOIN,          /* exclude nobody */
        MULTICAST_LEAVE,
        MULTICAST_JOIN_SOURCE,   /* include this one */
        MULTICAST_LEAVE_SOURCE,
        MULTICAST_BLOCK_SOURCE,  /* exclude this one */
        MULTICAST_UNBLOCK_SOURCE,
    } what;
    ip_addr_t group, source;
    ip_addr_t interface; /* that has this address; any: see index */
    uint8_t index;       /* the interface with this number; 0: all */
};

/* Changes what the owner of the list receives, on each interface that is meant. 0 or -errno, as Linux. */
int multicast_change(struct multicast_member **list, const struct multicast_wish *wish);
/* The owner is gone. */
void multicast_leave_all(struct multicast_member **list);
/* May the owner have a datagram of this source? Whoever is no member: yes (IP_MULTICAST_ALL). */
bool multicast_allows(const struct multicast_member *list, const struct netif *netif,
                      const ip_addr_t *group, const ip_addr_t *source);

/* ---- for lwIP (our patch) ------------------------------------------------------------------------ */

struct pbuf;

/* lwIP wants to report a group or leave it. 0: in the old version, then; else it is done. */
int multicast_report(struct netif *netif, const ip_addr_t *group, int leave);
/* A router's query, from its first byte. 0: lwIP answers it in the old version. */
int multicast_query(struct netif *netif, const struct pbuf *p, int is_ip6);

/* ---- for timers.c and instance.c ------------------------------------------------------------------ */

#define MULTICAST_TMR_INTERVAL 100 /* ms */
void multicast_tmr(void);
bool multicast_tmr_is_needed(void);
/* The interface goes. */
void multicast_netif_gone(const struct netif *netif);

#endif
