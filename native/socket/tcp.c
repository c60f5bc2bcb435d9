/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack's half of a TCP socket: lwIP's callbacks, the output pass, the way out.
 *
 * The PCB's argument is the socket. lwIP frees PCBs by itself (RST, time-out, end of TIME_WAIT); the
 * extension argument's destroy callback tells in every case, so sock->tcp is never dangling.
 * Payload is handed to lwIP by reference and stays in its chunk until on_sent() releases it.
 */
#include "socket/tcp.h"

#include <errno.h>

#include "lwip/packet.h"
#include "lwip/pieces.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/tcp_info.h"
#include "lwip/tcp_limits.h"
#include "socket/ready.h"
#include "socket/tcp_hooks.h"
#include "socket/urgent.h"

/* Shorter runs are copied into lwIP's segment: a second pbuf per segment costs more. */
#define WRITE_COPY_MAX 256
#define CORK_US 200000 /* how long MSG_MORE and TCP_CORK hold a partial segment back */
#define WRITE_MAX 0xF000u /* tcp_write() takes 16 bits */

static void free_arrival(struct arrival *a)
{
    pbuf_free(a->packet);
    mem_free(a);
}

/* Everything is through: the stack lets go of the socket. */
static void finish(struct socket *sock)
{
    struct rpc *waiter = sock->close_waiter;

    recv_queue_discard(&sock->rx, free_arrival);
    send_queue_discard(&sock->tx);
    sock->close_waiter = NULL;
    stack_timer_stop(&sock->linger);
    socket_detach(sock);
    if (waiter)
        rpc_finish(waiter);
}

void tcp_unhook(struct socket *sock)
{
    struct tcp_pcb *pcb = sock->tcp;

    sock->tcp = NULL;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_ext_arg_set(pcb, 0, NULL);
}

void tcp_drop(struct socket *sock)
{
    struct tcp_pcb *pcb = sock->tcp;

    if (pcb == NULL)
        return;
    tcp_unhook(sock);
    tcp_abort(pcb);
}

static void connection_over(struct socket *sock, int error)
{
    if (error)
        atomic_store_explicit(&sock->error, error, memory_order_release);
    if (socket_state(sock) == SOCKET_CONNECTING)
        STAT_INC(socket_stack(sock)->stats, tcp_connect_failures);
    atomic_store_explicit(&sock->state, SOCKET_CLOSED, memory_order_release);
    if (socket_has(sock, SOCKET_ORPHAN))
        finish(sock);
    else
        ready_raise(sock, socket_stack(sock), READY_STATE);
}

/* lwIP has freed the PCB for a reason. */
static void on_err(void *arg, err_t err)
{
    struct socket *sock = arg;
    int error = tcp_err_to_errno(err);

    if (sock == NULL)
        return;
    sock->tcp = NULL;
    if (error == ECONNRESET && socket_state(sock) == SOCKET_CONNECTING)
        error = ECONNREFUSED;
    else if (error == ECONNRESET && socket_has(sock, SOCKET_RX_END) && !socket_has(sock, SOCKET_TX_SHUT))
        error = EPIPE; /* as the kernel's tcp_reset() in CLOSE_WAIT; in LAST_ACK no more */
    connection_over(sock, error);
}

/* lwIP frees the PCB, for whatever reason (called with the extension argument's data). */
static void on_destroy(u8_t id, void *data)
{
    struct socket *sock = data;

    if (sock == NULL || sock->tcp == NULL)
        return;
    /* The end of TIME_WAIT is silent; all other ways out are followed by on_err(). */
    if (sock->tcp->state == TIME_WAIT)
        atomic_store_explicit(&sock->state, SOCKET_CLOSED, memory_order_release);
    sock->tcp = NULL;
}

static const struct tcp_ext_arg_callbacks pcb_callbacks = { .destroy = on_destroy, .urgent = tcp_on_urgent };

void tcp_disconnect(struct socket *sock)
{
    tcp_drop(sock);
    recv_queue_discard(&sock->rx, free_arrival);
    send_queue_discard(&sock->tx);
    atomic_store(&sock->rx.consumed, atomic_load(&sock->rx.received));
    sock->rx.credited = atomic_load(&sock->rx.consumed);
    send_queue_let_go(&sock->tx);
    atomic_store(&sock->rx.urgent, 0);
    atomic_store(&sock->rx.urgent_drop, 0);
    atomic_store(&sock->flags, 0);
    atomic_store_explicit(&sock->state, SOCKET_IDLE, memory_order_release);
    stack_timer_stop(&sock->linger);
}

/* MSG_MORE holds back until an acknowledgement or a FIN arrives, as in the kernel; TCP_CORK longer. */
static void release_more(struct socket *sock)
{
    if (LIKELY(!send_queue_holds(&sock->tx)))
        return;
    send_queue_let_go(&sock->tx);
    socket_mark_dirty(sock, false);
}

/* RFC 9293 3.6: data that nobody will read is answered by a reset; also if the FIN came with it, where
 * tcp_abort() would be silent. */
static void refuse(struct socket *sock, struct pbuf *p)
{
    struct tcp_pcb *pcb = sock->tcp;

    pbuf_free(p);
    if (pcb->state == TIME_WAIT)
        tcp_rst(pcb, pcb->snd_nxt, pcb->rcv_nxt, &pcb->local_ip, &pcb->remote_ip, pcb->local_port,
                pcb->remote_port);
    tcp_drop(sock);
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct socket *sock = arg;
    struct stack *stack;
    struct arrival *a;

    if (sock == NULL) { /* detached and waiting for the peer's FIN */
        if (p) {
            tcp_recved(pcb, p->tot_len);
            pbuf_free(p);
        }
        return ERR_OK;
    }
    stack = socket_stack(sock);
    if (p == NULL) {
        release_more(sock);
        socket_set(sock, SOCKET_RX_END);
        if (pcb->state == TIME_WAIT && !socket_has(sock, SOCKET_ORPHAN))
            atomic_store_explicit(&sock->state, SOCKET_CLOSED, memory_order_release);
        ready_raise(sock, stack, READY_STATE);
        return ERR_OK;
    }
    if (socket_has(sock, SOCKET_ORPHAN)) {
        refuse(sock, p);
        finish(sock);
        return ERR_ABRT;
    }
    if (socket_has(sock, SOCKET_RX_SHUT) && socket_has(sock, SOCKET_TX_DONE)) {
        refuse(sock, p); /* as after close(). With SHUT_RD alone data still counts */
        connection_over(sock, ECONNRESET);
        return ERR_ABRT;
    }
    a = mem_malloc(offsetof(struct arrival, origin));
    if (a == NULL)
        return ERR_MEM; /* lwIP keeps it and offers it again */
    a->packet = p = packet_keep(p);
    a->bytes = a->cost = p->tot_len;
    a->time_ns = stack->now_ns;
    if (urgent_is_set(&sock->rx))
        urgent_look(&sock->rx, atomic_load_explicit(&sock->rx.received, memory_order_relaxed), p);
    recv_queue_push(&sock->rx, a);
    ready_raise(sock, stack, EPOLLIN | EPOLLPRI); /* which of them holds, is for who asks */
    return ERR_OK;
}

static void uncork(struct stack_timer *timer)
{
    struct socket *sock = container_of(timer, struct socket, linger);

    socket_set(sock, SOCKET_PUSH);
    tcp_drain(sock);
}

static bool holds_back(const struct socket *sock)
{
    return send_queue_holds(&sock->tx) || sock->options.cork;
}

/*
 * How far the stream may go out, `from` where this output pass began: with TCP_CORK, or from the first byte
 * with MSG_MORE on, in whole segments only, until more comes or 200 ms are over (tcp(7)). To be asked after
 * the look at the queue: who sees bytes sees that they are held back.
 */
static uint64_t may_go_until(struct socket *sock, uint64_t from)
{
    struct send_queue *tx = &sock->tx;
    uint64_t written = atomic_load_explicit(&tx->written, memory_order_relaxed);
    uint64_t hold_from = atomic_load_explicit(&tx->hold_from, memory_order_relaxed);
    uint64_t whole = written - (written - from) % tcp_mss(sock->tcp);

    if (sock->options.cork || hold_from <= whole)
        return whole;
    return min_u64(hold_from, written); /* these came without MSG_MORE */
}

/* What was not handed over waits for more. The socket's timer is free for that while it is open. */
static void hold(struct socket *sock)
{
    struct stack *stack = socket_stack(sock);

    /* What an earlier wait was for may have left meanwhile: its time is not this one's. */
    if (list_is_linked(&sock->linger.link) && sock->held_from == sock->tx.queued)
        return;
    sock->held_from = sock->tx.queued;
    sock->linger.run = uncork;
    stack_timer_start(stack, &sock->linger, stack->now_us + CORK_US);
}

/* Hands what is published to lwIP, as far as its send buffer goes. True: something was handed over. */
static bool push(struct socket *sock)
{
    struct tcp_pcb *pcb = sock->tcp;
    uint64_t from = sock->tx.queued;
    bool all = socket_has(sock, SOCKET_TX_SHUT | SOCKET_ORPHAN | SOCKET_PUSH);
    const uint8_t *data;
    uint32_t bytes;

    if (UNLIKELY(socket_has(sock, SOCKET_PUSH)))
        socket_clear(sock, SOCKET_PUSH);
    while ((data = send_queue_peek(&sock->tx, &bytes)) != NULL) {
        bool held = holds_back(sock);
        uint64_t until = LIKELY(!held) || all ? UINT64_MAX : may_go_until(sock, from);
        uint32_t room = tcp_sndbuf(pcb);
        u8_t how = 0;

        if (until <= sock->tx.queued) {
            hold(sock);
            break;
        }
        if (room == 0)
            break;
        if (bytes > room)
            bytes = room;
        if (bytes > WRITE_MAX)
            bytes = WRITE_MAX;
        if (bytes > until - sock->tx.queued)
            bytes = (uint32_t)(until - sock->tx.queued);
        if (bytes <= WRITE_COPY_MAX)
            how |= TCP_WRITE_FLAG_COPY;
        if (held)
            how |= TCP_WRITE_FLAG_MORE;
        if (tcp_write(pcb, data, (u16_t)bytes, how) != ERR_OK)
            break;
        send_queue_advance(&sock->tx, bytes, (how & TCP_WRITE_FLAG_COPY) != 0);
    }
    return sock->tx.queued > from;
}

/* FIN once all data is lwIP's: after shutdown(SHUT_WR), or for good after close(). */
static void push_fin(struct socket *sock)
{
    bool closed = socket_has(sock, SOCKET_ORPHAN);
    uint32_t bytes;

    if ((socket_has(sock, SOCKET_TX_DONE) && !closed) ||
        send_queue_peek(&sock->tx, &bytes) != NULL)
        return;
    if (closed) {
        struct tcp_pcb *pcb = sock->tcp;
        bool fin_out = (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT) ||
                       (pcb->flags & TF_CLOSEPEND) != 0;

        socket_set(sock, SOCKET_TX_DONE);
        /* What memory was short for is unread: tcp_close() resets then, frees the PCB and tells nobody. */
        if (!fin_out && (pcb->refused_data || tcp_unread_bytes(pcb) > 0))
            tcp_unhook(sock);
        if (fin_out)
            tcp_shutdown(pcb, 1, 0); /* by shutdown(): what still comes is answered by a reset */
        else
            tcp_close(pcb); /* ERR_MEM: lwIP tries again by itself (TF_CLOSEPEND) */
        tcp_timer_update(pcb); /* in FIN_WAIT_2 its time runs from now on */
    } else if (socket_has(sock, SOCKET_TX_SHUT)) {
        if (tcp_shutdown(sock->tcp, 0, 1) == ERR_OK)
            socket_set(sock, SOCKET_TX_DONE);
    }
}

/* What is not mere data. The news of an urgent byte is older than the byte: it is looked for behind it. */
static void push_rest(struct socket *sock)
{
    if (socket_has(sock, SOCKET_URGENT)) {
        socket_clear(sock, SOCKET_URGENT);
        tcp_send_urgent(sock);
        if (holds_back(sock)) {
            socket_set(sock, SOCKET_PUSH);
            push(sock);
        }
    }
    if (socket_has(sock, SOCKET_TX_SHUT | SOCKET_ORPHAN))
        push_fin(sock);
}

static void orphan_progress(struct socket *sock)
{
    if (!socket_has(sock, SOCKET_ORPHAN) || !socket_has(sock, SOCKET_TX_DONE) ||
        (sock->tcp && send_queue_bytes(&sock->tx) > 0))
        return;
    /* The rest (FIN, TIME_WAIT) needs no socket. */
    if (sock->tcp)
        tcp_unhook(sock);
    finish(sock);
}

/* The measured write waits, and what was acknowledged may let it out. */
static inline bool lets_out_measured(const struct socket *sock, const struct tcp_pcb *pcb)
{
    uint64_t marked = atomic_load_explicit(&sock->tx.marked, memory_order_relaxed);
    uint64_t released = atomic_load_explicit(&sock->tx.released, memory_order_relaxed);

    return UNLIKELY(marked != 0) && marked <= released + min_u32(pcb->cwnd, pcb->snd_wnd);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t bytes)
{
    struct socket *sock = arg;
    struct send_queue *tx;

    if (sock == NULL)
        return ERR_OK;
    if (UNLIKELY(bytes == 0)) { /* the FIN, when the peer's was here before: TIME_WAIT */
        if (!socket_has(sock, SOCKET_ORPHAN)) {
            atomic_store_explicit(&sock->state, SOCKET_CLOSED, memory_order_release);
            ready_raise(sock, socket_stack(sock), READY_STATE);
        }
        return ERR_OK;
    }
    tx = &sock->tx;
    send_queue_release(tx, bytes);
    release_more(sock);
    push(sock); /* tcp_input() calls tcp_output() afterwards */
    if (socket_has(sock, SOCKET_TX_SHUT | SOCKET_ORPHAN | SOCKET_URGENT))
        push_rest(sock);
    if (atomic_load(&tx->wants_room) && send_queue_is_writable(tx)) {
        atomic_store(&tx->wants_room, false);
        ready_raise(sock, socket_stack(sock), EPOLLOUT);
    }
    if (UNLIKELY(tcp_tells_sent(sock)) || lets_out_measured(sock, pcb))
        socket_mark_dirty(sock, false); /* tcp_drain() sees what the acknowledgement let out */
    if (UNLIKELY(stack_chunks_low(socket_stack(sock))))
        send_queue_trim(tx);
    orphan_progress(sock);
    return ERR_OK;
}

err_t tcp_on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct socket *sock = arg;

    (void)pcb;
    (void)err;
    if (sock == NULL)
        return ERR_OK;
    STAT_INC(socket_stack(sock)->stats, tcp_connects);
    tcp_limit_segments(sock);
    atomic_store_explicit(&sock->state, SOCKET_CONNECTED, memory_order_release);
    ready_raise(sock, socket_stack(sock), READY_STATE);
    push(sock);
    return ERR_OK;
}

uint64_t tcp_socket_id(const struct tcp_pcb *pcb)
{
    const struct socket *sock = tcp_ext_arg_get(pcb, 0);

    return sock != NULL && sock->row != NULL ? sock->row->id : 0;
}

void tcp_hook(struct socket *sock, struct tcp_pcb *pcb)
{
    sock->tcp = pcb;
    tcp_arg(pcb, sock);
    tcp_recv(pcb, on_recv);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_err);
    tcp_ext_arg_set(pcb, 0, sock);
    tcp_ext_arg_set_callbacks(pcb, 0, &pcb_callbacks);
    tcp_options_changed(sock);
}

/* lwIP's tcp_recved() takes 16 bits. */
static void credit(struct socket *sock)
{
    uint64_t consumed = atomic_load_explicit(&sock->rx.consumed, memory_order_relaxed);
    uint64_t owed = consumed - sock->rx.credited;

    sock->rx.credited = consumed;
    while (sock->tcp && owed > 0) {
        u16_t part = owed > 0xFFFF ? 0xFFFF : (u16_t)owed;

        tcp_recved(sock->tcp, part);
        owed -= part;
    }
}

void tcp_drain(struct socket *sock)
{
    recv_queue_reap(&sock->rx, &socket_stack(sock)->stats->rx_wait_ns, free_arrival);
    credit(sock);
    if (sock->tcp == NULL) {
        if (socket_state(sock) == SOCKET_CLOSED)
            send_queue_abandon(&sock->tx);
        return;
    }
    if (UNLIKELY(socket_has(sock, SOCKET_TAKEN))) {
        socket_clear(sock, SOCKET_TAKEN);
        tcp_backlog_accepted(sock->tcp);
    }
    if (socket_state(sock) != SOCKET_CONNECTED)
        return;
    push(sock);
    tcp_tune(sock);
    if (socket_has(sock, SOCKET_TX_SHUT | SOCKET_ORPHAN | SOCKET_URGENT))
        push_rest(sock);
    if (sock->tcp) {
        tcp_output(sock->tcp);
        /* What lwIP was given, but for what it has not put out yet. */
        send_queue_measure(&sock->tx, sock->tx.queued - tcp_unsent_bytes(sock->tcp),
                           &socket_stack(sock)->stats->tx_wait_ns);
        if (UNLIKELY(tcp_tells_sent(sock)))
            tcp_tell_sent(sock);
    }
    if (UNLIKELY(stack_chunks_low(socket_stack(sock))))
        send_queue_trim(&sock->tx);
    orphan_progress(sock);
}

static void linger_over(struct stack_timer *timer)
{
    struct socket *sock = container_of(timer, struct socket, linger);
    struct rpc *waiter = sock->close_waiter;

    /* The kernel goes on in the background when the time is over (socket(7), SO_LINGER). */
    sock->close_waiter = NULL;
    if (waiter)
        rpc_finish(waiter);
}

void tcp_close_socket(struct socket *sock, struct stack *stack)
{
    struct tcp_pcb *pcb = sock->tcp;

    if (pcb == NULL) {
        finish(sock);
        return;
    }
    if (socket_state(sock) == SOCKET_CONNECTING) {
        tcp_unhook(sock);
        tcp_close(pcb); /* SYN_SENT: freed silently, as RFC 9293 3.10.4 has it */
        finish(sock);
        return;
    }
    if (pcb->state == TIME_WAIT) { /* lwIP's alone from now on */
        tcp_unhook(sock);
        finish(sock);
        return;
    }
    credit(sock);
    /* RFC 2525 2.17: closing with unread data, or with a linger time of 0, resets. */
    if (recv_queue_bytes(&sock->rx) > 0 || sock->options.linger_s == 0) {
        tcp_drop(sock);
        finish(sock);
        return;
    }
    if (sock->close_waiter) {
        sock->linger.run = linger_over;
        stack_timer_start(stack, &sock->linger, sock->linger_until_us);
    }
    tcp_drain(sock);
}
