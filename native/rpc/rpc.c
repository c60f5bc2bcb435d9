/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/kernel_calls.h"

/* A stack that polls answers within a turn (a few us); a sleeping one needs a wake-up (6-7 us). */
#define SPIN_NS 20000u

enum rpc_done {
    RPC_PENDING = 0,
    RPC_DONE = 1,
    RPC_PENDING_WAITER_SLEEPS = 2,
};

unsigned rpc_poll(struct rpc_inbox *inbox, unsigned budget)
{
    unsigned ran = 0;

    while (ran < budget) {
        if (!inbox->rest && !(inbox->rest = mpsc_take(&inbox->queue)))
            break;
        struct rpc *rpc = container_of(inbox->rest, struct rpc, node);
        /* First step on: run() may give the call away. It may also post, but not poll. */
        inbox->rest = inbox->rest->next;
        rpc->run(rpc);
        ran++;
    }
    return ran;
}

void rpc_finish(struct rpc *rpc)
{
    /*
     * The exchange publishes the result. After it the caller may have returned and the struct be
     * gone; the wake only names its address, and if that is something else's by now, the worst is
     * one wake-up too many there, which every futex user has to bear.
     */
    if (atomic_exchange_explicit(&rpc->done, RPC_DONE, memory_order_acq_rel) ==
        RPC_PENDING_WAITER_SLEEPS)
        kernel.syscall(SYS_futex, &rpc->done, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void rpc_wait(struct rpc *rpc)
{
    rpc_wait_until(rpc, UINT64_MAX);
}

bool rpc_wait_until(struct rpc *rpc, uint64_t deadline_ns)
{
    uint64_t spin_until_ns, now_ns;
    uint32_t pending = RPC_PENDING;

    if (rpc_is_done(rpc))
        return true;
    spin_until_ns = clock_now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < 64; i++) {
            cpu_relax();
            if (rpc_is_done(rpc))
                return true;
        }
    } while (clock_now_ns() < spin_until_ns);

    if (!atomic_compare_exchange_strong_explicit(&rpc->done, &pending, RPC_PENDING_WAITER_SLEEPS,
                                                 memory_order_acq_rel, memory_order_acquire) &&
        pending == RPC_DONE)
        return true;
    while (!rpc_is_done(rpc)) {
        struct timespec left = { 0 };

        if (deadline_ns != UINT64_MAX) {
            now_ns = clock_now_ns();
            if (now_ns >= deadline_ns)
                return false;
            left.tv_sec = (time_t)((deadline_ns - now_ns) / 1000000000);
            left.tv_nsec = (long)((deadline_ns - now_ns) % 1000000000);
        }
        kernel.syscall(SYS_futex, &rpc->done, FUTEX_WAIT_PRIVATE, RPC_PENDING_WAITER_SLEEPS,
                       deadline_ns != UINT64_MAX ? &left : NULL, NULL, 0);
    }
    return true;
}
