/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths: the path MTUs that routers told of (RFC 1191, RFC 8201), by destination. One table for all
 * stacks of a process: any of them learns, any thread looks. What is not in it has its link's MTU.
 */
#ifndef PRONGHORN_LWIP_PATHS_H
#define PRONGHORN_LWIP_PATHS_H

#include <stdbool.h>
#include <stdint.h>

struct paths;

/* ip(7), IP_MTU_DISCOVER; IPv6 has the same numbers. */
enum mtu_discover {
    MTU_DISCOVER_DONT,
    MTU_DISCOVER_WANT,
    MTU_DISCOVER_DO,
    MTU_DISCOVER_PROBE,
    MTU_DISCOVER_INTERFACE,
    MTU_DISCOVER_OMIT,
};

/* Does it follow the path, or the link alone? */
static inline bool mtu_discover_uses_path(int discover)
{
    return discover < MTU_DISCOVER_PROBE;
}

/* May a packet that is too large be cut here? */
static inline bool mtu_discover_cuts(int discover)
{
    return discover < MTU_DISCOVER_DO || discover == MTU_DISCOVER_OMIT;
}

/* Is an ICMP message believed? */
static inline bool mtu_discover_learns(int discover)
{
    return discover < MTU_DISCOVER_INTERFACE;
}

/* NULL: no memory. */
struct paths *paths_create(void);
void paths_destroy(struct paths *paths);

/* `address`: 4 or 16 bytes as they stand in a header. 0: nothing is known. `fixed` (may be NULL): a router
 * asked for less than is believed, and the packets have to be cut on their way. `paths` may be NULL. */
uint16_t paths_find(const struct paths *paths, const void *address, unsigned bytes, uint64_t now_us, bool *fixed);

/* A router's `told` for what was sent over a link of `link_mtu`. False: not believed, or no news. */
bool paths_learn(struct paths *paths, const void *address, unsigned bytes, uint32_t told, uint16_t link_mtu,
                 uint64_t now_us);

#endif
