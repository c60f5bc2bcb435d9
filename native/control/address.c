/* SPDX-License-Identifier: Apache-2.0 */
#include "control/address.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "control/device.h"
#include "lwip/paths.h"
#include "stack/group.h"

#define ADDRESSES_MAX 512
#define LOOPBACK_MTU 65536 /* as Linux */

struct entry {
    struct endpoint address;
    unsigned prefix_bits;
    uint64_t stack;
    unsigned port, device;
    bool has_gateway;
    uint16_t link_mtu;
};

static struct entry entries[ADDRESSES_MAX];
static unsigned entries_count;

int address_add(unsigned stack, unsigned port, unsigned device, const struct endpoint *address, unsigned prefix_bits,
                bool has_gateway, uint16_t link_mtu)
{
    if (entries_count == ADDRESSES_MAX)
        return -ENOSPC;
    entries[entries_count++] = (struct entry){ .address = *address,
                                               .prefix_bits = prefix_bits,
                                               .stack = UINT64_C(1) << stack,
                                               .port = port,
                                               .device = device,
                                               .has_gateway = has_gateway,
                                               .link_mtu = link_mtu };
    return 0;
}

void address_clear(void)
{
    entries_count = 0;
}

uint64_t address_stacks(const struct endpoint *address)
{
    uint64_t stacks = 0;

    if (endpoint_is_any(address) || endpoint_is_loopback(address))
        return group_mask();
    for (unsigned i = 0; i < entries_count; i++) {
        if (endpoint_same_address(address, &entries[i].address))
            stacks |= entries[i].stack;
    }
    return stacks;
}

int address_port(unsigned stack, const struct endpoint *address)
{
    for (unsigned i = 0; i < entries_count; i++) {
        if (entries[i].stack == UINT64_C(1) << stack && endpoint_same_address(address, &entries[i].address))
            return (int)entries[i].port;
    }
    return -1;
}

void address_own(struct endpoint *any)
{
    if (any->family == AF_INET)
        any->v4.s_addr = htonl(INADDR_LOOPBACK);
    else
        any->v6 = in6addr_loopback;
}

static bool on_subnet(const struct entry *entry, const struct endpoint *destination)
{
    const uint8_t *a, *b;
    unsigned whole = entry->prefix_bits / 8, rest = entry->prefix_bits % 8;

    if (entry->address.family != destination->family)
        return false;
    if (destination->family == AF_INET) {
        a = (const uint8_t *)&entry->address.v4;
        b = (const uint8_t *)&destination->v4;
    } else {
        a = entry->address.v6.s6_addr;
        b = destination->v6.s6_addr;
    }
    return memcmp(a, b, whole) == 0 &&
           (rest == 0 || ((a[whole] ^ b[whole]) & (uint8_t)(0xff << (8 - rest))) == 0);
}

uint64_t address_stacks_to(const struct endpoint *destination)
{
    return address_stacks_by(destination, 0);
}

uint64_t address_stacks_by(const struct endpoint *destination, unsigned device)
{
    uint64_t own = address_stacks(destination), near = 0, far = 0, family = 0;

    if (endpoint_is_loopback(destination))
        return device <= DEVICE_LOOPBACK ? own : 0;
    if (device)
        own = 0;
    for (unsigned i = 0; i < entries_count; i++) {
        if (entries[i].address.family != destination->family || (device && entries[i].device != device))
            continue;
        if (device && endpoint_same_address(destination, &entries[i].address))
            own |= entries[i].stack;
        family |= entries[i].stack;
        if (on_subnet(&entries[i], destination))
            near |= entries[i].stack;
        if (entries[i].has_gateway)
            far |= entries[i].stack;
    }
    if (own)
        return near & ~own ? near & ~own : own;
    if (near)
        return near;
    if (endpoint_is_multicast(destination) ||
        (destination->family == AF_INET && destination->v4.s_addr == INADDR_BROADCAST) ||
        (destination->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&destination->v6)))
        return family;
    return far;
}

/* Of the interface that leads there: by the nearest of its stacks' addresses. */
static uint32_t link_mtu(const struct endpoint *destination)
{
    uint64_t stacks = address_stacks_to(destination);
    uint32_t mtu = LOOPBACK_MTU;

    if (endpoint_is_loopback(destination) || (stacks & address_stacks(destination)))
        return mtu;
    for (unsigned i = 0; i < entries_count; i++) {
        if (!(entries[i].stack & stacks) || entries[i].address.family != destination->family)
            continue;
        if (on_subnet(&entries[i], destination))
            return entries[i].link_mtu;
        if (entries[i].has_gateway || mtu == LOOPBACK_MTU)
            mtu = entries[i].link_mtu;
    }
    return mtu;
}

uint32_t address_mtu(const struct endpoint *destination, bool by_path)
{
    uint32_t link = link_mtu(destination), path = 0;
    bool is_ip6 = destination->family == AF_INET6;

    if (by_path && link != LOOPBACK_MTU)
        path = paths_find(group.paths, is_ip6 ? (const void *)&destination->v6 : &destination->v4, is_ip6 ? 16 : 4,
                          clock_now_us(), NULL);
    return path != 0 && path < link ? path : link;
}
