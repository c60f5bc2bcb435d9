/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads and DPDK's lcore ids.
 *
 * DPDK keys its per-thread caches (mempools) by an lcore id that belongs to a thread. Here it
 * belongs to a stack: the stack claims one id for its life, and whichever thread drives the stack
 * borrows it for the length of a turn. Correct because a stack has one driver at a time.
 */
#ifndef PLATFORM_CORE_H
#define PLATFORM_CORE_H

#include <rte_per_lcore.h>
#include <rte_lcore.h>

/* Claims a free lcore id for a stack; after eal_start(). 0 or -ENOSPC. */
int core_claim(unsigned *lcore);

/* Gives the id back. No thread may hold it. */
void core_release(unsigned lcore);

/* Borrows the stack's id for the calling thread; returns what to hand to core_leave(). */
static inline unsigned core_enter(unsigned lcore)
{
    unsigned previous = RTE_PER_LCORE(_lcore_id);

    RTE_PER_LCORE(_lcore_id) = lcore;
    return previous;
}

static inline void core_leave(unsigned previous)
{
    RTE_PER_LCORE(_lcore_id) = previous;
}

/* The id that the calling thread has borrowed, or LCORE_ID_ANY. */
static inline unsigned core_borrowed(void)
{
    return RTE_PER_LCORE(_lcore_id);
}

/* Pins the calling thread to one CPU. 0 or -EINVAL (not one that this process may use). */
int core_pin(unsigned cpu);

/* Names the calling thread (cut to 15 characters), as top -H and debuggers show it. */
void core_name_thread(const char *name);

#endif
