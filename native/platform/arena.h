/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: all memory that packets, chunks and rings live in. It is DPDK's heap, hence in
 * hugepages where there are some, on the NUMA node asked for, and known to the devices.
 * Cold path; any thread.
 */
#ifndef PLATFORM_ARENA_H
#define PLATFORM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_ANY_NODE (-1)

/* Zeroed memory, untouched (so not resident) until written to. NULL when the arena is full. */
void *arena_alloc(size_t bytes, size_t align, int numa_node);
void arena_free(void *memory);

/* The address a device uses for it. */
uint64_t arena_iova(const void *memory);

/* The smallest range of addresses that holds all that the arena holds now (it may have holes). */
void arena_range(void **base, size_t *bytes);

/*
 * The same as it was when arena_settle() was called: after that no packets or chunks are made.
 */
extern struct arena_bounds {
    uintptr_t base;
    size_t bytes;
    bool exported; /* somebody outside was told of it: it stays mapped to the end of the process */
} arena_bounds;
void arena_settle(void);

static inline bool arena_has(const void *data, size_t bytes)
{
    uintptr_t offset = (uintptr_t)data - arena_bounds.base;

    return offset < arena_bounds.bytes && bytes <= arena_bounds.bytes - offset;
}

struct arena_usage {
    size_t total_bytes, used_bytes, largest_free_bytes;
};
void arena_usage(struct arena_usage *out);

#endif
