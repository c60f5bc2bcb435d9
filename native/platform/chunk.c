/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/chunk.h"

#include <string.h>

#include "base/compiler.h"
#include "platform/arena.h"

_Static_assert(offsetof(struct chunk, data) <= 128, "the header is overhead in each chunk");
_Static_assert(sizeof(struct chunk) <= CHUNK_BYTES, "a chunk holds its header");

#define INDEX_MASK 0xffffffffu
#define TAG_ONE (1ull << 32)

static struct chunk *chunk_at(const struct chunk_pool *pool, uint32_t index)
{
    return (struct chunk *)(pool->base + (size_t)index * CHUNK_BYTES);
}

static uint32_t chunk_index(const struct chunk_pool *pool, const struct chunk *chunk)
{
    return (uint32_t)(((const uint8_t *)chunk - pool->base) / CHUNK_BYTES);
}

/*
 * A Treiber stack of bundles. The tag in the upper half of `head` changes with every push and pop,
 * so that a compare-and-swap that slept through both fails. Chunk memory is never unmapped while the
 * pool lives, so reading bundle_next of a chunk that was popped meanwhile is harmless.
 */
static void bundle_push(struct chunk_pool *pool, struct chunk *first, uint32_t count)
{
    uint64_t old = atomic_load_explicit(&pool->head, memory_order_relaxed), new;

    first->bundle_count = count;
    do {
        __atomic_store_n(&first->bundle_next, (uint32_t)old, __ATOMIC_RELAXED);
        new = ((old & ~(uint64_t)INDEX_MASK) + TAG_ONE) | (chunk_index(pool, first) + 1);
    } while (!atomic_compare_exchange_weak_explicit(&pool->head, &old, new, memory_order_release,
                                                    memory_order_relaxed));
    atomic_fetch_add_explicit(&pool->in_bundles, count, memory_order_relaxed);
}

static struct chunk *bundle_pop(struct chunk_pool *pool)
{
    uint64_t old = atomic_load_explicit(&pool->head, memory_order_acquire), new;
    struct chunk *first;

    do {
        if ((old & INDEX_MASK) == 0)
            return NULL;
        first = chunk_at(pool, (uint32_t)(old & INDEX_MASK) - 1);
        new = ((old & ~(uint64_t)INDEX_MASK) + TAG_ONE) |
              __atomic_load_n(&first->bundle_next, __ATOMIC_RELAXED);
    } while (!atomic_compare_exchange_weak_explicit(&pool->head, &old, new, memory_order_acquire,
                                                    memory_order_acquire));
    atomic_fetch_sub_explicit(&pool->in_bundles, first->bundle_count, memory_order_relaxed);
    return first;
}

static void chunk_freed_by_mbuf(void *data, void *opaque)
{
    (void)data;
    chunk_recycle(opaque);
}

/* First use of up to a bundle of chunks: their pages become resident here. */
static struct chunk *bundle_touch(struct chunk_pool *pool, uint32_t *count)
{
    uint32_t index = atomic_load_explicit(&pool->touched, memory_order_relaxed), end;
    struct chunk *first = NULL;

    do {
        if (index >= pool->count)
            return NULL;
        end = min_u32(index + CHUNK_BUNDLE, pool->count);
    } while (!atomic_compare_exchange_weak_explicit(&pool->touched, &index, end,
                                                    memory_order_relaxed, memory_order_relaxed));
    *count = end - index;
    while (end-- > index) {
        struct chunk *chunk = chunk_at(pool, end);

        chunk->shinfo.free_cb = chunk_freed_by_mbuf;
        chunk->shinfo.fcb_opaque = chunk;
        chunk->pool = pool;
        chunk->iova = arena_iova(chunk);
        chunk->next = first;
        first = chunk;
    }
    return first;
}

struct chunk_pool *chunk_pool_create(uint32_t count, int numa_node, unsigned lcore)
{
    struct chunk_pool *pool = arena_alloc(sizeof(*pool), CACHE_LINE, numa_node);

    if (pool == NULL)
        return NULL;
    pool->count = count;
    pool->bytes = (size_t)count * CHUNK_BYTES;
    pool->lcore = lcore;
    pool->base = arena_alloc(pool->bytes, CHUNK_BYTES, numa_node);
    if (pool->base == NULL) {
        arena_free(pool);
        return NULL;
    }
    return pool;
}

void chunk_pool_destroy(struct chunk_pool *pool)
{
    if (pool == NULL)
        return;
    arena_free(pool->base);
    arena_free(pool);
}

uint32_t chunk_pool_free_count(const struct chunk_pool *pool)
{
    return pool->count - atomic_load_explicit(&pool->touched, memory_order_relaxed) +
           atomic_load_explicit(&pool->in_bundles, memory_order_relaxed) + pool->home.count;
}

bool chunk_cache_refill(struct chunk_pool *pool, struct chunk_cache *cache)
{
    struct chunk *first;

    /* Used chunks first: their memory is resident and may still be in the processor's caches. */
    if (rte_lcore_id() == pool->lcore && pool->home.count > 0) {
        *cache = pool->home;
        pool->home = (struct chunk_cache){NULL, 0};
        return true;
    }
    first = bundle_pop(pool);
    if (first != NULL)
        cache->count = first->bundle_count;
    else
        first = bundle_touch(pool, &cache->count);
    cache->head = first;
    return first != NULL;
}

void chunk_cache_flush(struct chunk_pool *pool, struct chunk_cache *cache)
{
    if (cache->count > 0)
        bundle_push(pool, cache->head, cache->count);
    *cache = (struct chunk_cache){NULL, 0};
}

void chunk_recycle(struct chunk *chunk)
{
    struct chunk_pool *pool = chunk->pool;
    struct chunk_cache *home = &pool->home;

    if (rte_lcore_id() != pool->lcore) {
        chunk->next = NULL;
        bundle_push(pool, chunk, 1);
        return;
    }
    chunk->next = home->head;
    home->head = chunk;
    if (++home->count >= CHUNK_BUNDLE)
        chunk_cache_flush(pool, home);
}
