/* SPDX-License-Identifier: Apache-2.0 */
#include "control/steer.h"

#include <string.h>

static struct {
    uint8_t owner[65536];
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

bool steer_claim(uint16_t port, unsigned stack)
{
    uint8_t nobody = 0;

    if (steer.stacks <= 1)
        return true;
    return __atomic_compare_exchange_n(&steer.owner[port], &nobody, (uint8_t)(stack + 1), false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
           nobody == stack + 1;
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
