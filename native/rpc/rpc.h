/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls from application threads to the thread that drives a stack. The call lies inside a struct
 * of its caller, with the arguments and the result, so that nothing is allocated:
 *
 *     struct bind_call { struct rpc rpc; struct socket *socket; int result; };
 *
 *     static void bind_run(struct rpc *rpc)            (on the stack's thread)
 *     {
 *         struct bind_call *call = container_of(rpc, struct bind_call, rpc);
 *         call->result = ...;
 *         rpc_finish(rpc);                             (from here on `call` is its caller's again)
 *     }
 *
 *     struct bind_call call = {.socket = socket};      (on any thread)
 *     rpc_init(&call.rpc, bind_run);
 *     if (rpc_post(&stack->inbox, &call.rpc))
 *         doorbell_ring(&stack->doorbell);
 *     rpc_wait(&call.rpc);
 *     return call.result;
 *
 * Ownership: from rpc_post() to rpc_finish() the struct is the stack's. A call need not be finished
 * by its run(): it may be kept and finished later (a connect, a close that lingers), or, when
 * nobody waits, never finished but freed or given back by run() itself.
 */
#ifndef RPC_RPC_H
#define RPC_RPC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mpsc.h"

struct rpc {
    struct mpsc_node node;
    void (*run)(struct rpc *rpc);
    _Atomic uint32_t done; /* enum rpc_done in rpc.c; the futex word of rpc_wait() */
};

/* Where a stack's calls arrive. `rest` is the stack's: taken, but over the budget of that poll. */
struct rpc_inbox {
    struct mpsc queue;
    struct mpsc_node *rest;
};

static inline void rpc_inbox_init(struct rpc_inbox *inbox)
{
    mpsc_init(&inbox->queue);
    inbox->rest = NULL;
}

/* Before each post: a finished call may be used again. */
static inline void rpc_init(struct rpc *rpc, void (*run)(struct rpc *rpc))
{
    rpc->run = run;
    atomic_init(&rpc->done, 0);
}

/* Any thread. True: the inbox was empty, the caller has to ring the stack's doorbell. */
static inline bool rpc_post(struct rpc_inbox *inbox, struct rpc *rpc)
{
    return mpsc_push(&inbox->queue, &rpc->node);
}

/* The stack: nothing to run. The last look before it sleeps. */
static inline bool rpc_inbox_is_empty(const struct rpc_inbox *inbox)
{
    return inbox->rest == NULL && mpsc_is_empty(&inbox->queue);
}

/* The stack: runs at most `budget` calls in the order of their posting; returns how many it ran. */
unsigned rpc_poll(struct rpc_inbox *inbox, unsigned budget);

/* The stack: hands the call back to its caller. Nothing of it may be touched afterwards. */
void rpc_finish(struct rpc *rpc);

/* Any thread: the result is there. A caller that drives the stack turns it until this holds. */
static inline bool rpc_is_done(const struct rpc *rpc)
{
    return atomic_load_explicit(&rpc->done, memory_order_acquire) == 1;
}

/* The caller: spins for about 20 us, then sleeps until the call is finished, through signals. */
void rpc_wait(struct rpc *rpc);

/* The same, until `deadline_ns` (clock_now_ns) at the latest: false, and the call is still the stack's. */
bool rpc_wait_until(struct rpc *rpc, uint64_t deadline_ns);

#endif
