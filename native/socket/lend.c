/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/lend.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "lwip/pieces.h"
#include "platform/arena.h"
#include "socket/thread.h"
#include "socket/wait.h"

#define LOANS_FIRST 64u
/* A lender's number and the loan's in one word: 2^46 loans are enough for a year at 2 million a second. */
#define LENDER_BITS 18
#define LENDERS_MAX (1u << LENDER_BITS)
#define OVERDUE_NS 1000000000u
#define WARN_EVERY_MS 10000

struct loan {
    struct arrival *arrival; /* NULL: only copies */
    struct chunk *copies;    /* by chunk.next */
    uint64_t time_ns;
    uint32_t cost;
    uint32_t pieces; /* not returned yet; 0: over */
};

struct lender {
    struct lock lock;
    struct socket *sock; /* NULL: it has closed */
    struct stack *stack; /* the socket's home */
    uint8_t type, family; /* the socket's */
    uint32_t index;      /* in the table */
    uint32_t size;       /* of `loans`, a power of two */
    struct loan *loans;  /* from head to tail, by number */
    uint64_t head, tail;
    const void *place;   /* who borrowed last; NULL: warns by itself */
    struct lender *next_spare;
};

static struct {
    struct lock lock;
    struct lender *spare;
    uint32_t count;
    struct lender *_Atomic entry[LENDERS_MAX];
} table;

static struct lender *lender_new(void)
{
    struct lender *l;

    lock_take(&table.lock);
    l = table.spare;
    if (l) {
        table.spare = l->next_spare;
    } else if (table.count < LENDERS_MAX && (l = calloc(1, sizeof(*l))) != NULL) {
        l->index = table.count++;
        l->head = l->tail = 1; /* no loan is named 0 */
        atomic_store_explicit(&table.entry[l->index], l, memory_order_release);
    }
    lock_give(&table.lock);
    return l;
}

/* Under l->lock: nobody needs it any more. */
static void lender_spare(struct lender *l)
{
    lock_take(&table.lock);
    l->next_spare = table.spare;
    table.spare = l;
    lock_give(&table.lock);
}

/* The socket's lender, locked; NULL: no memory. */
static struct lender *lender_of(struct socket *sock)
{
    for (;;) {
        struct lender *l = atomic_load_explicit(&sock->lender, memory_order_acquire);

        if (UNLIKELY(l == NULL)) {
            lock_take(&sock->lock);
            l = atomic_load_explicit(&sock->lender, memory_order_relaxed);
            if (l == NULL && (l = lender_new()) != NULL) {
                l->sock = sock;
                l->stack = socket_stack(sock);
                l->type = sock->type;
                l->family = sock->family;
                atomic_store_explicit(&sock->lender, l, memory_order_release);
            }
            lock_give(&sock->lock);
            if (l == NULL)
                return NULL;
        }
        lock_take(&l->lock);
        if (LIKELY(l->sock == sock))
            return l;
        lock_give(&l->lock); /* the socket was disconnected meanwhile, and has a new one */
    }
}

static struct loan *loan_at(const struct lender *l, uint64_t number)
{
    return &l->loans[number & (l->size - 1)];
}

static bool lender_has_room(struct lender *l)
{
    uint32_t size = l->size ? l->size * 2 : LOANS_FIRST;
    struct loan *larger;

    if (LIKELY(l->tail - l->head < l->size))
        return true;
    larger = calloc(size, sizeof(*larger));
    if (larger == NULL)
        return false;
    for (uint64_t i = l->head; i != l->tail; i++)
        larger[i & (size - 1)] = *loan_at(l, i);
    free(l->loans);
    l->loans = larger;
    l->size = size;
    return true;
}

/* ---- lending ---------------------------------------------------------------------------------- */

static void put_segment(const struct lender *l, struct lend_segment *out, const uint8_t *data,
                        uint32_t bytes, uint64_t time_ns)
{
    *out = (struct lend_segment){ .data = data, .bytes = bytes, .flags = LEND_MORE, .time_ns = time_ns,
                                  .loan = l->tail << LENDER_BITS | l->index };
}

/* How many segments; UINT32_MAX: it cannot be lent as it lies. */
static uint32_t count_pieces(const struct pbuf *piece, uint32_t offset, bool arena_only)
{
    uint32_t count = 0;

    for (; piece; piece = piece_next(piece), offset = 0) {
        if (arena_only && !arena_has(piece_data(piece), piece_bytes(piece)))
            return UINT32_MAX;
        count += piece_bytes(piece) > offset;
    }
    return count ? count : 1; /* an empty datagram */
}

static uint32_t lend_as_it_lies(const struct lender *l, const struct arrival *a, const struct pbuf *piece,
                                uint32_t offset, struct lend_segment *out)
{
    uint32_t count = 0;

    for (; piece; piece = piece_next(piece), offset = 0)
        if (piece_bytes(piece) > offset)
            put_segment(l, &out[count++], piece_data(piece) + offset, piece_bytes(piece) - offset,
                        a->time_ns);
    if (count == 0)
        put_segment(l, &out[count++], piece_data(a->packet), 0, a->time_ns);
    return count;
}

static void free_copies(struct chunk *copies)
{
    while (copies) {
        struct chunk *next = copies->next;

        chunk_put(copies);
        copies = next;
    }
}

/*
 * Copied to send chunks, the one memory of the arena that can be had in any thread: packets that were
 * set aside while the pool was low, and chains of more pieces than are asked for. 0: no chunks.
 */
static uint32_t lend_copies(const struct lender *l, const struct arrival *a, const struct pbuf *piece,
                            uint32_t offset, struct lend_segment *out, struct chunk **copies)
{
    struct chunk *first = NULL, *last = NULL;
    uint32_t count = 0, at = CHUNK_DATA_BYTES;

    do {
        uint32_t left = piece ? piece_bytes(piece) - offset : 0;
        const uint8_t *from = piece ? piece_data(piece) + offset : NULL;

        while (left > 0 || count == 0) {
            uint32_t part;

            if (at == CHUNK_DATA_BYTES) {
                struct chunk *more = thread_chunk(l->stack->chunks);

                if (more == NULL) {
                    free_copies(first);
                    return 0;
                }
                if (last)
                    last->next = more;
                else
                    first = more;
                last = more;
                at = 0;
                put_segment(l, &out[count++], more->data, 0, a->time_ns);
            }
            part = min_u32(CHUNK_DATA_BYTES - at, left);
            memcpy(last->data + at, from ? from : last->data, part);
            out[count - 1].bytes += part;
            from += part;
            at += part;
            left -= part;
        }
        piece = piece ? piece_next(piece) : NULL;
        offset = 0;
    } while (piece);
    *copies = first;
    return count;
}

static void arrival_home(const struct lender *l, struct arrival *a)
{
    mpsc_push(l->type == SOCK_STREAM ? &l->stack->returns : &a->origin->returns, &a->node);
}

/* Under both locks: the next arrival, if it fits into `room` segments: how many it took; -ENOBUFS. */
static int lend_next(struct lender *l, struct recv_queue *rx, struct lend_segment *out, uint32_t room,
                          bool arena_only)
{
    const struct pbuf *piece;
    uint32_t offset, count;
    struct arrival *a = recv_queue_next(rx, &piece, &offset);
    struct loan *loan;

    if (a == NULL)
        return 0;
    if (!lender_has_room(l))
        return -ENOBUFS;
    loan = loan_at(l, l->tail);
    *loan = (struct loan){ .time_ns = a->time_ns };
    count = count_pieces(piece, offset, arena_only);
    if (LIKELY(count <= room))
        lend_as_it_lies(l, a, piece, offset, out);
    else if (count <= LEND_SEGMENTS_MIN || room < LEND_SEGMENTS_MIN)
        return 0; /* it fits the next call */
    else if ((count = lend_copies(l, a, piece, offset, out, &loan->copies)) == 0)
        return -ENOBUFS;
    if (l->type == SOCK_DGRAM)
        out[count - 1].flags = 0;
    else
        for (uint32_t i = 0; i < count; i++)
            out[i].flags = 0;
    recv_queue_lend(rx);
    loan->cost = a->cost;
    loan->pieces = count;
    loan->arrival = a;
    l->tail++;
    return (int)count;
}

static ssize_t lend_some(struct socket *sock, struct lend_segment *out, size_t max, int flags,
                         const void *place)
{
    struct lender *l = lender_of(sock);
    size_t done = 0;
    int count;

    if (l == NULL)
        return -ENOBUFS;
    l->place = flags & LEND_QUIET ? NULL : place;
    lock_take(&sock->rx.reader);
    while (done < max && (count = lend_next(l, &sock->rx, out + done, (uint32_t)(max - done),
                                            (flags & LEND_ARENA) != 0)) > 0)
        done += (size_t)count;
    lock_give(&sock->rx.reader);
    lock_give(&l->lock);
    return done == 0 ? count : (ssize_t)done;
}

ssize_t lend_receive(struct socket *sock, struct lend_segment *segments, size_t max, int flags,
                     const void *place)
{
    struct patience patience = { .block = !(flags & MSG_DONTWAIT) && !file_nonblock(&sock->file) };
    const struct socket_ops *ops = socket_ops(sock);
    ssize_t result;

    if (max < LEND_SEGMENTS_MIN || (flags & ~(MSG_DONTWAIT | LEND_ARENA | LEND_QUIET)))
        return -EINVAL;
    if (segments == NULL)
        return -EFAULT;
    if (ops->recv_nothing == NULL)
        return -EOPNOTSUPP; /* a listener */
    for (;;) {
        bool over = ops->recv_is_over(sock); /* before the look at the queue: it comes after all data */

        result = socket_stack(sock) ? lend_some(sock, segments, max, flags, place) : 0;
        if (result != 0)
            return result;
        if (over)
            return ops->recv_nothing(sock);
        result = socket_look_again(sock, &patience, EPOLLIN | EPOLLRDHUP, UINT64_MAX,
                                   sock->options.receive_timeout_us);
        if (result < 0)
            return result;
    }
}

/* ---- returning -------------------------------------------------------------------------------- */

/* Under l->lock: the loan is over; what it counted. */
static uint32_t loan_over(const struct lender *l, struct loan *loan)
{
    if (UNLIKELY(loan->copies != NULL))
        free_copies(loan->copies);
    arrival_home(l, loan->arrival);
    loan->arrival = NULL;
    return loan->cost;
}

/* Under l->lock: how many of the segments, from the first on, were this lender's. */
static size_t return_run(struct lender *l, const struct lend_segment *segments, size_t count, int *result,
                         uint64_t *cost, uint32_t *loans)
{
    size_t i;

    for (i = 0; i < count && (segments[i].loan & (LENDERS_MAX - 1)) == l->index; i++) {
        /* The number was cut off at the top, as head is here. */
        uint64_t past = (segments[i].loan >> LENDER_BITS) - (l->head << LENDER_BITS >> LENDER_BITS);
        struct loan *loan = loan_at(l, l->head + past);

        if (UNLIKELY(past >= l->tail - l->head || loan->pieces == 0)) {
            *result = -EINVAL;
            continue;
        }
        if (--loan->pieces > 0)
            continue;
        *cost += loan_over(l, loan);
        (*loans)++;
        while (l->head != l->tail && loan_at(l, l->head)->pieces == 0)
            l->head++;
    }
    return i;
}

int lend_return(const struct lend_segment *segments, size_t count)
{
    int result = 0;

    if (segments == NULL && count > 0)
        return -EFAULT;
    while (count > 0) {
        struct lender *l = atomic_load_explicit(&table.entry[segments->loan & (LENDERS_MAX - 1)],
                                                memory_order_acquire);
        struct socket *sock;
        uint64_t cost = 0;
        uint32_t loans = 0;
        size_t run;

        if (UNLIKELY(l == NULL)) {
            result = -EINVAL;
            segments++;
            count--;
            continue;
        }
        lock_take(&l->lock);
        run = return_run(l, segments, count, &result, &cost, &loans);
        sock = l->sock;
        if (sock && loans > 0) {
            struct recv_queue *rx = &sock->rx;

            file_hold(&sock->file); /* it may close as soon as the lock is given back */
            lock_take(&rx->reader);
            atomic_store_explicit(&rx->lent, atomic_load_explicit(&rx->lent, memory_order_relaxed) - cost,
                                  memory_order_relaxed);
            atomic_store_explicit(&rx->consumed,
                                  atomic_load_explicit(&rx->consumed, memory_order_relaxed) + cost,
                                  memory_order_relaxed);
            rx->done_pending += loans;
            lock_give(&rx->reader);
        } else if (loans > 0 && l->head == l->tail) {
            lender_spare(l);
        }
        lock_give(&l->lock);
        if (sock && loans > 0) {
            socket_ops(sock)->give_back(sock);
            file_put(&sock->file);
        }
        segments += run;
        count -= run;
    }
    return result;
}

int lend_names(const struct lend_segment *segment, struct endpoint *from, struct endpoint *to, int *family)
{
    struct lender *l = atomic_load_explicit(&table.entry[segment->loan & (LENDERS_MAX - 1)],
                                            memory_order_acquire);
    int result = -EINVAL;
    uint64_t past;

    if (l == NULL)
        return result;
    lock_take(&l->lock);
    past = (segment->loan >> LENDER_BITS) - (l->head << LENDER_BITS >> LENDER_BITS);
    if (past < l->tail - l->head && l->type == SOCK_DGRAM) {
        const struct loan *loan = loan_at(l, l->head + past);

        if (loan->pieces > 0) {
            *from = loan->arrival->from;
            *to = loan->arrival->to;
            *family = l->family;
            result = 0;
        }
    }
    lock_give(&l->lock);
    return result;
}

void lend_detach(struct socket *sock)
{
    struct lender *l = atomic_load_explicit(&sock->lender, memory_order_acquire);
    struct recv_queue *rx = &sock->rx;

    if (l == NULL)
        return;
    lock_take(&l->lock);
    lock_take(&rx->reader);
    atomic_store(&rx->consumed, atomic_load(&rx->consumed) + atomic_load(&rx->lent));
    atomic_store(&rx->lent, 0);
    lock_give(&rx->reader);
    l->sock = NULL;
    atomic_store_explicit(&sock->lender, NULL, memory_order_release);
    if (l->head == l->tail)
        lender_spare(l);
    lock_give(&l->lock);
}

void lend_stop(void)
{
    lock_take(&table.lock);
    for (uint32_t i = 0; i < table.count; i++) {
        struct lender *l = atomic_load(&table.entry[i]);

        lock_take(&l->lock);
        for (; l->head != l->tail; l->head++) {
            struct loan *loan = loan_at(l, l->head);

            if (loan->pieces > 0)
                loan_over(l, loan);
            loan->pieces = 0;
        }
        lock_give(&l->lock);
    }
    lock_give(&table.lock);
}

/* ---- the borrower that forgets ----------------------------------------------------------------- */

void lend_look(struct socket *sock)
{
    struct lender *l = atomic_load_explicit(&sock->lender, memory_order_acquire);
    uint64_t limit = atomic_load_explicit(&sock->rx.limit, memory_order_relaxed);
    uint64_t lent = atomic_load_explicit(&sock->rx.lent, memory_order_relaxed);
    uint64_t now = clock_now_ns(), since;
    Dl_info where;

    if (l == NULL || lent < limit / 2 || !lock_try(&l->lock))
        return;
    if (l->sock == sock && l->place && l->head != l->tail) {
        since = loan_at(l, l->head)->time_ns;
        if (now > since + OVERDUE_NS) {
            if (dladdr(l->place, &where) == 0)
                where = (Dl_info){ .dli_fname = "?" };
            log_warn_limited(WARN_EVERY_MS,
                             "descriptor %d: %llu bytes in %llu loans are not returned, the oldest for %.1f s, "
                             "and the peer has to wait (TCP) or is not heard (UDP). They were borrowed by %s "
                             "(%s+0x%lx): ph_return() what was read",
                             atomic_load(&sock->file.fd), (unsigned long long)lent,
                             (unsigned long long)(l->tail - l->head), (double)(now - since) / 1e9,
                             where.dli_sname ? where.dli_sname : "code without a name", where.dli_fname,
                             (unsigned long)((const char *)l->place - (const char *)where.dli_fbase));
        }
    }
    lock_give(&l->lock);
}
