/* SPDX-License-Identifier: Apache-2.0 */
/* group: all stacks of the process, and which of several serves a new socket. */
#ifndef STACK_GROUP_H
#define STACK_GROUP_H

#include "stack/stack.h"

/* Constant between start and stop, but for deaf. */
extern struct group {
    unsigned count;
    /*
     * What arrives waits in the devices: a start for an unmodified program, whose listeners are moved to the
     * stacks only after it. A peer must not be refused by a stack that does not know them yet.
     */
    _Atomic bool deaf;
    struct stack *stacks[STACKS_MAX];
    struct paths *paths; /* of all of them; NULL: none are kept */
} group;

/* deaf no more: frames are taken in. */
void group_hear(void);

/* All stacks' bits. */
static inline uint64_t group_mask(void)
{
    return group.count == 64 ? UINT64_MAX : (UINT64_C(1) << group.count) - 1;
}

/* The number of the stack in whose turn the calling thread is, or -1. */
int group_here(void);

/* One stack of the mask (not 0): the calling thread's last one if it is in it, else the next in turn. */
struct stack *group_choose(uint64_t stacks);

#endif
