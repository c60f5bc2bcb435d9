/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/arena.h"

#include <rte_malloc.h>
#include <rte_memory.h>

void *arena_alloc(size_t bytes, size_t align, int numa_node)
{
    void *memory = rte_zmalloc_socket(NULL, bytes, (unsigned)align, numa_node);

    /* A node without memory of its own (or of which all is used) must not stop the program. */
    if (memory == NULL && numa_node != ARENA_ANY_NODE)
        memory = rte_zmalloc_socket(NULL, bytes, (unsigned)align, SOCKET_ID_ANY);
    return memory;
}

void arena_free(void *memory)
{
    rte_free(memory);
}

uint64_t arena_iova(const void *memory)
{
    return rte_mem_virt2iova(memory);
}

struct range {
    uintptr_t low, high;
};

static int range_widen(const struct rte_memseg_list *list, const struct rte_memseg *segment, void *arg)
{
    struct range *range = arg;
    uintptr_t low = (uintptr_t)segment->addr;

    (void)list;
    if (range->high == 0 || low < range->low)
        range->low = low;
    if (low + segment->len > range->high)
        range->high = low + segment->len;
    return 0;
}

void arena_range(void **base, size_t *bytes)
{
    struct range range = {0, 0};

    rte_memseg_walk(range_widen, &range);
    *base = (void *)range.low;
    *bytes = range.high - range.low;
}

struct arena_bounds arena_bounds;

void arena_settle(void)
{
    void *base;

    arena_range(&base, &arena_bounds.bytes);
    arena_bounds.base = (uintptr_t)base;
}

void arena_usage(struct arena_usage *out)
{
    *out = (struct arena_usage){0, 0, 0};
    for (unsigned i = 0; i < rte_socket_count(); i++) {
        struct rte_malloc_socket_stats stats;
        int node = rte_socket_id_by_idx(i);

        if (node < 0 || rte_malloc_get_socket_stats(node, &stats) != 0)
            continue;
        out->total_bytes += stats.heap_totalsz_bytes;
        out->used_bytes += stats.heap_allocsz_bytes;
        if (stats.greatest_free_size > out->largest_free_bytes)
            out->largest_free_bytes = stats.greatest_free_size;
    }
}
