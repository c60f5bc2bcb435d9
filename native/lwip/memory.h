/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one instance: slabs of fixed sizes, cut from 64 KiB blocks that come from the settings'
 * page_alloc. lwIP's mem_malloc and memp_malloc all end here. A block is aligned to its size and its
 * header names the class, so an element needs no header of its own. A block whose elements are all
 * back is returned, unless few of its class are kept: bursts must not move pages to and fro.
 * No locks: everything happens inside the turn of the instance that owns the slab.
 */
#ifndef PRONGHORN_LWIP_MEMORY_H
#define PRONGHORN_LWIP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory_usage {
    uint64_t taken;          /* elements ever allocated */
    uint64_t returned;       /* elements ever freed: equal to taken when all is back */
    uint64_t refused;        /* allocations that failed */
    size_t element_bytes;    /* in use, rounded up to the classes */
    size_t block_bytes;      /* held from page_alloc */
};

struct instance_settings;

/* In a turn. NULL when the limit or page_alloc says no. Elements are aligned to 16 bytes. */
void *memory_alloc(size_t bytes);
void *memory_zalloc(size_t count, size_t bytes);
void memory_free(void *memory);

void memory_usage(struct memory_usage *usage);

/* instance.c: first and last call of an instance */
void memory_start(const struct instance_settings *settings);
/* Returns every block, also those with elements in use; how many elements those were. */
size_t memory_stop(void);

#endif
