/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack: the unit of scale. One lwIP instance, one queue of each of its ports, one pool of send
 * chunks on its own NUMA node, its own timers, counters and inbox. Nothing in it is shared with
 * another stack.
 *
 * Threads. Whoever holds the turn (one atomic word) drives the stack and is "the stack" for as long:
 * only it may touch the fields of the last group and call into lwIP. Who may take the turn and how
 * one waits is the driver, a function table chosen once at start (loop/dedicated.c, loop/inline.c).
 * All others reach a stack through `inbox` (calls) and `dirty` (sockets that have something to send
 * or to give back).
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/doorbell.h"
#include "base/list.h"
#include "base/mpsc.h"
#include "lwip/instance.h"
#include "lwip/netif_port.h"
#include "platform/chunk.h"
#include "platform/core.h"
#include "rpc/rpc.h"
#include "stack/waiter.h"
#include "stats/flight.h"
#include "stats/stats.h"
#include "stats/trace.h"

#define STACK_PORTS_MAX 8
#define STACKS_MAX 64

struct stack;

/* Who turns the loop, and how others wait for it. All functions may be called from any thread. */
struct stack_driver {
    const char *name;
    bool caller_drives; /* who waits must also be woken by stack->sleep_fd */
    /* Runs `call` in the stack's context and returns when it is done. Never fails. */
    void (*call)(struct stack *s, struct rpc *call);
    /* There is something in `inbox` or `dirty`: see that it is looked at soon. Never blocks. */
    void (*kick)(struct stack *s);
    /* One turn if it is the caller's business to drive (inline); the work done. */
    int (*turn)(struct stack *s);
    /*
     * Before a sleep: arms the stack's doorbell and devices, looks once more. False: there is work,
     * don't sleep. True: sleep on stack->sleep_fd (if this driver says so: `*until_us`, absolute, is
     * then the latest moment to come back), and disarm afterwards in either case of true. `w` names
     * the sleeper.
     */
    bool (*arm)(struct stack *s, struct waiter *w, uint64_t *until_us);
    void (*disarm)(struct stack *s, struct waiter *w);
    /*
     * Sleeps until `w` is signalled or the clock (clock_now_ns) reaches `deadline_ns`
     * (UINT64_MAX: never); drives the stack meanwhile when that is the caller's business. May return
     * early: the caller looks again. 0, or -EINTR when a signal handler ran.
     */
    int (*wait)(struct stack *s, struct waiter *w, uint64_t deadline_ns);
};

/* A rare timer of the stack's own (TCP's are in lwip/tcp_timer). Lies in its owner. */
struct stack_timer {
    struct list link; /* initialised once with list_init() */
    uint64_t at_us;
    void (*run)(struct stack_timer *timer); /* in the stack's context; the timer is stopped */
};

/* The stack's share of the statistics' socket table, see socket/table.h. */
struct stack_rows {
    struct stats_socket *free; /* given back */
    uint32_t fresh;            /* rows that were ever taken */
    uint32_t sockets;          /* on stack->sockets */
    uint32_t stale;            /* how many of them may have changed since their rows were written */
    uint64_t claimed;
    bool none_left;
};

struct stack {
    /* ---- constant after start ---- */
    unsigned id;
    int core;      /* pinned to, or -1 */
    int numa_node; /* of its memory */
    unsigned lcore; /* DPDK's lcore id, borrowed by whoever holds the turn (platform/core.h) */
    struct instance *lwip;
    struct netif_port *ports[STACK_PORTS_MAX];
    unsigned ports_count;
    struct chunk_pool *chunks;
    struct stats_stack *stats;
    struct flight_ring *flight; /* NULL: off. The holder of the turn changes it */
    const struct stack_driver *driver;
    int sleep_fd;          /* epoll of the ports' interrupts and the doorbell */
    uint64_t spin_us;      /* idle time before sleeping; UINT64_MAX: never sleep */
    uint64_t wait_spin_ns; /* so long a blocked call looks for itself before it sleeps; 0: not at all */
    void (*drain)(struct mpsc_node *dirty_nodes);  /* socket layer: one output pass per socket */
    void (*ready_flush)(struct stack *s);          /* socket layer: tell the waiters */
    void (*take_back)(struct stack *s, struct mpsc_node *returned); /* socket layer: free what is ours */

    /* ---- any thread ---- */
    struct rpc_inbox inbox;
    struct mpsc dirty;   /* sockets, by dirty_node */
    struct mpsc returns; /* memory of this stack that another stack is through with */
    _Alignas(CACHE_LINE) _Atomic uint32_t turn; /* 0 free, 1 somebody drives */
    _Atomic uint32_t attended;     /* inline: threads that sleep on sleep_fd and will come back */
    _Atomic(struct waiter *) first;  /* of these, who comes back soonest; NULL: not known */
    _Atomic(struct waiter *) keeper; /* inline: whose thread blocked last in a socket of this stack */
    _Atomic uint64_t last_turn_us; /* for the caretaker and for doctors */
    _Atomic bool stopping;
    struct doorbell bell;

    /* ---- the holder of the turn ---- */
    _Alignas(CACHE_LINE) uint64_t now_us;
    uint64_t now_ns;        /* the same moment */
    uint64_t next_timer_us; /* absolute; UINT64_MAX: none */
    uint64_t timers_us;     /* when the timers were last looked at */
    uint64_t nap_us;        /* length of the next sleep on a port that cannot wake us */
    bool armed;             /* doorbell and devices will write to sleep_fd */
    uint64_t first_us;      /* when `first` is back at the latest */
    struct list timers;     /* struct stack_timer, soonest first */
    struct list ready;      /* sockets with events to tell, socket.ready_link */
    struct list starved;    /* sockets whose writer met an empty chunk pool, socket.starved_link */
    struct list sockets;    /* all sockets with state here, socket.stack_link */
    struct stack_rows rows;
    struct stack_timer tick; /* loop/tick.c */
    uint64_t asleep_us;      /* since when; 0: awake */
    uint64_t wake_us;        /* when the sleep is to end at the latest */
    struct trace trace;
};

/* What a driver of the turn must give back. */
struct stack_visit {
    unsigned long lwip;
    unsigned lcore;
};

static inline bool stack_try_acquire(struct stack *s)
{
    uint32_t free_word = 0;

    return atomic_load_explicit(&s->turn, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&s->turn, &free_word, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* seq_cst: the caller looks at inbox and dirty afterwards, as posters push first and look second. */
static inline void stack_release(struct stack *s)
{
    atomic_store(&s->turn, 0);
}

static inline struct stack_visit stack_enter(struct stack *s)
{
    return (struct stack_visit){ .lwip = instance_enter(s->lwip), .lcore = core_enter(s->lcore) };
}

static inline void stack_leave(struct stack_visit visit)
{
    core_leave(visit.lcore);
    instance_leave(visit.lwip);
}

static inline bool stack_has_mail(struct stack *s)
{
    return !mpsc_is_empty(&s->inbox.queue) || !mpsc_is_empty(&s->dirty);
}

/* Fewer than a quarter of the send chunks are free: idle sockets should give theirs back. */
static inline bool stack_chunks_low(const struct stack *s)
{
    return chunk_pool_free_count(s->chunks) < s->chunks->count / 4;
}

/* Runs call->run() in the stack's context; returns when it is done. */
static inline void stack_call(struct stack *s, struct rpc *call)
{
    s->driver->call(s, call);
}

/* The stack: starts, or starts again, a timer for the absolute time `at_us`. */
void stack_timer_start(struct stack *s, struct stack_timer *timer, uint64_t at_us);
void stack_timer_stop(struct stack_timer *timer);
/* The stack: runs what is due; the time of the next one, UINT64_MAX: none. */
uint64_t stack_timers_run(struct stack *s);

#endif
