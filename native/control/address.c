/* SPDX-License-Identifier: Apache-2.0 */
#include "control/address.h"

#include <errno.h>
#include <string.h>

#include "stack/group.h"

#define ADDRESSES_MAX 512

struct entry {
    struct endpoint address;
    unsigned prefix_bits;
    uint64_t stack;
    bool has_gateway;
};

static struct entry entries[ADDRESSES_MAX];
static unsigned entries_count;

int address_add(unsigned stack, const struct endpoint *address, unsigned prefix_bits,
                bool has_gateway)
{
    if (entries_count == ADDRESSES_MAX)
        return -ENOSPC;
    entries[entries_count++] = (struct entry){ .address = *address,
                                               .prefix_bits = prefix_bits,
                                               .stack = UINT64_C(1) << stack,
                                               .has_gateway = has_gateway };
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
    uint64_t own = address_stacks(destination), near = 0, far = 0, family = 0;

    if (endpoint_is_loopback(destination))
        return own;
    for (unsigned i = 0; i < entries_count; i++) {
        if (entries[i].address.family != destination->family)
            continue;
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
