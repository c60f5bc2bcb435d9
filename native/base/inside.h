/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside: is this thread in one of our calls already? Only a signal handler can ask that with the answer
 * yes: its thread may hold a lock or a stack's turn, so that whatever waits for one would wait for ever. A
 * thread that sleeps in a call of ours holds nothing and counts as outside.
 */
#ifndef BASE_INSIDE_H
#define BASE_INSIDE_H

#include <stdbool.h>
#include <stdatomic.h>

#include "base/compiler.h"

extern __thread volatile unsigned inside_calls;
/* Something is to be done as soon as this thread is outside: signals to raise, closes that a handler asked for. */
extern __thread volatile bool inside_due;
/* Raises the signals; set by who puts them off. Outside, inside_due may hold still afterwards. */
extern void (*_Atomic inside_raise)(void);

/* False: it is in one; nothing was entered. */
static inline bool inside_enter(void)
{
    if (UNLIKELY(inside_calls > 0))
        return false;
    inside_calls = 1;
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static inline void inside_leave(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    inside_calls = 0;
}

/* Around what waits in the kernel, or gives a handler its turn: outside, and back to what it was. */
static inline unsigned inside_pause(void)
{
    unsigned before = inside_calls;

    inside_calls = 0;
    return before;
}

static inline void inside_resume(unsigned before)
{
    inside_calls = before;
}

#endif
