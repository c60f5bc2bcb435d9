/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/send.h"

#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "socket/thread.h"

/* One write of so many: the clock costs more than the rest of a small one. */
#define MEASURE_EVERY 16u

void send_queue_init(struct send_queue *q, uint32_t limit)
{
    memset(q, 0, sizeof(*q));
    atomic_store_explicit(&q->limit, limit, memory_order_relaxed);
    atomic_store_explicit(&q->hold_from, SEND_HOLDS_NOTHING, memory_order_relaxed);
    atomic_store_explicit(&q->unmeasured, MEASURE_EVERY - 1, memory_order_relaxed);
}

void send_queue_choose(struct send_queue *q, struct histogram *chosen)
{
    q->chosen = chosen;
    atomic_store_explicit(&q->unmeasured, chosen ? 0 : MEASURE_EVERY - 1, memory_order_relaxed);
}

/* Room for so many bytes in the last chunk, or a new last chunk; NULL when the pool is empty. */
static struct chunk *writable_tail(struct send_queue *q, struct chunk_pool *pool, uint32_t bytes)
{
    struct chunk *tail = q->tail;
    struct chunk *fresh;

    if (tail && CHUNK_DATA_BYTES - atomic_load_explicit(&tail->committed, memory_order_relaxed) >= bytes &&
        LIKELY(q->reserved != tail))
        return tail;
    fresh = thread_chunk(pool);
    if (fresh == NULL)
        return NULL;
    /*
     * Release: whoever finds the chunk finds it initialised, and where the old one ends. The old tail
     * is the stack's from here.
     */
    if (tail) {
        tail->end = atomic_load_explicit(&tail->committed, memory_order_relaxed);
        __atomic_store_n(&tail->next, fresh, __ATOMIC_RELEASE);
    } else {
        atomic_store_explicit(&q->head, fresh, memory_order_release);
    }
    q->tail = fresh;
    return fresh;
}

/* Before the write is published, or it might be sent already. */
static void mark(struct send_queue *q)
{
    uint32_t number = q->writes++;

    if (LIKELY((number & atomic_load_explicit(&q->unmeasured, memory_order_relaxed)) != 0) ||
        atomic_load_explicit(&q->marked, memory_order_acquire) != 0)
        return;
    q->marked_ns = clock_now_ns();
    q->marked_for_stack = number % MEASURE_EVERY == 0;
    atomic_store_explicit(&q->marked, atomic_load_explicit(&q->written, memory_order_relaxed) + 1,
                          memory_order_release);
}

void send_queue_measured(struct send_queue *q, struct histogram *latency)
{
    uint64_t waited_ns = clock_now_ns() - q->marked_ns;

    if (q->marked_for_stack)
        histogram_add(latency, waited_ns);
    if (UNLIKELY(q->chosen != NULL))
        histogram_add(q->chosen, waited_ns);
    atomic_store_explicit(&q->marked, 0, memory_order_release);
}

static void publish(struct send_queue *q, struct chunk *chunk, uint32_t bytes)
{
    uint32_t committed = atomic_load_explicit(&chunk->committed, memory_order_relaxed);
    uint64_t written = atomic_load_explicit(&q->written, memory_order_relaxed);

    mark(q);
    /* `written` first: the stack must never see more released than written. */
    atomic_store_explicit(&q->written, written + bytes, memory_order_relaxed);
    atomic_store_explicit(&chunk->committed, committed + bytes, memory_order_release);
}

size_t send_queue_write(struct send_queue *q, struct chunk_pool *pool, const struct iovec *iov,
                        int iov_count, size_t skip, size_t bytes)
{
    size_t room = send_queue_room(q);
    size_t left = bytes < room ? bytes : room;
    size_t done = 0;

    for (int i = 0; i < iov_count && left > 0; i++) {
        const uint8_t *from = iov[i].iov_base;
        size_t from_bytes = iov[i].iov_len;

        if (skip >= from_bytes) {
            skip -= from_bytes;
            continue;
        }
        from += skip;
        from_bytes -= skip;
        skip = 0;
        if (from_bytes > left)
            from_bytes = left;
        while (from_bytes > 0) {
            struct chunk *tail = writable_tail(q, pool, 1);
            uint32_t at, part;

            if (tail == NULL)
                return done;
            at = atomic_load_explicit(&tail->committed, memory_order_relaxed);
            part = CHUNK_DATA_BYTES - at;
            if (part > from_bytes)
                part = (uint32_t)from_bytes;
            memcpy(tail->data + at, from, part);
            publish(q, tail, part);
            from += part;
            from_bytes -= part;
            left -= part;
            done += part;
        }
    }
    return done;
}

size_t send_queue_write_urgent(struct send_queue *q, struct chunk_pool *pool, uint8_t byte,
                               void (*mark)(struct send_queue *q))
{
    struct chunk *tail = writable_tail(q, pool, 1);

    if (tail == NULL)
        return 0;
    tail->data[atomic_load_explicit(&tail->committed, memory_order_relaxed)] = byte;
    atomic_store_explicit(&q->urgent, atomic_load_explicit(&q->written, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    mark(q);
    publish(q, tail, 1);
    return 1;
}

/* Copies into the (yet unpublished) chunk list; the caller made sure that there is room. */
struct scatter {
    struct chunk *chunk;
    uint32_t at;
};

static void scatter_copy(struct scatter *s, const void *from, size_t bytes)
{
    while (bytes > 0) {
        uint32_t part = CHUNK_DATA_BYTES - s->at;

        if (part == 0) {
            s->chunk = s->chunk->next;
            s->at = 0;
            continue;
        }
        if (part > bytes)
            part = (uint32_t)bytes;
        memcpy(s->chunk->data + s->at, from, part);
        s->at += part;
        from = (const uint8_t *)from + part;
        bytes -= part;
    }
}

bool send_queue_write_record(struct send_queue *q, struct chunk_pool *pool,
                             const struct send_record *record, const struct iovec *iov,
                             int iov_count)
{
    /* A record takes whole multiples of 8 bytes, so that the next header is aligned. */
    uint64_t need = sizeof(*record) + ((record->payload_bytes + 7u) & ~7u);
    uint64_t used = send_queue_bytes(q);
    struct chunk *tail, *first = NULL, *last = NULL;
    uint64_t room;
    struct scatter s;

    if (used > 0 && used + need > atomic_load_explicit(&q->limit, memory_order_relaxed))
        return false;
    tail = writable_tail(q, pool, 1);
    if (tail == NULL)
        return false;
    s.chunk = tail;
    s.at = atomic_load_explicit(&tail->committed, memory_order_relaxed);
    for (room = CHUNK_DATA_BYTES - s.at; room < need; room += CHUNK_DATA_BYTES) {
        struct chunk *more = thread_chunk(pool);

        if (more == NULL) {
            while (first) {
                more = first->next;
                chunk_put(first);
                first = more;
            }
            return false;
        }
        if (last)
            last->next = more;
        else
            first = more;
        last = more;
    }
    /* Only linked chunks are reached by the copy; the stack sees none of it before publish(). */
    if (first)
        __atomic_store_n(&tail->next, first, __ATOMIC_RELEASE);
    mark(q);
    scatter_copy(&s, record, sizeof(*record));
    for (int i = 0; i < iov_count; i++)
        scatter_copy(&s, iov[i].iov_base, iov[i].iov_len);
    atomic_store_explicit(&q->written,
                          atomic_load_explicit(&q->written, memory_order_relaxed) + need,
                          memory_order_relaxed);
    /* Publish from the last chunk to the first: a record becomes visible as a whole. */
    if (first) {
        uint32_t left = (uint32_t)(room - need); /* unused bytes of the last chunk */

        atomic_store_explicit(&last->committed, CHUNK_DATA_BYTES - left, memory_order_release);
        for (struct chunk *c = first; c != last; c = c->next)
            atomic_store_explicit(&c->committed, CHUNK_DATA_BYTES, memory_order_release);
        atomic_store_explicit(&tail->committed, CHUNK_DATA_BYTES, memory_order_release);
        q->tail = last;
    } else {
        uint32_t committed = atomic_load_explicit(&tail->committed, memory_order_relaxed);

        atomic_store_explicit(&tail->committed, committed + (uint32_t)need, memory_order_release);
    }
    return true;
}

void send_queue_unreserve(struct send_queue *q)
{
    struct chunk *held = q->reserved;

    q->reserved = NULL;
    if (held)
        chunk_put(held);
}

uint8_t *send_queue_reserve(struct send_queue *q, struct chunk_pool *pool, uint32_t bytes)
{
    struct chunk *tail;

    send_queue_unreserve(q);
    tail = writable_tail(q, pool, bytes);
    if (tail == NULL)
        return NULL;
    chunk_hold(tail);
    q->reserved = tail;
    q->reserved_at = atomic_load_explicit(&tail->committed, memory_order_relaxed);
    q->reserved_bytes = bytes;
    return tail->data + q->reserved_at;
}

bool send_queue_commit(struct send_queue *q, struct chunk_pool *pool, uint32_t bytes)
{
    const uint8_t *from = q->reserved->data + q->reserved_at;
    struct chunk *tail = q->tail;

    if (UNLIKELY(q->reserved != tail && bytes > 0)) {
        tail = writable_tail(q, pool, bytes);
        if (tail == NULL)
            return false;
        memcpy(tail->data + atomic_load_explicit(&tail->committed, memory_order_relaxed), from, bytes);
    }
    if (bytes > 0)
        publish(q, tail, bytes);
    send_queue_unreserve(q);
    return true;
}

const uint8_t *send_queue_peek(struct send_queue *q, uint32_t *bytes)
{
    struct chunk *c = q->cursor;

    if (c == NULL) {
        c = atomic_load_explicit(&q->head, memory_order_acquire);
        if (c == NULL)
            return NULL;
        q->cursor = c;
    }
    for (;;) {
        /* `next` first: once a chunk is sealed its `committed` is final. */
        struct chunk *next = __atomic_load_n(&c->next, __ATOMIC_ACQUIRE);
        uint32_t committed = atomic_load_explicit(&c->committed, memory_order_acquire);

        if (c->queued < committed) {
            *bytes = committed - c->queued;
            return c->data + c->queued;
        }
        if (next == NULL || committed < c->end)
            return NULL;
        q->cursor = c = next;
    }
}

/* The next `bytes`, in order, need their chunks no more. */
static void chunks_through(struct send_queue *q, uint64_t bytes)
{
    struct chunk *c = atomic_load_explicit(&q->head, memory_order_relaxed);

    while (c) {
        uint32_t part = c->queued - c->acked;
        struct chunk *next;

        if (part > bytes)
            part = (uint32_t)bytes;
        c->acked += part;
        bytes -= part;
        next = __atomic_load_n(&c->next, __ATOMIC_ACQUIRE);
        /* One that is not sealed yet stays until its writer has moved on; then its end is known. */
        if (next == NULL || c->acked < c->end)
            break;
        if (q->cursor == c)
            q->cursor = next;
        atomic_store_explicit(&q->head, next, memory_order_relaxed);
        chunk_put(c);
        c = next;
    }
    INVARIANT(bytes == 0);
}

void send_queue_advance(struct send_queue *q, uint32_t bytes, bool copied)
{
    /* Only if nothing before it is still referred to: chunks go home in order. */
    bool through = copied && q->queued - atomic_load_explicit(&q->released, memory_order_relaxed) == q->copied;

    q->cursor->queued += bytes;
    q->queued += bytes;
    INVARIANT(q->cursor->queued <=
              atomic_load_explicit(&q->cursor->committed, memory_order_relaxed));
    if (through) {
        q->copied += bytes;
        chunks_through(q, bytes);
    }
}

void send_queue_release(struct send_queue *q, uint64_t bytes)
{
    uint64_t released = atomic_load_explicit(&q->released, memory_order_relaxed) + bytes;
    uint64_t copied = bytes < q->copied ? bytes : q->copied; /* these come before all others */

    INVARIANT(released <= q->queued);
    q->copied -= copied;
    chunks_through(q, bytes - copied);
    atomic_store_explicit(&q->released, released, memory_order_release);
}

void send_queue_trim(struct send_queue *q)
{
    struct chunk *c = atomic_load_explicit(&q->head, memory_order_relaxed);

    if (c == NULL || !lock_try(&q->writer))
        return;
    if (c == q->tail && c->acked == atomic_load_explicit(&c->committed, memory_order_relaxed)) {
        q->tail = NULL;
        q->cursor = NULL;
        atomic_store_explicit(&q->head, NULL, memory_order_relaxed);
        chunk_put(c);
    }
    lock_give(&q->writer);
}

void send_queue_discard(struct send_queue *q)
{
    struct chunk *c = atomic_exchange(&q->head, NULL);

    q->cursor = NULL;
    q->tail = NULL;
    q->copied = 0;
    while (c) {
        struct chunk *next = c->next;

        chunk_put(c);
        c = next;
    }
    atomic_store_explicit(&q->marked, 0, memory_order_release); /* what never left is not measured */
    q->queued = atomic_load(&q->written); /* the socket may be connected anew: it goes on from here */
    atomic_store_explicit(&q->released, q->queued, memory_order_release);
}

void send_queue_abandon(struct send_queue *q)
{
    /* A writer at work marks the socket dirty when it is through: this is called again. */
    if (!lock_try(&q->writer))
        return;
    send_queue_discard(q);
    lock_give(&q->writer);
}
