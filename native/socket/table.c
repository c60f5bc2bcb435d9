/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/table.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "socket/latency.h"
#include "socket/lend.h"
#include "socket/socket.h"
#include "stack/group.h"
#include "stats/segment.h"

/* In one tick: so many rows, or fewer when memory is slow. */
#define ROWS_MAX 256u
#define ROWS_STEP 16u
#define BUDGET_NS 20000u

static uint64_t realtime_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A free row, one that was used before if there is; its `rx_bytes` links the free ones. */
static struct stats_socket *take_row(struct stack *stack)
{
    struct stats_socket *row = stack->rows.free;

    if (row) {
        stack->rows.free = (struct stats_socket *)(uintptr_t)row->rx_bytes;
        return row;
    }
    if (stack->rows.none_left)
        return NULL;
    row = segment_socket(stack->rows.fresh * group.count + stack->id);
    if (row)
        stack->rows.fresh++;
    else
        stack->rows.none_left = true; /* until one is given back */
    return row;
}

static void claim(struct socket *sock, struct stack *stack)
{
    struct stats_socket *row = take_row(stack);

    if (row == NULL)
        return;
    sock->row = row;
    stats_socket_begin(row);
    memset(&row->id, 0, sizeof(*row) - offsetof(struct stats_socket, id));
    row->id = stack->rows.claimed++ * group.count + stack->id + 1;
    row->family = sock->family;
    row->type = sock->type;
    row->stack = (uint16_t)stack->id;
    row->created_ms = realtime_ms() - (stack->now_us - sock->entered_us) / 1000;
    stats_socket_end(row);
}

/* As the socket's family shows it: IPv4 in AF_INET6 is mapped. */
static void put_address(uint8_t *out, const struct endpoint *e, int family)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    memset(out, 0, 16);
    if (e->family == AF_INET6) {
        memcpy(out, &e->v6, 16);
    } else if (family == AF_INET6 && e->family == AF_INET) {
        memcpy(out, mapped, sizeof(mapped));
        memcpy(out + sizeof(mapped), &e->v4, 4);
    } else if (e->family == AF_INET) {
        memcpy(out, &e->v4, 4);
    }
}

static void write_row(struct socket *sock, struct stats_socket *row)
{
    const struct endpoint *local = &sock->local, *peer = &sock->peer;

    stats_socket_begin(row);
    row->fd = atomic_load_explicit(&sock->file.fd, memory_order_relaxed);
    row->owner = atomic_load_explicit(&sock->file.owner, memory_order_relaxed);
    put_address(row->local_address, local, sock->family);
    put_address(row->peer_address, peer, sock->family);
    row->local_port = local->port;
    row->peer_port = peer->port;
    socket_ops(sock)->row(sock, row);
    stats_socket_end(row);
}

void table_enter(struct socket *sock, struct stack *stack)
{
    sock->entered_us = stack->now_us;
    stack->rows.sockets++;
    if (sock->type == SOCK_STREAM)
        STAT_ADD(stack->stats, sockets_tcp, 1);
    else
        STAT_ADD(stack->stats, sockets_udp, 1);
}

void table_leave(struct socket *sock, struct stack *stack)
{
    struct stats_socket *row = sock->row;

    if (UNLIKELY(atomic_load_explicit(&sock->chosen, memory_order_relaxed) != NULL))
        latency_end(sock);
    stack->rows.sockets--;
    if (sock->type == SOCK_STREAM)
        STAT_ADD(stack->stats, sockets_tcp, -1);
    else
        STAT_ADD(stack->stats, sockets_udp, -1);
    if (row == NULL)
        return;
    sock->row = NULL;
    stats_socket_begin(row);
    row->id = 0;
    row->rx_bytes = (uintptr_t)stack->rows.free;
    stats_socket_end(row);
    stack->rows.free = row;
    stack->rows.none_left = false;
}

bool table_refresh(struct stack *stack)
{
    uint64_t end_ns = clock_now_ns() + BUDGET_NS;
    uint32_t left = min_u32(stack->rows.stale, stack->rows.sockets);

    for (unsigned done = 0; left > 0 && done < ROWS_MAX; done++, left--) {
        struct socket *sock = container_of(stack->sockets.next, struct socket, stack_link);

        if (done > 0 && done % ROWS_STEP == 0 && clock_now_ns() >= end_ns)
            break;
        list_remove(&sock->stack_link);
        list_push_back(&stack->sockets, &sock->stack_link);
        if (UNLIKELY(atomic_load_explicit(&sock->rx.lent, memory_order_relaxed) > 0))
            lend_look(sock);
        if (sock->row == NULL)
            claim(sock, stack);
        if (sock->row)
            write_row(sock, sock->row);
    }
    stack->rows.stale = left;
    return left > 0;
}
