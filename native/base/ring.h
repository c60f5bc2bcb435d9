/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of pointers from exactly one producer thread to exactly one consumer thread,
 * without locks. The ring owns what lies in it: ring_push() gives, ring_pop() takes; a full ring
 * refuses, and the caller keeps the pointer. NULL cannot be pushed.
 *
 * Memory order, once for the whole file. `head` counts pushes and is written by the producer only,
 * `tail` counts pops and is written by the consumer only; both run freely and wrap at 2^32.
 *  - A push writes the slot, then stores head with release; the consumer loads head with acquire:
 *    whoever sees the new head sees the slot and all that the producer wrote before (the thing
 *    pointed at included).
 *  - A pop reads the slot, then stores tail with release; the producer loads tail with acquire: the
 *    producer overwrites a slot only after the consumer has read it.
 *  - Each side reads its own index with relaxed order: nobody else writes it.
 * Each side keeps the last value that it saw of the other's index, and looks again only when that
 * says full (or empty): in a stream, the other side's cache line moves once per several messages.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct ring {
    /* Written by nobody after ring_init(). */
    uint32_t slots;
    uint32_t mask;
    /* Written by the producer. */
    CACHE_ALIGNED _Atomic uint32_t head;
    uint32_t tail_seen;
    /* Written by the consumer. */
    CACHE_ALIGNED _Atomic uint32_t tail;
    uint32_t head_seen;
    CACHE_ALIGNED void *slot[];
};

/* Bytes of memory (aligned to CACHE_LINE, and the caller's) that a ring of `slots` needs. */
static inline size_t ring_bytes(uint32_t slots)
{
    return sizeof(struct ring) + align_up((size_t)slots * sizeof(void *), CACHE_LINE);
}

/* `slots` is a power of two; all of them can be used. No thread may use the ring before this. */
static inline void ring_init(struct ring *ring, uint32_t slots)
{
    INVARIANT(is_power_of_two(slots) && slots <= UINT32_C(1) << 31);
    ring->slots = slots;
    ring->mask = slots - 1;
    ring->tail_seen = 0;
    ring->head_seen = 0;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
}

/* Producer. False: full. */
static inline bool ring_push(struct ring *ring, void *item)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    INVARIANT(item != NULL);
    if (UNLIKELY(head - ring->tail_seen == ring->slots)) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->tail_seen == ring->slots)
            return false;
    }
    ring->slot[head & ring->mask] = item;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

/* Consumer. The oldest item, which stays in the ring; NULL: empty. */
static inline void *ring_peek(struct ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->head_seen)
            return NULL;
    }
    return ring->slot[tail & ring->mask];
}

/* Consumer. NULL: empty. */
static inline void *ring_pop(struct ring *ring)
{
    void *item = ring_peek(ring);

    if (item)
        atomic_store_explicit(&ring->tail,
                              atomic_load_explicit(&ring->tail, memory_order_relaxed) + 1,
                              memory_order_release);
    return item;
}

/*
 * Items in the ring. Exact when neither side moves; the producer may take it as an upper bound, the
 * consumer as a lower bound; for any other thread a hint. Tail is read first, so that a pop between
 * the two loads cannot make the difference negative.
 */
static inline uint32_t ring_count(const struct ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint32_t count = atomic_load_explicit(&ring->head, memory_order_acquire) - tail;

    return min_u32(count, ring->slots);
}

static inline bool ring_is_empty(const struct ring *ring) { return ring_count(ring) == 0; }

/* Producer: this many pushes will succeed (or more). */
static inline uint32_t ring_space(const struct ring *ring)
{
    return ring->slots - ring_count(ring);
}

#endif
