/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send_queue: bytes on their way from the application to TCP or UDP.
 *
 * A list of chunks. The application copies into the last one and publishes with one store
 * (chunk->committed); the stack hands what is published to lwIP by reference (`queued`) and gives a
 * chunk back when all of it is acknowledged and the application has moved on to the next
 * (`chunk->next` is set: the chunk is sealed, at `chunk->end`). What lwIP copies (short writes) holds its chunk only
 * until then, unless bytes that it refers to are still out: a peer that acknowledges late does not
 * hold a chunk for each of many small answers. UDP puts records (struct send_record, then payload)
 * into the same stream; a record is "acknowledged" when it was sent.
 *
 * Room that is reserved (send_queue_reserve) lies behind what is committed in the last chunk, which it
 * holds by a reference of its own. Who writes meanwhile seals the chunk and goes on in another one;
 * the commit then finds that its place is taken and is copied there. So neither waits for the other.
 *
 * Owners: `writer` and the first group belong to the application thread that holds the lock; the
 * second group to the stack; `head` passes from the application to the stack when the list was empty.
 * The last chunk of an idle socket stays with it until the pool runs low; then the stack takes it
 * back, if it gets the writer's lock without waiting.
 */
#ifndef SOCKET_SEND_H
#define SOCKET_SEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "base/lock.h"
#include "control/endpoint.h"
#include "platform/chunk.h"
#include "stats/histogram.h"

struct send_queue {
    /* ---- application, under `writer` ---- */
    struct lock writer;
    _Atomic uint32_t limit; /* SO_SNDBUF: bytes between written and released */
    _Atomic uint32_t not_sent_limit; /* TCP_NOTSENT_LOWAT; 0: none */
    struct chunk *tail;
    _Atomic uint64_t written; /* bytes published so far */
    _Atomic bool wants_room;  /* a writer met a full queue: tell it when there is room */
    _Atomic bool starved;     /* a writer met an empty pool of chunks: not writable meanwhile */
    struct chunk *reserved;   /* holds reserved room, NULL: none */
    uint32_t reserved_at, reserved_bytes;

    uint32_t writes;
    _Atomic uint32_t unmeasured; /* a write whose number has one of these bits is not measured; the stack's */
    _Atomic uint64_t urgent; /* with SOCKET_URGENT: position behind the urgent byte, as `written` counts */

    /* ---- handed over ---- */
    /* MSG_MORE: from this byte of the stream on a partial segment is held back. Set before such bytes are
     * published, or the stack might see them without it. SEND_HOLDS_NOTHING: no such bytes came last. */
    _Atomic uint64_t hold_from;
    _Atomic uint64_t marked; /* the measured write begins before this byte of the stream; 0: none */
    uint64_t marked_ns;      /* when it was written; the application's while `marked` is 0 */
    bool marked_for_stack;   /* the same: one of those that the stack counts */
    _Atomic(struct chunk *) head; /* first chunk of the list; set by the application when NULL */

    /* ---- stack ---- */
    _Alignas(CACHE_LINE) struct chunk *cursor; /* chunk being handed to lwIP */
    uint64_t queued;                           /* bytes handed to lwIP so far */
    uint64_t copied; /* of these not yet acknowledged, but copied by lwIP: they need no chunk */
    struct histogram *chosen; /* the socket's own (latency.h); NULL: none */
    _Atomic uint64_t released;                 /* bytes acknowledged (UDP: sent) so far */
    _Atomic uint64_t sent; /* bytes that have left TCP; only kept up with not_sent_limit, may lie before `released` */
};

/* Before each datagram in the stream; aligned to 8 bytes, payload follows directly. */
struct send_record {
    uint32_t payload_bytes;
    bool chooses;       /* the payload begins with a struct send_choice */
    struct endpoint to; /* family 0: the connected peer */
};

/* What control messages chose for one datagram. */
struct send_choice {
    struct endpoint source;  /* family 0: as the socket has it */
    uint32_t interface;      /* 0: as the routes say */
    int16_t ttl, tos;        /* -1: the socket's */
    int8_t dont_fragment;    /* the same */
    uint8_t unused[7];
};
_Static_assert(sizeof(struct send_choice) % 8 == 0, "payload behind it stays aligned");

#define SEND_HOLDS_NOTHING UINT64_MAX

/* Application, under writer, before bytes with MSG_MORE are written. */
static inline void send_queue_hold(struct send_queue *q)
{
    if (atomic_load_explicit(&q->hold_from, memory_order_relaxed) == SEND_HOLDS_NOTHING)
        atomic_store_explicit(&q->hold_from, atomic_load_explicit(&q->written, memory_order_relaxed),
                              memory_order_release);
}

static inline bool send_queue_holds(const struct send_queue *q)
{
    return atomic_load_explicit(&q->hold_from, memory_order_acquire) != SEND_HOLDS_NOTHING;
}

/* Application, under writer, after bytes without MSG_MORE were written; stack: what came is enough. */
static inline void send_queue_let_go(struct send_queue *q)
{
    if (UNLIKELY(send_queue_holds(q)))
        atomic_store_explicit(&q->hold_from, SEND_HOLDS_NOTHING, memory_order_release);
}

/* Stack: `sent` bytes of the stream are the device's. Counts the marked write if it is among them. */
void send_queue_measured(struct send_queue *q, struct histogram *latency);

static inline void send_queue_measure(struct send_queue *q, uint64_t sent, struct histogram *latency)
{
    uint64_t marked = atomic_load_explicit(&q->marked, memory_order_acquire);

    if (UNLIKELY(marked != 0 && sent >= marked))
        send_queue_measured(q, latency);
}

void send_queue_init(struct send_queue *q, uint32_t limit);

/* Stack: from now on all writes are measured, for this histogram too; NULL: as before. */
void send_queue_choose(struct send_queue *q, struct histogram *chosen);

/* Bytes in the queue: not yet acknowledged (SIOCOUTQ). Any thread. */
static inline uint64_t send_queue_bytes(const struct send_queue *q)
{
    uint64_t released = atomic_load_explicit(&q->released, memory_order_acquire);

    return atomic_load_explicit(&q->written, memory_order_relaxed) - released;
}

/* Bytes that have not left TCP for the first time. With a not_sent_limit. */
static inline uint64_t send_queue_not_sent(const struct send_queue *q)
{
    uint64_t released = atomic_load_explicit(&q->released, memory_order_acquire);
    uint64_t sent = atomic_load_explicit(&q->sent, memory_order_acquire);

    return atomic_load_explicit(&q->written, memory_order_relaxed) - (sent > released ? sent : released);
}

static inline uint32_t send_queue_buffer_room(const struct send_queue *q)
{
    uint64_t used = send_queue_bytes(q);
    uint32_t limit = atomic_load_explicit(&q->limit, memory_order_relaxed);

    return used < limit ? (uint32_t)(limit - used) : 0;
}

/* TCP_NOTSENT_LOWAT: below the mark a call may still write a packet's worth, as the kernel's. */
#define SEND_BELOW_MARK_BYTES 65536u

static inline uint32_t send_queue_room(const struct send_queue *q)
{
    uint32_t room = send_queue_buffer_room(q), mark = atomic_load_explicit(&q->not_sent_limit, memory_order_relaxed);

    if (UNLIKELY(mark > 0)) {
        uint64_t not_sent = send_queue_not_sent(q);

        if (not_sent >= mark)
            return 0;
        room = min_u32(room, max_u32(mark - (uint32_t)not_sent, SEND_BELOW_MARK_BYTES));
    }
    return room;
}

/* As the kernel's sk_stream_is_writeable(): at least a third of the buffer is free, and no more than half of
 * what TCP_NOTSENT_LOWAT allows waits to be sent. */
static inline bool send_queue_is_writable(const struct send_queue *q)
{
    uint32_t mark = atomic_load_explicit(&q->not_sent_limit, memory_order_relaxed);

    return send_queue_buffer_room(q) >= atomic_load_explicit(&q->limit, memory_order_relaxed) / 3 &&
           !atomic_load_explicit(&q->starved, memory_order_relaxed) &&
           (LIKELY(mark == 0) || send_queue_not_sent(q) * 2 < mark);
}

/*
 * Application, under writer: copies up to `bytes` from the iovec (beginning at byte `skip` of it)
 * and publishes them. Returns the bytes taken (0: no room, or no chunk to be had).
 */
size_t send_queue_write(struct send_queue *q, struct chunk_pool *pool, const struct iovec *iov,
                        int iov_count, size_t skip, size_t bytes);

/*
 * Application, under writer: one byte more, which is urgent. `mark` is called when it is sure to be
 * written and before it is published: who sends it knows. 1, or 0: no chunk to be had.
 */
size_t send_queue_write_urgent(struct send_queue *q, struct chunk_pool *pool, uint8_t byte,
                               void (*mark)(struct send_queue *q));

/*
 * Application, under writer: one datagram, all or nothing. False: no room or no memory.
 * A record that is larger than the whole limit is taken when the queue is empty.
 */
bool send_queue_write_record(struct send_queue *q, struct chunk_pool *pool,
                             const struct send_record *record, const struct iovec *iov,
                             int iov_count);

/* The largest piece that can be reserved at once. */
#define SEND_RESERVE_MAX CHUNK_DATA_BYTES

/*
 * Application, under writer: lends room for `bytes` (at most SEND_RESERVE_MAX) in one piece. The
 * room of an earlier reservation is given up. NULL: no chunk to be had. The limit is the caller's
 * business.
 */
uint8_t *send_queue_reserve(struct send_queue *q, struct chunk_pool *pool, uint32_t bytes);
/*
 * Application, under writer: publishes the first `bytes` of what was reserved, and gives the rest
 * up. False: another writer came between and there is no memory to copy to; the reservation stays.
 */
bool send_queue_commit(struct send_queue *q, struct chunk_pool *pool, uint32_t bytes);
/* Application, under writer, or when no writer can come any more: gives the reservation up. */
void send_queue_unreserve(struct send_queue *q);

/* Stack: what lies ready at the cursor, contiguous; NULL when nothing is left. */
const uint8_t *send_queue_peek(struct send_queue *q, uint32_t *bytes);
/* Stack: the next `bytes` of it are lwIP's now; `copied`: it does not look at the chunk again. */
void send_queue_advance(struct send_queue *q, uint32_t bytes, bool copied);
/* Stack: `bytes` more are acknowledged; chunks that are through go home. */
void send_queue_release(struct send_queue *q, uint64_t bytes);
/* Stack: nothing in use and the pool is low: takes the idle last chunk back. */
void send_queue_trim(struct send_queue *q);
/*
 * Stack: the connection is gone. What was written goes home; a writer may still be at it, and learns
 * from the socket's state that nothing is sent any more.
 */
void send_queue_abandon(struct send_queue *q);
/* Stack, when the connection is gone and no writer can come any more: all chunks go home. */
void send_queue_discard(struct send_queue *q);

#endif
