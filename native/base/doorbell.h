/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakes one sleeper, at a price (a system call) that producers pay only while it sleeps.
 *
 *   sleeper                                   producer (any thread)
 *     doorbell_arm(d)                           publish the work (ring_push, mpsc_push, a flag)
 *     look once more; if there is work: disarm  doorbell_ring(d)
 *     else sleep in epoll/poll on d->fd
 *     doorbell_disarm(d)
 *
 * No wake-up is lost: arming and publishing are each followed by a full fence before the other
 * side's word is read, so of the two reads (the sleeper's last look, the producer's look at
 * `armed`) at least one sees the other's write. Of several producers one claims the armed word, so
 * a sleep costs at most one write of the fd.
 *
 * Each claim is followed by exactly one write of 1 to the eventfd, but that write may come late,
 * after the sleeper has already disarmed. `owed` counts claims whose write has not been read yet,
 * so that a late write costs one early wake-up and is not left in the fd to end every later sleep.
 */
#ifndef BASE_DOORBELL_H
#define BASE_DOORBELL_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/compiler.h"
#include "base/kernel_calls.h"
#include "base/own_fds.h"

struct doorbell {
    _Atomic uint32_t armed; /* written by both sides */
    bool listening;         /* the sleeper's: between arm and disarm */
    uint32_t owed;          /* the sleeper's: claims not yet read from the fd */
    int fd;                 /* an eventfd; readable: rung */
};

/* 0 or a negative errno. */
static inline int doorbell_open(struct doorbell *bell)
{
    atomic_init(&bell->armed, 0);
    bell->listening = false;
    bell->owed = 0;
    bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bell->fd < 0)
        return -errno;
    own_fds_add(bell->fd);
    return 0;
}

/* No thread may ring or sleep any more. */
static inline void doorbell_close(struct doorbell *bell)
{
    if (bell->fd >= 0) {
        own_fds_remove(bell->fd);
        kernel.close(bell->fd);
    }
    bell->fd = -1;
}

/*
 * Sleeper: from now on a ring writes the fd. Look for work once more before sleeping. May be
 * repeated without a disarm in between (the fd then stays readable if it was rung).
 */
static inline void doorbell_arm(struct doorbell *bell)
{
    uint32_t was_armed = atomic_exchange_explicit(&bell->armed, 1, memory_order_seq_cst);

    if (bell->listening && !was_armed)
        bell->owed++;
    bell->listening = true;
    atomic_thread_fence(memory_order_seq_cst);
}

/* Sleeper: awake (or did not sleep after all). Makes the fd quiet again. */
static inline void doorbell_disarm(struct doorbell *bell)
{
    uint64_t writes;

    if (bell->listening && atomic_exchange_explicit(&bell->armed, 0, memory_order_acq_rel) == 0)
        bell->owed++;
    bell->listening = false;
    if (bell->owed > 0 && kernel.read(bell->fd, &writes, sizeof(writes)) == sizeof(writes))
        bell->owed -= (uint32_t)writes;
}

/* Sleeper, before it disarms: did somebody ring? */
static inline bool doorbell_was_rung(const struct doorbell *bell)
{
    return bell->owed > 0 || atomic_load_explicit(&bell->armed, memory_order_relaxed) == 0;
}

/* Any thread, after it published its work. */
static inline void doorbell_ring(struct doorbell *bell)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (LIKELY(atomic_load_explicit(&bell->armed, memory_order_relaxed) == 0))
        return;
    if (atomic_exchange_explicit(&bell->armed, 0, memory_order_acq_rel) == 1) {
        const uint64_t one = 1;
        /* Cannot fail or block: the counter would have to reach 2^64 - 1. */
        ssize_t written = kernel.write(bell->fd, &one, sizeof(one));
        INVARIANT(written == sizeof(one));
        (void)written;
    }
}

#endif
