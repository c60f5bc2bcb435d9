/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unbounded queue from any number of producer threads to one consumer thread, without locks and
 * without allocation: the node lies inside the thing that is queued. mpsc_push() gives the thing to
 * the consumer; mpsc_take() takes all that is there at once.
 *
 * It is a stack that the consumer empties in one exchange and turns round, so that the oldest comes
 * first. Because nodes leave only all together, there is no ABA problem. Memory order: the push
 * releases what the producer wrote, the exchange of mpsc_take() acquires it (each push continues
 * the release sequence of those before it, so one acquire sees them all).
 */
#ifndef BASE_MPSC_H
#define BASE_MPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct mpsc_node {
    struct mpsc_node *next;
};

/* A struct that holds one is itself aligned to CACHE_LINE: allocate it with aligned_alloc(). */
struct mpsc {
    CACHE_ALIGNED _Atomic(struct mpsc_node *) head;
};

static inline void mpsc_init(struct mpsc *queue) { atomic_init(&queue->head, NULL); }

/* Any thread. True: the queue was empty, so this is the push that has to ring the doorbell. */
static inline bool mpsc_push(struct mpsc *queue, struct mpsc_node *node)
{
    struct mpsc_node *newest = atomic_load_explicit(&queue->head, memory_order_relaxed);

    do {
        /* After the exchange succeeds the node is the consumer's: it must not be touched again. */
        node->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&queue->head, &newest, node,
                                                    memory_order_release, memory_order_relaxed));
    return newest == NULL;
}

/* Any thread; exact for the consumer. */
static inline bool mpsc_is_empty(const struct mpsc *queue)
{
    return atomic_load_explicit(&queue->head, memory_order_acquire) == NULL;
}

/* Consumer. All nodes as a chain by `next`, oldest first; NULL: none. */
static inline struct mpsc_node *mpsc_take(struct mpsc *queue)
{
    struct mpsc_node *newest;
    struct mpsc_node *oldest_first = NULL;

    /* An empty queue, the usual case in a polling loop, costs a load of a shared cache line. */
    if (mpsc_is_empty(queue))
        return NULL;
    newest = atomic_exchange_explicit(&queue->head, NULL, memory_order_acquire);
    while (newest) {
        struct mpsc_node *older = newest->next;
        newest->next = oldest_first;
        oldest_first = newest;
        newest = older;
    }
    return oldest_first;
}

#endif
