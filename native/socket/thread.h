/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application thread has of its own: the waiter it sleeps on, and a handful of send chunks so
 * that most sends touch no shared list. Made at the thread's first use, given back when it ends.
 */
#ifndef SOCKET_THREAD_H
#define SOCKET_THREAD_H

#include "platform/chunk.h"
#include "stack/waiter.h"

/* NULL when no memory or descriptor is to be had. */
struct waiter *thread_waiter(void);

/* A chunk for the caller, or NULL: the pool is empty. */
struct chunk *thread_chunk(struct chunk_pool *pool);

/* While stopping, when no thread is inside a call: all threads' chunks go home. */
void threads_flush(void);

/* In a child: the waiter and the chunks are the parent's. */
void threads_forked(void);

#endif
