/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recv_queue: what lwIP delivered, on its way to the application.
 *
 * The stack wraps each delivered packet chain in an arrival and pushes it (`arrived`, lock-free);
 * the application, under `reader`, takes all that has arrived onto its own list, copies or lends
 * from there, and pushes what it is through with onto `done`; the stack frees those and credits the
 * peer's window with `consumed` in one coalesced call. An arrival has one owner at any time: stack,
 * `arrived`, reader, `done`, stack. One that is lent (lend.h) is the borrower's between reader and
 * stack; it goes on counting against the limit, as `lent`.
 */
#ifndef SOCKET_RECV_H
#define SOCKET_RECV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "base/lock.h"
#include "base/mpsc.h"
#include "control/endpoint.h"
#include "stats/histogram.h"

struct pbuf;
struct stack;

struct arrival {
    struct mpsc_node node;
    struct pbuf *packet; /* owned with the arrival */
    uint32_t bytes;      /* payload of the chain */
    uint32_t cost;       /* what it counts against SO_RCVBUF */
    uint32_t interface;  /* index of the interface it came in on */
    uint32_t waited_ns;  /* until it was read; 0: not measured */
    uint64_t time_ns;    /* clock_now_ns() of the turn that took it from its port */
    /* ---- datagrams only ---- */
    struct stack *origin; /* whose memory it is */
    struct endpoint from;
    struct endpoint to; /* its destination address (IP_PKTINFO) */
    uint8_t ttl, tos;   /* of its header: IP_RECVTTL, IP_RECVTOS and IPv6's likes */
    uint32_t drops;     /* SO_RXQ_OVFL: how many found no room so far; 0 if nobody asks */
};

struct recv_queue {
    /* ---- application, under `reader` ---- */
    struct lock reader;
    struct arrival *first;  /* taken, oldest; linked by node.next */
    struct pbuf *piece;     /* of `first`: where reading goes on */
    uint32_t piece_offset;
    uint32_t first_offset;  /* bytes of `first` already consumed */
    uint64_t measured_ns;   /* arrival.time_ns of the last one that was measured for the stack */
    _Atomic uint32_t measure_ns; /* what came so soon after it is not measured; set by the home stack */
    uint64_t read_ns;       /* arrival.time_ns of what was read last */
    uint32_t done_pending;  /* arrivals pushed to `done` since the stack was last kicked */
    _Atomic uint64_t consumed; /* of arrival.cost */
    _Atomic uint64_t lent;     /* of arrival.cost: taken off, not yet consumed */
    struct histogram *_Atomic chosen; /* the socket's own (latency.h); NULL: none */

    /* ---- both ---- */
    struct mpsc arrived;
    struct mpsc done;

    /* ---- stack (any of them for UDP) ---- */
    _Alignas(CACHE_LINE) _Atomic uint64_t received; /* of arrival.cost */
    _Atomic uint32_t limit;                         /* SO_RCVBUF */
    _Atomic uint64_t urgent;      /* of both sides: urgent.h; 0: there is no urgent byte */
    _Atomic uint64_t urgent_drop; /* this position + 1 is that of one that goes unread; 0: none */
    uint64_t credited; /* home stack: bytes of `consumed` already given to the peer's window */
};

/* Not more often: the clock costs more than the rest of a small read. */
#define RECV_MEASURE_NS 100000

void recv_queue_init(struct recv_queue *q, uint32_t limit);

/* Stack: takes the arrival. */
static inline void recv_queue_push(struct recv_queue *q, struct arrival *a)
{
    atomic_fetch_add_explicit(&q->received, a->cost, memory_order_relaxed);
    mpsc_push(&q->arrived, &a->node);
}

/* What counts against the limit: bytes that wait to be read and those that are lent. Any thread. */
static inline uint64_t recv_queue_held(const struct recv_queue *q)
{
    uint64_t consumed = atomic_load_explicit(&q->consumed, memory_order_relaxed);

    return atomic_load_explicit(&q->received, memory_order_acquire) - consumed;
}

/* Bytes that wait to be read. Any thread; exact under `reader`. */
static inline uint64_t recv_queue_bytes(const struct recv_queue *q)
{
    uint64_t lent = atomic_load_explicit(&q->lent, memory_order_relaxed);
    uint64_t held = recv_queue_held(q);

    return held > lent ? held - lent : 0;
}

/* Application: is anything there (a datagram may be empty)? */
static inline bool recv_queue_is_empty(const struct recv_queue *q)
{
    return __atomic_load_n(&q->first, __ATOMIC_RELAXED) == NULL && mpsc_is_empty(&q->arrived);
}

/*
 * Application, under `reader`: copies up to `bytes` of the stream into the iovec from byte `skip` of
 * it; with `peek` nothing is consumed. iov NULL: discards (MSG_TRUNC on TCP). Returns the bytes.
 */
size_t recv_queue_read(struct recv_queue *q, const struct iovec *iov, int iov_count, size_t skip,
                       size_t bytes, bool peek);

/* The same as peeking, from the stream's byte `behind` on; into the iovec from its beginning. */
size_t recv_queue_peek_behind(struct recv_queue *q, const struct iovec *iov, int iov_count, size_t behind,
                              size_t bytes);

/* Application, under `reader`: the next datagram, or NULL. It stays in the queue. */
struct arrival *recv_queue_datagram(struct recv_queue *q);
/* Copies its payload, as much as the iovec holds; returns the bytes copied. */
size_t arrival_copy(const struct arrival *a, const struct iovec *iov, int iov_count);
/* The datagram at the front is through. */
void recv_queue_pop(struct recv_queue *q);

/*
 * Application, under `reader`: what can be taken off next, NULL: nothing. `*piece` and `*offset` say
 * where reading goes on in it. recv_queue_lend() then takes it off: the caller's, counted as lent.
 */
struct arrival *recv_queue_next(struct recv_queue *q, const struct pbuf **piece, uint32_t *offset);
void recv_queue_lend(struct recv_queue *q);

/* Home stack: from now on all reads are measured, for this histogram too; NULL: as before. */
void recv_queue_choose(struct recv_queue *q, struct histogram *chosen);

/* Home stack: frees what the application is through with, and counts how long it had waited. */
void arrival_count_wait(struct arrival *a, struct histogram *waits);
void recv_queue_reap(struct recv_queue *q, struct histogram *waits, void (*free_arrival)(struct arrival *));
/* Stack, when no reader can come any more: frees everything. */
void recv_queue_discard(struct recv_queue *q, void (*free_arrival)(struct arrival *));

#endif
