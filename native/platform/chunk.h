/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks: the send side's memory. An application writes its data once into a chunk; TCP's queue and
 * the network card refer to it there; the last reference brings it home.
 *
 * A pool is one contiguous, CHUNK_BYTES-aligned area per stack: the chunk of an address is a mask
 * away, and whether an address lies in a pool is one comparison.
 *
 * References (shinfo.refcnt): one for the socket, one for each mbuf that carries a piece. The mbuf's
 * is dropped by DPDK through shinfo.free_cb on whatever thread frees the mbuf.
 *
 * Threads: any thread allocates (through a cache of its own) and drops. Free chunks hang on a
 * lock-free stack of bundles, so that a preempted thread never holds up another. What the pool's own
 * stack frees (recognised by its lcore id) is gathered without atomics and handed over 32 at a time.
 */
#ifndef PLATFORM_CHUNK_H
#define PLATFORM_CHUNK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#define CHUNK_BYTES 4096u
#define CHUNK_BUNDLE 32u

struct chunk_pool;

struct chunk {
    /* Written by the stack. */
    struct rte_mbuf_ext_shared_info shinfo;
    struct chunk_pool *pool;
    struct chunk *next; /* the owner's list; the free list's while free */
    uint64_t iova;      /* of the chunk itself */
    uint32_t queued;    /* the socket layer's: bytes handed to TCP, */
    uint32_t acked;     /* and acknowledged by the peer */

    /* Written by the application's thread, hence on a line of its own. */
    _Alignas(64) _Atomic uint32_t committed; /* bytes written and released to the stack */
    uint32_t end;                            /* CHUNK_DATA_BYTES, less if it was sealed before it was full */

    /* The pool's, while free. */
    uint32_t bundle_next; /* index + 1 of the next bundle's first chunk */
    uint32_t bundle_count;

    _Alignas(64) uint8_t data[];
};

#define CHUNK_DATA_BYTES (CHUNK_BYTES - (unsigned)offsetof(struct chunk, data))

/*
 * Chunks at hand for one thread or stack (not for each socket: up to CHUNK_BUNDLE chunks lie idle in
 * it). Zero-initialised is empty.
 */
struct chunk_cache {
    struct chunk *head;
    uint32_t count;
};

struct chunk_pool {
    uint8_t *base;
    size_t bytes;
    uint32_t count;
    unsigned lcore; /* of the stack that owns the pool */

    _Alignas(64) _Atomic uint64_t head; /* tag << 32 | index + 1 of the first bundle's first chunk */
    _Atomic uint32_t touched;           /* chunks from this index on were never used */
    _Atomic uint32_t in_bundles;        /* chunks on the list that begins at head */

    _Alignas(64) struct chunk_cache home; /* only the pool's own stack */
};

/* `count` chunks; pages are touched only when first used. NULL when the arena is full. */
struct chunk_pool *chunk_pool_create(uint32_t count, int numa_node, unsigned lcore);
void chunk_pool_destroy(struct chunk_pool *pool);

/* Free chunks, those in callers' caches not counted. Exact while nobody allocates or frees. */
uint32_t chunk_pool_free_count(const struct chunk_pool *pool);

/* Refills an empty cache with up to CHUNK_BUNDLE chunks; false when the pool is empty. */
bool chunk_cache_refill(struct chunk_pool *pool, struct chunk_cache *cache);

/* Gives all of a cache back. */
void chunk_cache_flush(struct chunk_pool *pool, struct chunk_cache *cache);

/*
 * The pool's own stack, before it sleeps or when somebody waits for memory: what it gathered becomes
 * available to all.
 */
static inline void chunk_pool_settle(struct chunk_pool *pool)
{
    if (pool->home.count > 0)
        chunk_cache_flush(pool, &pool->home);
}

/* The last reference is gone: back to the pool. Called by chunk_put() and by DPDK. */
void chunk_recycle(struct chunk *chunk);

/* A chunk with one reference, its counters 0. NULL when there is none. */
static inline struct chunk *chunk_alloc(struct chunk_pool *pool, struct chunk_cache *cache)
{
    struct chunk *chunk;

    if (cache->count == 0 && !chunk_cache_refill(pool, cache))
        return NULL;
    chunk = cache->head;
    cache->head = chunk->next;
    cache->count--;
    chunk->next = NULL;
    chunk->queued = 0;
    chunk->acked = 0;
    chunk->end = CHUNK_DATA_BYTES;
    atomic_store_explicit(&chunk->committed, 0, memory_order_relaxed);
    rte_mbuf_ext_refcnt_set(&chunk->shinfo, 1);
    return chunk;
}

/*
 * By the holder of a reference, or under one that stays: the socket's, which its application's thread
 * (a reservation) and its stack (an mbuf) may do at once. rte_mbuf_ext_refcnt_update() would lose one
 * of two: it takes a count of 1 for that of a sole owner and stores without an atomic.
 */
static inline void chunk_hold(struct chunk *chunk)
{
    __atomic_fetch_add(&chunk->shinfo.refcnt, 1, __ATOMIC_RELAXED);
}

/* By the holder of a reference. A sole one sees all that earlier holders did before they let go (acquire). */
static inline void chunk_put(struct chunk *chunk)
{
    if (__atomic_load_n(&chunk->shinfo.refcnt, __ATOMIC_ACQUIRE) == 1 ||
        __atomic_sub_fetch(&chunk->shinfo.refcnt, 1, __ATOMIC_ACQ_REL) == 0)
        chunk_recycle(chunk);
}

static inline struct chunk *chunk_of(const void *data)
{
    return (struct chunk *)((uintptr_t)data & ~(uintptr_t)(CHUNK_BYTES - 1));
}

static inline bool chunk_pool_has(const struct chunk_pool *pool, const void *data)
{
    return (uintptr_t)data - (uintptr_t)pool->base < pool->bytes;
}

#endif
