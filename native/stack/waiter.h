/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiter: a thread (or an epoll instance) that waits for sockets to become ready.
 *
 * Stacks signal it, its owner sleeps on it. `signalled` says that something happened since the owner
 * last looked; the doorbell turns that into a wake-up only when the owner really sleeps, so a signal
 * to somebody awake costs one store and one load.
 */
#ifndef STACK_WAITER_H
#define STACK_WAITER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/doorbell.h"

struct waiter {
    _Atomic uint32_t signalled;
    _Atomic uint32_t gone; /* the thread that it was of has ended; memory of waiters stays */
    struct doorbell bell;
};

/* Any thread. */
static inline void waiter_signal(struct waiter *w)
{
    /* seq_cst: the store must be visible before the doorbell's `armed` is read, as the owner arms
     * first and looks at `signalled` second. */
    atomic_store(&w->signalled, 1);
    doorbell_ring(&w->bell);
}

/* Owner only: 1 if something happened since the last call. */
static inline uint32_t waiter_take(struct waiter *w)
{
    if (!atomic_load_explicit(&w->signalled, memory_order_relaxed))
        return 0;
    return atomic_exchange(&w->signalled, 0);
}

static inline uint32_t waiter_is_signalled(const struct waiter *w)
{
    return atomic_load(&w->signalled);
}

#endif
