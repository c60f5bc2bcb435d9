/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket: POSIX behaviour over a stack.
 *
 * A socket begins with no stack and no PCB. bind() names a port (control/ports.h); connect(),
 * listen() and the first datagram decide the stack (control/address.h), and from then on the socket
 * has state there. TCP listeners and UDP sockets bound to a wildcard have a PCB on every stack that
 * answers for the address; `stack` is then the home stack, which tells the waiters.
 *
 * Threads: fields are grouped by who writes them. `state`, `flags` and `error` are atomics that both
 * sides read; transitions are made by the stack, except those out of SOCKET_IDLE, made under `lock`.
 *
 * Lifetime: struct file counts. The stack holds one reference while it has anything of the socket:
 * from the first PCB until the last PCB is gone and the user has closed.
 */
#ifndef SOCKET_SOCKET_H
#define SOCKET_SOCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "base/list.h"
#include "base/lock.h"
#include "control/endpoint.h"
#include "control/ports.h"
#include "socket/file.h"
#include "socket/options.h"
#include "socket/recv.h"
#include "socket/send.h"
#include "stack/stack.h"

struct tcp_pcb;
struct udp_pcb;

enum socket_state {
    SOCKET_IDLE,       /* new or bound */
    SOCKET_LISTENING,
    SOCKET_CONNECTING, /* SYN sent */
    SOCKET_CONNECTED,  /* TCP: established, or half-closed; UDP: has a default peer */
    SOCKET_CLOSED,     /* TCP: reset, timed out, refused, or closed by both sides */
};

enum socket_flag {
    SOCKET_RX_END = 1u << 0,   /* the peer's FIN, after all its data */
    SOCKET_RX_SHUT = 1u << 1,  /* shutdown(SHUT_RD) */
    SOCKET_TX_SHUT = 1u << 2,  /* shutdown(SHUT_WR): FIN follows the queued data */
    SOCKET_TX_DONE = 1u << 3,  /* our FIN was handed to TCP */
    SOCKET_ORPHAN = 1u << 4,   /* closed by the user, the stack finishes */
    SOCKET_URGENT = 1u << 5,   /* tx.urgent is news for the stack */
    SOCKET_TAKEN = 1u << 7,    /* accept() returned it: the listener's backlog is to be told */
    SOCKET_PUSH = 1u << 9,     /* held partial segments (MSG_MORE, TCP_CORK) go out now */
};

/* connect(2)'s view of a TCP socket, the kernel's `enum socket_state`: the connection may have come
 * and gone before a call of connect() tells. */
enum socket_way { WAY_NONE, WAY_CONNECTING, WAY_CONNECTED, WAY_DISCONNECTING };

struct socket;
struct async;
struct lender;
struct error_queue;
struct both_peers;
struct multicast_member;

/* What differs between TCP, a TCP listener and UDP. Results: >= 0, or -errno. */
struct socket_ops {
    int (*bind)(struct socket *sock, const struct endpoint *local);
    int (*listen)(struct socket *sock, int backlog);
    int (*accept)(struct socket *sock, struct socket **accepted);
    int (*connect)(struct socket *sock, const struct endpoint *peer, bool disconnect);
    int (*shutdown)(struct socket *sock, int how);
    ssize_t (*send)(struct socket *sock, const struct msghdr *msg, int flags);
    ssize_t (*recv)(struct socket *sock, struct msghdr *msg, int flags);
    uint32_t (*events)(struct socket *sock); /* EPOLL* that hold now; any thread */
    void (*drain)(struct socket *sock);      /* stack: take from the queues, put out */
    /* Each stack of sock->stacks, the home stack last: the last descriptor is gone. */
    void (*close)(struct socket *sock, struct stack *stack);
    void (*closed)(struct socket *sock); /* application, after all stacks; may be NULL */
    void (*options_changed)(struct socket *sock); /* stack: apply `options` to the PCB */
    /* For those that take from the receive queue themselves (lend.c); NULL: it has none. */
    bool (*recv_is_over)(struct socket *sock); /* nothing will come after what is queued */
    int (*recv_nothing)(struct socket *sock);  /* over, and the queue is empty: what recv(2) says */
    void (*give_back)(struct socket *sock);    /* something was consumed: tell the stack */
    /* For those that write to the send queue themselves (reserve.c): 0 and a stack, or -errno. */
    int (*send_refusal)(struct socket *sock);
    uint32_t (*offers)(struct socket *sock); /* how many can take something now; NULL: all may look */
    /* Home stack: the protocol's part of the socket's row (socket/table.h). */
    void (*row)(struct socket *sock, struct stats_socket *row);
};

/* One waiter's interest in one socket; linked while the socket's home stack, or `lock`, allows. */
struct watch {
    struct list link;
    void (*notify)(struct watch *watch, uint32_t events); /* stack's context: short, no blocking */
    /* NULL, or instead of notify for one that asked to be told exclusively (EPOLLEXCLUSIVE). True: a thread
     * waits there, which comes and takes something, so that others need not be told. */
    bool (*offer)(struct watch *watch, uint32_t events);
    /* The socket was closed and the watch is off its list. Application thread. NULL for those that
     * are users of the socket: they cannot outlive it. */
    void (*gone)(struct watch *watch);
};

struct socket {
    struct file file; /* first: a file of kind FILE_SOCKET is a socket */

    /* ---- constant after creation ---- */
    uint8_t family, type, protocol;
    const struct socket_ops *_Atomic ops; /* listen() exchanges it once */

    /* ---- application, under lock (cold) ---- */
    struct lock lock;
    struct stack *_Atomic stack; /* home; NULL until decided, then constant */
    uint8_t way;                 /* enum socket_way */
    struct binding binding;
    struct endpoint local, peer; /* as getsockname and getpeername show them */
    struct socket_options options;
    struct multicast_member **members; /* a list for each stack, its own; NULL: never joined a group */

    /* ---- both sides ---- */
    _Atomic uint32_t state; /* enum socket_state */
    _Atomic uint32_t flags; /* enum socket_flag */
    _Atomic int error;      /* SO_ERROR: positive errno, taken by the first who reports it */
    _Atomic bool dirty;     /* on the stack's dirty queue */
    _Atomic uint32_t told;  /* events raised by other stacks, told by the home stack */
    struct mpsc_node dirty_node;
    struct waiter *_Atomic blocked; /* the thread that is blocked in a call on this socket (wait.c) */
    struct stats_chosen *_Atomic chosen; /* latency.h; NULL: it is not measured by itself */
    struct lender *_Atomic lender;          /* lend.c; NULL: it never lent anything */
    _Atomic bool blocked_watched;   /* blocked_watch is on the list: from the first such call on */

    struct recv_queue rx;
    struct send_queue tx;

    /* ---- home stack ---- */
    _Alignas(CACHE_LINE) struct tcp_pcb *tcp;
    struct list stack_link;  /* stack->sockets while the stack holds its reference */
    struct list ready_link;  /* stack->ready */
    struct list starved_link; /* stack->starved */
    struct list watches;     /* struct watch.link */
    struct watch blocked_watch;
    uint32_t ready_events;
    uint64_t tune_us, tune_consumed; /* when buffers were last looked at, and rx.credited then */
    struct stats_socket *row; /* NULL: none yet, or none was free */
    uint64_t entered_us;      /* stack's clock at socket_attach() */
    struct stack_timer linger; /* while it is open: for what MSG_MORE or TCP_CORK hold back */
    uint64_t held_from;        /* where that began when it was started, as tx.queued counts */
    uint64_t linger_until_us;
    struct rpc *close_waiter; /* a close() that lingers: finished when all is acknowledged */

    /* ---- listeners and UDP: one PCB for each stack that takes part ---- */
    struct socket *next_spare;    /* while it is nobody's: socket.c */
    uint64_t stacks;              /* mask of the stacks with state, set under lock */
    struct udp_end *udp;          /* [group.count], udp.c */
    struct udp_cork *cork;        /* what MSG_MORE gathers: udp_send.c, under tx.writer */
    struct both_peers *_Atomic peers; /* of a socket of both sides: api/both.c; NULL: nobody wrote to it */
    struct error_queue *_Atomic errors; /* NULL: nobody asked for it */
    struct accept_queue *accepts; /* tcp_listen.c */
    struct async *_Atomic async; /* async.h; NULL: nobody asked for signals */
};

/* 0 and a socket with one reference, or -errno (EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, ENOMEM). */
int socket_create(struct socket **out, int domain, int type, int protocol);
/* For accept: no argument checks, no reference to a stack yet. */
struct socket *socket_new(int family, int type, int protocol, const struct socket_ops *ops);

extern const struct socket_ops tcp_ops, tcp_listen_ops, udp_ops;

static inline struct socket *socket_of(struct file *file)
{
    return container_of(file, struct socket, file);
}

static inline const struct socket_ops *socket_ops(struct socket *sock)
{
    return atomic_load_explicit(&sock->ops, memory_order_acquire);
}

static inline struct stack *socket_stack(struct socket *sock)
{
    return atomic_load_explicit(&sock->stack, memory_order_acquire);
}

static inline enum socket_state socket_state(const struct socket *sock)
{
    return (enum socket_state)atomic_load_explicit(&sock->state, memory_order_acquire);
}

/* It has a port of its own (the kernel's inet_num); getsockname() may still show one that is gone. */
static inline bool socket_has_port(const struct socket *sock)
{
    enum socket_state state = socket_state(sock);

    return sock->binding.bound || (state != SOCKET_IDLE && state != SOCKET_CLOSED);
}

/* An IPv6 socket that has an IPv4 address, of bind(), of its listener's or for its peer's sake: it can speak to no
 * other family from there. */
static inline bool socket_is_mapped(const struct socket *sock)
{
    if (sock->family != AF_INET6)
        return false;
    return (sock->local.family == AF_INET && !endpoint_is_any(&sock->local)) ||
           (sock->peer.family == AF_INET && socket_state(sock) == SOCKET_CONNECTED);
}

static inline bool socket_has(const struct socket *sock, uint32_t flags)
{
    return (atomic_load_explicit(&sock->flags, memory_order_acquire) & flags) != 0;
}

static inline void socket_set(struct socket *sock, uint32_t flags)
{
    atomic_fetch_or_explicit(&sock->flags, flags, memory_order_release);
}

static inline void socket_clear(struct socket *sock, uint32_t flags)
{
    atomic_fetch_and_explicit(&sock->flags, ~flags, memory_order_release);
}

/* The pending error, which is thereby reported: positive errno or 0. */
static inline int socket_take_error(struct socket *sock)
{
    if (LIKELY(atomic_load_explicit(&sock->error, memory_order_acquire) == 0))
        return 0;
    return atomic_exchange(&sock->error, 0);
}

/*
 * There is something for the stack in the socket's queues. `soon`: see to it now (data to send);
 * otherwise the next turn is early enough (packets to give back).
 */
void socket_mark_dirty(struct socket *sock, bool soon);

/* stack->drain: one output pass for each socket of the list. */
void socket_drain(struct mpsc_node *dirty);

/* Stack: takes, or gives back, the stack's own reference. */
void socket_attach(struct socket *sock, struct stack *stack);
void socket_detach(struct socket *sock);

/* Decides the home stack once (under sock->lock); later calls change nothing. */
void socket_settle(struct socket *sock, struct stack *stack);

/* Calls ops->options_changed in the stack's context, if there is a stack. */
void socket_options_apply(struct socket *sock);

/*
 * bind(2) for both protocols: checks the address, takes the port. On success sock->local and
 * sock->binding are set. 0, -EINVAL (bound already), -EADDRNOTAVAIL, -EADDRINUSE, -EACCES.
 */
int socket_bind(struct socket *sock, const struct endpoint *local);
/*
 * The same to a port of the library's choice, for a call that needs one: on the wildcard, or on the address that
 * bind() gave the socket or its listener and that stayed when a peer was given up and the port went back.
 */
int socket_autobind(struct socket *sock);

/* FIONREAD; -1: a listener has none (EINVAL). */
int socket_readable_bytes(struct socket *sock);
/* What SIOCOUTQ says: bytes not acknowledged yet. */
int socket_unsent_bytes(struct socket *sock);
/* What SIOCOUTQNSD says of a stream: bytes that have not left for the first time. */
int socket_not_sent_bytes(struct socket *sock);

/* Multicast membership and the like: IP and IPv6 level options that are no plain value. */
int socket_membership_set(struct socket *sock, int level, int name, const void *value,
                          socklen_t len);
/* The socket is closed: it leaves all groups, on every stack. */
void socket_membership_end(struct socket *sock);

/* POSIX calls that are the same for all kinds. */
int socket_getsockname(struct socket *sock, struct sockaddr *addr, socklen_t *len);
int socket_getpeername(struct socket *sock, struct sockaddr *addr, socklen_t *len);

#endif
