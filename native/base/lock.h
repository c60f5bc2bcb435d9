/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A futex mutex in four bytes, for what application threads share among themselves (two threads in
 * recv() on one socket). Stacks never wait for one; uncontended it is one atomic exchange each way.
 * States: 0 free, 1 held, 2 held and somebody sleeps (Drepper, "Futexes Are Tricky", mutex2).
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "base/compiler.h"
#include "base/kernel_calls.h"

struct lock {
    _Atomic uint32_t word; /* all zero: free */
};

static inline bool lock_try(struct lock *lock)
{
    uint32_t free_word = 0;

    return atomic_compare_exchange_strong_explicit(&lock->word, &free_word, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void lock_take(struct lock *lock)
{
    if (LIKELY(lock_try(lock)))
        return;
    for (int i = 0; i < 100; i++) {
        cpu_relax();
        if (lock_try(lock))
            return;
    }
    while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
        kernel.syscall(SYS_futex, &lock->word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

static inline void lock_give(struct lock *lock)
{
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
        kernel.syscall(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
