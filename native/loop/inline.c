/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.drive = inline: whichever application thread calls takes the turn, if it is free, and gives
 * it back before it returns. Who finds it taken leaves its work in the inbox or the dirty queue; the
 * holder looks there again after it has given the turn back, so that nothing is left behind.
 */
#include <errno.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "stack/sleep.h"

/* How long to sleep when another thread drives: it may go away without a word. */
#define OTHER_DRIVES_US 1000

static void give(struct stack *s)
{
    for (;;) {
        while (UNLIKELY(s->inbox.rest != NULL)) /* more calls than one turn takes */
            loop_turn(s);
        stack_release(s);
        if (LIKELY(!stack_has_mail(s)) || !stack_try_acquire(s))
            return;
        loop_turn(s);
    }
}

static int turn(struct stack *s)
{
    int work;

    if (!stack_try_acquire(s))
        return 0;
    loop_disarm(s); /* a sleeper that armed it has not come back yet */
    work = loop_turn(s);
    give(s);
    return work;
}

static void kick(struct stack *s)
{
    turn(s);
}

static bool arm(struct stack *s, uint64_t *until_us)
{
    bool armed;

    if (!stack_try_acquire(s)) {
        *until_us = clock_now_us() + OTHER_DRIVES_US;
        atomic_fetch_add(&s->attended, 1);
        return true;
    }
    armed = loop_arm(s, until_us);
    if (armed)
        atomic_fetch_add(&s->attended, 1);
    give(s);
    return armed;
}

static void disarm(struct stack *s)
{
    atomic_fetch_sub(&s->attended, 1);
    if (!stack_try_acquire(s))
        return;
    loop_disarm(s);
    give(s);
}

static int wait(struct stack *s, struct waiter *w, uint64_t deadline_ns)
{
    uint64_t deadline_us = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns / 1000 + 1;
    uint64_t start_us = clock_now_us(), until_us;
    int result = 0;

    do {
        turn(s);
        if (waiter_take(w))
            return 0;
        cpu_relax();
    } while (s->spin_us == UINT64_MAX ? clock_now_us() < deadline_us
                                      : clock_now_us() - start_us < s->spin_us);
    if (s->spin_us == UINT64_MAX)
        return 0;
    doorbell_arm(&w->bell);
    if (arm(s, &until_us)) {
        if (until_us > deadline_us)
            until_us = deadline_us;
        if (!waiter_is_signalled(w))
            result = sleep_on(w->bell.fd, s->sleep_fd, until_us);
        disarm(s);
    }
    doorbell_disarm(&w->bell);
    waiter_take(w);
    return result;
}

static void call(struct stack *s, struct rpc *rpc)
{
    uint64_t start_us = 0, until_us;

    rpc_post(&s->inbox, rpc);
    while (!rpc_is_done(rpc)) {
        turn(s);
        if (rpc_is_done(rpc))
            break;
        cpu_relax();
        /* Another thread drives, or the call waits for the network (a close that lingers). */
        if (start_us == 0)
            start_us = clock_now_us();
        if (clock_now_us() - start_us < 100 || !arm(s, &until_us))
            continue;
        if (until_us > clock_now_us() + OTHER_DRIVES_US)
            until_us = clock_now_us() + OTHER_DRIVES_US;
        sleep_on(s->sleep_fd, -1, until_us);
        disarm(s);
    }
}

const struct stack_driver inline_driver = {
    .name = "inline",
    .caller_drives = true,
    .call = call,
    .kick = kick,
    .turn = turn,
    .arm = arm,
    .disarm = disarm,
    .wait = wait,
};
