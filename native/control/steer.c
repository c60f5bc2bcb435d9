/* SPDX-License-Identifier: Apache-2.0 */
#include "control/steer.h"

#include <string.h>

#include "config/config.h"

static struct {
    uint8_t owner[65536];
    uint64_t interfaces[CONFIG_PORTS_MAX]; /* whose queues each one's are */
    unsigned interfaces_count;
    unsigned stacks;
    uint16_t first, last;
} steer;

void steer_share(unsigned stack, uint16_t *first, uint16_t *last)
{
    uint32_t range = (uint32_t)steer.last - steer.first + 1;

    if (range < steer.stacks) { /* too few to share: every stack uses them all */
        *first = steer.first;
        *last = steer.last;
        return;
    }
    *first = (uint16_t)(steer.first + range * stack / steer.stacks);
    *last = (uint16_t)(steer.first + range * (stack + 1) / steer.stacks - 1);
}

void steer_init(unsigned stacks, uint16_t first, uint16_t last)
{
    memset(&steer, 0, sizeof(steer));
    steer.stacks = stacks;
    steer.first = first;
    steer.last = last;
    if (stacks == 1 || (uint32_t)last - first + 1 < stacks)
        return;
    for (unsigned i = 0; i < stacks; i++) {
        uint16_t from, to;

        steer_share(i, &from, &to);
        memset(&steer.owner[from], (int)i + 1, (size_t)to - from + 1);
    }
}

int steer_owner(uint16_t port)
{
    return (int)__atomic_load_n(&steer.owner[port], __ATOMIC_RELAXED) - 1;
}

void steer_interface(uint64_t stacks)
{
    if (steer.interfaces_count < CONFIG_PORTS_MAX)
        steer.interfaces[steer.interfaces_count++] = stacks;
}

/* Where an interface takes what comes for a port of `owner`. */
static uint64_t home_at(uint64_t interface, unsigned owner)
{
    unsigned skip = owner % (unsigned)__builtin_popcountll(interface);

    if (interface >> owner & 1)
        return UINT64_C(1) << owner;
    while (skip-- > 0)
        interface &= interface - 1;
    return interface & -interface;
}

uint64_t steer_home(uint16_t port, uint64_t stacks)
{
    int owner = steer_owner(port);

    if (owner < 0 || stacks == 0)
        return stacks;
    if (stacks >> owner & 1)
        return UINT64_C(1) << owner;
    for (unsigned i = 0; i < steer.interfaces_count; i++) {
        uint64_t interface = steer.interfaces[i];

        if ((interface & ~stacks) == 0)
            return home_at(interface, (unsigned)owner);
    }
    return 0;
}

bool steer_claim(uint16_t port, unsigned stack, uint64_t stacks)
{
    uint8_t nobody = 0;

    if (steer.stacks > 1)
        __atomic_compare_exchange_n(&steer.owner[port], &nobody, (uint8_t)(stack + 1), false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
    return steer_home(port, stacks) >> stack & 1;
}

void steer_release(uint16_t port)
{
    if (steer.stacks > 1 && (port < steer.first || port > steer.last))
        __atomic_store_n(&steer.owner[port], 0, __ATOMIC_RELAXED);
}

const uint8_t *steer_table(void)
{
    return steer.owner;
}
