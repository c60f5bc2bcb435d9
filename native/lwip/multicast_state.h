/* SPDX-License-Identifier: Apache-2.0 */
/* Between multicast.c and multicast_report.c; nobody else includes it. */
#ifndef PRONGHORN_LWIP_MULTICAST_STATE_H
#define PRONGHORN_LWIP_MULTICAST_STATE_H

#include "lwip/multicast.h"

#define MULTICAST_ALL_HOSTS 0xE0000001UL /* 224.0.0.1 */

struct multicast_sources {
    unsigned count, room;
    ip_addr_t *list;
};

/* Include: these sources alone, so nobody if there are none. Exclude: all but these. */
struct multicast_filter {
    bool exclude;
    struct multicast_sources sources;
};

struct multicast_member {
    struct multicast_member *next;     /* of the same owner */
    struct multicast_member *next_own; /* of the same group */
    struct multicast_group *group;
    struct multicast_filter filter;
};

/* A group on an interface: there as long as it has members, or routers are still to be told that it has none. */
struct multicast_group {
    struct multicast_group *next;
    struct netif *netif;
    ip_addr_t address;
    struct multicast_member *members;
    struct multicast_filter filter; /* what they want together */

    /* Told with the next repetition: the whole filter after a change of its kind, else what came and went. */
    bool kind_changed;
    struct multicast_sources came, went;
    uint8_t repeats; /* how often it is still to be told */
    uint64_t repeat_us;
    uint64_t answer_us; /* 0: nobody asked for this group alone */
};

/* What is known of the routers at an interface, for IPv4 and IPv6. */
struct multicast_link {
    struct multicast_link *next;
    const struct netif *netif;
    struct multicast_version {
        uint64_t old_until_us; /* a router of the old version was heard */
        uint64_t answer_us;    /* 0: no general query waits for its answer */
        uint32_t interval_s;   /* between queries */
        uint8_t robustness;    /* how often a change is told */
    } version[2];
};

struct multicast {
    struct multicast_group *groups;
    struct multicast_link *links;
};
struct multicast *multicast_here(void);

struct multicast_group *multicast_find(const struct netif *netif, const ip_addr_t *group);
/* Frees a group that has no members and nothing to tell. */
void multicast_forget(struct multicast_group *group);

bool multicast_has(const struct multicast_sources *sources, const ip_addr_t *source);
bool multicast_add(struct multicast_sources *sources, const ip_addr_t *source); /* false: no memory */
void multicast_remove(struct multicast_sources *sources, const ip_addr_t *source);
void multicast_clear(struct multicast_sources *sources);

/* The filter has changed from `before`: tells the routers, now and later again. */
void multicast_tell(struct multicast_group *group, const struct multicast_filter *before);

#endif
