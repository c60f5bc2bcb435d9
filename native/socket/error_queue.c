/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/error_queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "socket/control_message.h"
#include "socket/socket.h"

#define COUNT_MAX 128 /* the kernel counts them against the receive buffer */

struct error_queue {
    struct mpsc arrived;
    struct socket_error *first; /* under rx.reader: taken, oldest first */
    _Atomic uint32_t count;
};

int error_queue_open(struct socket *sock)
{
    struct error_queue *none = NULL, *q;

    if (atomic_load(&sock->errors))
        return 0;
    q = aligned_alloc(CACHE_LINE, sizeof(*q));
    if (q == NULL)
        return -ENOBUFS;
    mpsc_init(&q->arrived);
    q->first = NULL;
    atomic_init(&q->count, 0);
    if (!atomic_compare_exchange_strong(&sock->errors, &none, q))
        free(q);
    return 0;
}

bool error_queue_is_empty(const struct socket *sock)
{
    struct error_queue *q = atomic_load_explicit(&sock->errors, memory_order_acquire);

    return LIKELY(q == NULL) || atomic_load_explicit(&q->count, memory_order_acquire) == 0;
}

void error_queue_push(struct socket *sock, struct socket_error *record)
{
    struct error_queue *q = atomic_load_explicit(&sock->errors, memory_order_acquire);

    if (q == NULL || atomic_fetch_add(&q->count, 1) >= COUNT_MAX) {
        if (q)
            atomic_fetch_sub(&q->count, 1);
        free(record);
        return;
    }
    mpsc_push(&q->arrived, &record->node);
}

static struct socket_error *record_of(struct mpsc_node *node)
{
    return node ? container_of(node, struct socket_error, node) : NULL;
}

/* Under rx.reader: takes the oldest off. */
static struct socket_error *pop(struct error_queue *q)
{
    struct socket_error *record = q->first;

    if (record == NULL)
        record = record_of(mpsc_take(&q->arrived));
    if (record == NULL)
        return NULL;
    q->first = record->node.next ? record_of(record->node.next) : record_of(mpsc_take(&q->arrived));
    atomic_fetch_sub(&q->count, 1);
    return record;
}

static size_t copy_out(const struct socket_error *record, struct msghdr *msg)
{
    size_t done = 0;

    for (size_t i = 0; i < msg->msg_iovlen && done < record->bytes; i++) {
        size_t part = min_size(msg->msg_iov[i].iov_len, record->bytes - done);

        if (part > 0)
            memcpy(msg->msg_iov[i].iov_base, record->data + done, part);
        done += part;
    }
    return done;
}

static bool is_local(const struct socket_error *record)
{
    return record->what.ee_origin == SO_EE_ORIGIN_LOCAL;
}

/* What is told by errno is the error of the next record; with the last one it is taken back. What failed here
 * was told by its call (sock_dequeue_err_skb()). */
static void tell_next(struct socket *sock, const struct socket_error *taken, const struct socket_error *next)
{
    if (next && !is_local(next))
        atomic_store_explicit(&sock->error, (int)next->what.ee_errno, memory_order_release);
    else if (!is_local(taken))
        atomic_store_explicit(&sock->error, 0, memory_order_release);
}

ssize_t error_queue_recv(struct socket *sock, struct msghdr *msg)
{
    struct error_queue *q = atomic_load(&sock->errors);
    struct {
        struct sock_extended_err what;
        struct sockaddr_storage offender;
    } data = { 0 };
    socklen_t offender_len = sizeof(data.offender);
    struct socket_error *record;
    size_t copied;

    if (error_queue_is_empty(sock))
        return -EAGAIN;
    lock_take(&sock->rx.reader);
    record = pop(q);
    if (record)
        tell_next(sock, record, q->first);
    lock_give(&sock->rx.reader);
    if (record == NULL)
        return -EAGAIN;
    copied = copy_out(record, msg);
    if (msg->msg_name)
        endpoint_to_sockaddr(&record->to, sock->family, msg->msg_name, &msg->msg_namelen);
    data.what = record->what;
    if (is_local(record)) /* nobody offends; as many bytes of nothing */
        offender_len = sock->family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    else
        endpoint_to_sockaddr(&record->offender, sock->family, (struct sockaddr *)&data.offender, &offender_len);
    msg->msg_flags = MSG_ERRQUEUE | (copied < record->bytes ? MSG_TRUNC : 0);
    control_message_error(sock, &record->arrival, !is_local(record), &data, sizeof(data.what) + offender_len, msg);
    free(record);
    return (ssize_t)copied;
}

void error_queue_discard(struct socket *sock)
{
    struct error_queue *q = atomic_load(&sock->errors);
    struct socket_error *record;

    if (q == NULL)
        return;
    lock_take(&sock->rx.reader);
    while ((record = pop(q)) != NULL)
        free(record);
    lock_give(&sock->rx.reader);
}

void error_queue_close(struct socket *sock)
{
    error_queue_discard(sock);
    free(sock->errors);
}
