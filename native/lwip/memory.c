/* SPDX-License-Identifier: Apache-2.0 */
/* See memory.h. */
#include "lwip/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/list.h"
#include "lwip/instance.h"
#include "lwip/instance_var.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

#define BLOCK_BYTES INSTANCE_PAGE_BYTES
#define CLASS_LARGE UINT32_MAX

/* A connection's segments and header pbufs are 96 to 256 bytes, a PCB about 400, a copied full-size
 * packet 1.6 KB, a copied jumbo packet 9 KB. */
static const uint16_t class_bytes[] = {32,  64,  96,   128,  192,  256,  320,  384,  512,
                                       768, 1024, 1664, 2048, 3072, 4096, 6144, 9344, 16320};
#define CLASS_COUNT ARRAY_SIZE(class_bytes)
#define SMALL_MAX 1024

struct element {
    struct element *next;
};

/* The head of every block. */
struct block {
    struct list node; /* in its class's list of blocks with room; alone when full or large */
    struct element *free;
    uint32_t class;
    uint32_t used;
    uint32_t fresh; /* bytes from the block's start, behind them nothing was ever handed out */
    size_t bytes;
};

#define BLOCK_HEAD_BYTES 64UL
_Static_assert(sizeof(struct block) <= BLOCK_HEAD_BYTES, "head fits before the first element");

struct slab {
    struct list room; /* blocks with at least one free element; those with nothing in use last */
    uint32_t empty;   /* how many of them have nothing in use */
    uint32_t busy;    /* blocks with something in use, full ones as well */
};

/* Empty blocks that a class keeps at least; else as many as are in use. Traffic comes in bursts: giving
 * pages back after each and fetching them for the next cost more than the packets. */
#define EMPTY_MIN 8

struct memory {
    struct slab slabs[CLASS_COUNT];
    struct list full; /* every block that is in no class's list, so that memory_stop() finds it */
    uint8_t class_of[SMALL_MAX / 32 + 1];
    struct memory_usage usage;
    size_t limit_bytes;
    void *(*page_alloc)(void *context, size_t bytes);
    void (*page_free)(void *context, void *pages, size_t bytes);
    void *page_context;
};

static INSTANCE_VAR struct memory template_memory;

static void *heap_alloc(void *context, size_t bytes)
{
    return aligned_alloc(INSTANCE_PAGE_BYTES, bytes);
}

static void heap_free(void *context, void *pages, size_t bytes)
{
    free(pages);
}

void memory_start(const struct instance_settings *settings)
{
    struct memory *memory = &INSTANCE(memory);
    uint32_t class = 0;

    for (size_t i = 0; i < CLASS_COUNT; i++)
        list_init(&memory->slabs[i].room);
    list_init(&memory->full);
    for (size_t i = 0; i < ARRAY_SIZE(memory->class_of); i++) {
        if (i * 32 > class_bytes[class])
            class++;
        memory->class_of[i] = (uint8_t)class;
    }
    memory->limit_bytes = settings->memory_limit_bytes ? settings->memory_limit_bytes : SIZE_MAX;
    memory->page_alloc = settings->page_alloc ? settings->page_alloc : heap_alloc;
    memory->page_free = settings->page_free ? settings->page_free : heap_free;
    memory->page_context = settings->page_context;
}

static struct block *block_of(void *element)
{
    return (struct block *)((uintptr_t)element & ~(BLOCK_BYTES - 1));
}

static struct block *block_take(struct memory *memory, size_t bytes, uint32_t class)
{
    struct block *block = NULL;

    if (bytes <= memory->limit_bytes - memory->usage.block_bytes)
        block = memory->page_alloc(memory->page_context, bytes);
    if (!block)
        return NULL;
    memory->usage.block_bytes += bytes;
    block->class = class;
    block->bytes = bytes;
    block->free = NULL;
    block->used = 0;
    block->fresh = BLOCK_HEAD_BYTES;
    ASAN_POISON_MEMORY_REGION((uint8_t *)block + BLOCK_HEAD_BYTES, bytes - BLOCK_HEAD_BYTES);
    return block;
}

static void block_return(struct memory *memory, struct block *block)
{
    list_remove(&block->node);
    memory->usage.block_bytes -= block->bytes;
    ASAN_UNPOISON_MEMORY_REGION(block, block->bytes);
    memory->page_free(memory->page_context, block, block->bytes);
}

static uint32_t class_for(const struct memory *memory, size_t bytes)
{
    if (LIKELY(bytes <= SMALL_MAX))
        return memory->class_of[(bytes + 31) / 32];
    for (uint32_t class = memory->class_of[SMALL_MAX / 32] + 1; class < CLASS_COUNT; class++)
        if (bytes <= class_bytes[class])
            return class;
    return CLASS_LARGE;
}

static void *large_alloc(struct memory *memory, size_t bytes)
{
    size_t whole = (bytes + BLOCK_HEAD_BYTES + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
    struct block *block = whole > bytes ? block_take(memory, whole, CLASS_LARGE) : NULL;

    if (!block) {
        memory->usage.refused++;
        return NULL;
    }
    list_push_back(&memory->full, &block->node);
    block->used = 1;
    memory->usage.taken++;
    memory->usage.element_bytes += whole;
    ASAN_UNPOISON_MEMORY_REGION((uint8_t *)block + BLOCK_HEAD_BYTES, bytes);
    return (uint8_t *)block + BLOCK_HEAD_BYTES;
}

void *memory_alloc(size_t bytes)
{
    struct memory *memory = &INSTANCE(memory);
    uint32_t class = class_for(memory, bytes);
    struct element *element;
    struct block *block;
    struct slab *slab;

    if (UNLIKELY(class == CLASS_LARGE))
        return large_alloc(memory, bytes);
    slab = &memory->slabs[class];
    if (UNLIKELY(list_is_empty(&slab->room))) {
        block = block_take(memory, BLOCK_BYTES, class);
        if (!block) {
            memory->usage.refused++;
            return NULL;
        }
        list_push_front(&slab->room, &block->node);
        slab->empty++;
    }
    block = container_of(slab->room.next, struct block, node);
    if (block->used++ == 0) {
        slab->empty--;
        slab->busy++;
    }
    element = block->free;
    if (element) {
        ASAN_UNPOISON_MEMORY_REGION(element, class_bytes[class]);
        block->free = element->next;
    } else {
        element = (struct element *)((uint8_t *)block + block->fresh);
        block->fresh += class_bytes[class];
    }
    if (!block->free && block->fresh + class_bytes[class] > BLOCK_BYTES) {
        list_remove(&block->node);
        list_push_back(&memory->full, &block->node);
    }
    memory->usage.taken++;
    memory->usage.element_bytes += class_bytes[class];
    ASAN_POISON_MEMORY_REGION(element, class_bytes[class]);
    ASAN_UNPOISON_MEMORY_REGION(element, bytes);
    return element;
}

void *memory_zalloc(size_t count, size_t bytes)
{
    size_t whole;
    void *element = NULL;

    if (!__builtin_mul_overflow(count, bytes, &whole))
        element = memory_alloc(whole);
    return element ? memset(element, 0, whole) : NULL;
}

void memory_free(void *pointer)
{
    struct memory *memory = &INSTANCE(memory);
    struct block *block = block_of(pointer);
    struct element *element = pointer;
    struct slab *slab;
    bool was_full;

    memory->usage.returned++;
    if (UNLIKELY(block->class == CLASS_LARGE)) {
        memory->usage.element_bytes -= block->bytes;
        block_return(memory, block);
        return;
    }
    slab = &memory->slabs[block->class];
    INVARIANT(block->used > 0);
    was_full = !block->free && block->fresh + class_bytes[block->class] > BLOCK_BYTES;
    memory->usage.element_bytes -= class_bytes[block->class];
#if defined(__SANITIZE_ADDRESS__)
    /* the second free of an element reads poisoned memory and is reported */
    *(volatile uint8_t *)pointer = 0;
    ASAN_UNPOISON_MEMORY_REGION(element, class_bytes[block->class]);
#endif
    element->next = block->free;
    block->free = element;
    ASAN_POISON_MEMORY_REGION(element, class_bytes[block->class]);
    if (was_full) {
        list_remove(&block->node);
        list_push_front(&slab->room, &block->node);
    }
    if (--block->used)
        return;
    slab->busy--;
    slab->empty++;
    /* the last to be used: the others may empty meanwhile */
    list_remove(&block->node);
    list_push_back(&slab->room, &block->node);
    while (slab->empty > max_u32(EMPTY_MIN, slab->busy)) {
        slab->empty--;
        block_return(memory, container_of(slab->room.prev, struct block, node));
    }
}

void memory_usage(struct memory_usage *usage)
{
    *usage = INSTANCE(memory).usage;
}

size_t memory_stop(void)
{
    struct memory *memory = &INSTANCE(memory);
    size_t lost = memory->usage.taken - memory->usage.returned;

    for (size_t i = 0; i < CLASS_COUNT; i++)
        while (!list_is_empty(&memory->slabs[i].room))
            block_return(memory, container_of(memory->slabs[i].room.next, struct block, node));
    while (!list_is_empty(&memory->full))
        block_return(memory, container_of(memory->full.next, struct block, node));
    return lost;
}
