/* SPDX-License-Identifier: Apache-2.0 */
#include "stack/group.h"

struct group group;

void group_hear(void)
{
    atomic_store(&group.deaf, false);
    for (unsigned id = 0; id < group.count; id++)
        doorbell_ring(&group.stacks[id]->bell);
}

int group_here(void)
{
    unsigned lcore = core_borrowed();

    for (unsigned id = 0; id < group.count && lcore != LCORE_ID_ANY; id++)
        if (group.stacks[id]->lcore == lcore)
            return (int)id;
    return -1;
}

struct stack *group_choose(uint64_t stacks)
{
    static _Atomic unsigned next;
    static __thread struct stack *last;

    /* A thread stays with its stack: its chunks are cached, and with inline driving it drives it. */
    if (last && (stacks & (UINT64_C(1) << last->id)))
        return last;
    for (unsigned turn = 0; turn < group.count; turn++) {
        unsigned id = atomic_fetch_add(&next, 1) % group.count;

        if (stacks & (UINT64_C(1) << id))
            return last = group.stacks[id];
    }
    for (unsigned id = 0; id < group.count; id++) {
        if (stacks & (UINT64_C(1) << id))
            return last = group.stacks[id];
    }
    return NULL;
}
