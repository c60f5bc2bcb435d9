/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/recv.h"

#include <string.h>

#include "base/clock.h"
#include "lwip/pieces.h"

static struct arrival *arrival_of(struct mpsc_node *node)
{
    return node ? container_of(node, struct arrival, node) : NULL;
}

void recv_queue_init(struct recv_queue *q, uint32_t limit)
{
    memset(q, 0, sizeof(*q));
    mpsc_init(&q->arrived);
    mpsc_init(&q->done);
    atomic_store_explicit(&q->limit, limit, memory_order_relaxed);
    atomic_store_explicit(&q->measure_ns, RECV_MEASURE_NS, memory_order_relaxed);
}

void recv_queue_choose(struct recv_queue *q, struct histogram *chosen)
{
    atomic_store_explicit(&q->chosen, chosen, memory_order_release);
    atomic_store_explicit(&q->measure_ns, chosen ? 0 : RECV_MEASURE_NS, memory_order_relaxed);
}

static void set_first(struct recv_queue *q, struct arrival *a)
{
    /* Relaxed store: others only ask whether it is NULL (recv_queue_is_empty). */
    __atomic_store_n(&q->first, a, __ATOMIC_RELAXED);
    q->piece = a ? a->packet : NULL;
    q->piece_offset = 0;
    q->first_offset = 0;
}

/* Makes sure that `first` is set if anything has arrived. */
static bool take(struct recv_queue *q)
{
    if (q->first)
        return true;
    set_first(q, arrival_of(mpsc_take(&q->arrived)));
    return q->first != NULL;
}

/* Appends what has arrived since to the taken list: peeking looks past `first`. */
static struct arrival *take_after(struct recv_queue *q, struct arrival *a)
{
    if (a->node.next == NULL)
        a->node.next = mpsc_take(&q->arrived);
    return arrival_of(a->node.next);
}

/* The application has it now. */
static void measure(struct recv_queue *q, struct arrival *a)
{
    struct histogram *chosen;
    uint64_t waited_ns;

    a->waited_ns = 0;
    if (LIKELY(a->time_ns - q->measured_ns < atomic_load_explicit(&q->measure_ns, memory_order_relaxed)))
        return;
    waited_ns = clock_now_ns() - a->time_ns;
    chosen = atomic_load_explicit(&q->chosen, memory_order_acquire);
    if (chosen) /* the reader's own, no way back through the stack is needed */
        histogram_add(chosen, waited_ns);
    if (a->time_ns - q->measured_ns < RECV_MEASURE_NS)
        return;
    q->measured_ns = a->time_ns;
    a->waited_ns = (uint32_t)min_u64(waited_ns, UINT32_MAX) | 1;
}

void recv_queue_pop(struct recv_queue *q)
{
    struct arrival *a = q->first;
    struct arrival *next = arrival_of(a->node.next);
    uint64_t consumed = atomic_load_explicit(&q->consumed, memory_order_relaxed);

    atomic_store_explicit(&q->consumed, consumed + a->cost,
                          memory_order_relaxed);
    measure(q, a);
    set_first(q, next);
    mpsc_push(&q->done, &a->node);
    q->done_pending++;
}

struct position {
    const struct iovec *iov;
    int iov_count;
    size_t offset;
};

/* Copies into the iovec at its position and moves it on. The caller made sure that it fits. */
static void gather(struct position *to, const uint8_t *from, size_t bytes)
{
    while (bytes > 0) {
        size_t room = to->iov->iov_len - to->offset;
        size_t part = bytes < room ? bytes : room;

        if (part > 0)
            memcpy((uint8_t *)to->iov->iov_base + to->offset, from, part);
        from += part;
        bytes -= part;
        to->offset += part;
        if (to->offset == to->iov->iov_len && to->iov_count > 1) {
            to->iov++;
            to->iov_count--;
            to->offset = 0;
        }
    }
}

static void skip_to(struct position *to, size_t skip)
{
    while (to->iov_count > 1 && skip >= to->iov->iov_len) {
        skip -= to->iov->iov_len;
        to->iov++;
        to->iov_count--;
    }
    to->offset = skip;
}

static size_t peek_stream(struct recv_queue *q, struct position *to, size_t behind, size_t bytes)
{
    struct arrival *a = q->first;
    const struct pbuf *piece = q->piece;
    uint32_t offset = q->piece_offset;
    size_t done = 0;

    while (done < bytes) {
        if (piece == NULL) {
            a = take_after(q, a);
            if (a == NULL)
                break;
            piece = a->packet;
            offset = 0;
            continue;
        }
        size_t part = piece_bytes(piece) - offset, over = min_size(behind, part);

        q->read_ns = a->time_ns;
        behind -= over;
        part = min_size(part - over, bytes - done);
        if (to->iov)
            gather(to, piece_data(piece) + offset + over, part);
        done += part;
        piece = piece_next(piece);
        offset = 0;
    }
    return done;
}

size_t recv_queue_read(struct recv_queue *q, const struct iovec *iov, int iov_count, size_t skip,
                       size_t bytes, bool peek)
{
    struct position to = { .iov = iov, .iov_count = iov_count };
    size_t done = 0;

    if (iov)
        skip_to(&to, skip);
    if (!take(q))
        return 0;
    if (peek)
        return peek_stream(q, &to, 0, bytes);
    while (done < bytes && take(q)) {
        size_t part = piece_bytes(q->piece) - q->piece_offset;

        q->read_ns = q->first->time_ns;
        if (part > bytes - done)
            part = bytes - done;
        if (iov)
            gather(&to, piece_data(q->piece) + q->piece_offset, part);
        done += part;
        q->piece_offset += part;
        q->first_offset += part;
        if (q->piece_offset == piece_bytes(q->piece)) {
            q->piece = piece_next(q->piece);
            q->piece_offset = 0;
        }
        if (q->first_offset == q->first->bytes) {
            struct arrival *through = q->first;

            measure(q, through);
            set_first(q, arrival_of(through->node.next));
            mpsc_push(&q->done, &through->node);
            q->done_pending++;
        }
    }
    atomic_store_explicit(&q->consumed,
                          atomic_load_explicit(&q->consumed, memory_order_relaxed) + done,
                          memory_order_relaxed);
    return done;
}

size_t recv_queue_peek_behind(struct recv_queue *q, const struct iovec *iov, int iov_count, size_t behind,
                              size_t bytes)
{
    struct position to = { .iov = iov, .iov_count = iov_count };

    return take(q) ? peek_stream(q, &to, behind, bytes) : 0;
}

struct arrival *recv_queue_datagram(struct recv_queue *q)
{
    take(q);
    return q->first;
}

struct arrival *recv_queue_next(struct recv_queue *q, const struct pbuf **piece, uint32_t *offset)
{
    take(q);
    *piece = q->piece;
    *offset = q->piece_offset;
    return q->first;
}

void recv_queue_lend(struct recv_queue *q)
{
    struct arrival *a = q->first;

    /* Of a stream, what was read of it before is consumed already. */
    a->cost -= q->first_offset;
    measure(q, a);
    atomic_store_explicit(&q->lent, atomic_load_explicit(&q->lent, memory_order_relaxed) + a->cost,
                          memory_order_relaxed);
    set_first(q, arrival_of(a->node.next));
}

size_t arrival_copy(const struct arrival *a, const struct iovec *iov, int iov_count)
{
    struct position to = { .iov = iov, .iov_count = iov_count };
    size_t room = 0, done = 0;

    for (int i = 0; i < iov_count; i++)
        room += iov[i].iov_len;
    for (const struct pbuf *piece = a->packet; piece && done < room; piece = piece_next(piece)) {
        size_t part = piece_bytes(piece);

        if (part > room - done)
            part = room - done;
        gather(&to, piece_data(piece), part);
        done += part;
    }
    return done;
}

void arrival_count_wait(struct arrival *a, struct histogram *waits)
{
    if (LIKELY(a->waited_ns == 0))
        return;
    histogram_add(waits, a->waited_ns);
    a->waited_ns = 0; /* another stack, whose memory it is, would count it again */
}

static void free_all(struct mpsc_node *node, void (*free_arrival)(struct arrival *))
{
    while (node) {
        struct mpsc_node *next = node->next;

        free_arrival(arrival_of(node));
        node = next;
    }
}

void recv_queue_reap(struct recv_queue *q, struct histogram *waits, void (*free_arrival)(struct arrival *))
{
    struct mpsc_node *node = mpsc_take(&q->done);

    while (node) {
        struct mpsc_node *next = node->next;
        struct arrival *a = arrival_of(node);

        arrival_count_wait(a, waits);
        free_arrival(a);
        node = next;
    }
}

void recv_queue_discard(struct recv_queue *q, void (*free_arrival)(struct arrival *))
{
    free_all(mpsc_take(&q->done), free_arrival);
    if (q->first)
        free_all(&q->first->node, free_arrival);
    free_all(mpsc_take(&q->arrived), free_arrival);
    set_first(q, NULL);
}
