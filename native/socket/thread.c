/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/list.h"
#include "base/lock.h"

struct thread {
    struct waiter waiter;
    bool has_bell;
    struct chunk_pool *pool; /* of the stack it sent through last */
    struct chunk_cache chunks;
    struct list link; /* threads.all or threads.spare, under threads.lock */
};

static struct {
    struct lock lock;
    struct list all;
    struct list spare; /* of threads that ended: a late signal may still reach their waiters */
    pthread_key_t key;
    pthread_once_t once;
} threads = { .once = PTHREAD_ONCE_INIT };

static __thread struct thread *self;

static void flush(struct thread *t)
{
    if (t->pool)
        chunk_cache_flush(t->pool, &t->chunks);
    t->pool = NULL;
}

static void end(void *thread)
{
    struct thread *t = thread;

    atomic_store(&t->waiter.gone, 1);
    /* Under the lock: the pools live as long as threads_flush() has not come by. */
    lock_take(&threads.lock);
    flush(t);
    list_remove(&t->link);
    list_push_back(&threads.spare, &t->link);
    lock_give(&threads.lock);
    self = NULL;
}

static void once(void)
{
    list_init(&threads.all);
    list_init(&threads.spare);
    pthread_key_create(&threads.key, end);
}

static struct thread *thread_self(void)
{
    struct thread *t = self;
    struct list *spare;

    if (LIKELY(t != NULL))
        return t;
    pthread_once(&threads.once, once);
    lock_take(&threads.lock);
    spare = list_pop_front(&threads.spare);
    t = spare ? container_of(spare, struct thread, link) : calloc(1, sizeof(*t));
    if (t) {
        atomic_store(&t->waiter.gone, 0);
        list_push_back(&threads.all, &t->link);
    }
    lock_give(&threads.lock);
    if (t)
        pthread_setspecific(threads.key, t);
    return self = t;
}

struct waiter *thread_waiter(void)
{
    struct thread *t = thread_self();

    if (t == NULL)
        return NULL;
    if (UNLIKELY(!t->has_bell)) {
        if (doorbell_open(&t->waiter.bell) < 0)
            return NULL;
        t->has_bell = true;
    }
    return &t->waiter;
}

struct chunk *thread_chunk(struct chunk_pool *pool)
{
    struct thread *t = thread_self();

    if (UNLIKELY(t == NULL))
        return NULL;
    if (UNLIKELY(t->pool != pool)) {
        flush(t);
        t->pool = pool;
    }
    return chunk_alloc(pool, &t->chunks);
}

void threads_flush(void)
{
    struct thread *t;

    pthread_once(&threads.once, once);
    lock_take(&threads.lock);
    LIST_EACH(t, &threads.all, link)
        flush(t);
    lock_give(&threads.lock);
}

void threads_forked(void)
{
    pthread_once(&threads.once, once);
    threads.lock = (struct lock){ 0 };
    list_init(&threads.all);
    list_init(&threads.spare);
    pthread_setspecific(threads.key, NULL);
    self = NULL;
}
