/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.drive = inline: whichever application thread calls takes the turn, if it is free, and gives
 * it back before it returns. Who finds it taken leaves its work in the inbox or the dirty queue; the
 * holder looks there again after it has given the turn back, so that nothing is left behind.
 */
#include <errno.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "stack/group.h"
#include "stack/sleep.h"

/* How long to sleep when another thread drives: it may go away without a word. */
#define OTHER_DRIVES_US 1000
/* Timers that another thread's turn started wait so long for one of those who sleep: no longer than the
 * statistics' tick (loop/tick.c), for which one of them comes anyway while anything happens. */
#define SLEEPERS_LATE_US 10000

/*
 * Holding the turn: one turn. While threads sleep on the stack it stays armed, whoever else turns it: what
 * comes when that one has gone home wakes them. Of timers they know those of the moment when they lay down.
 */
static int drive(struct stack *s)
{
    int work = loop_turn(s);

    if (UNLIKELY(s->armed) && work > 0 &&
        (atomic_load(&s->first) == NULL || s->first_us > s->now_us + SLEEPERS_LATE_US))
        doorbell_ring(&s->bell);
    return work;
}

static void give(struct stack *s)
{
    for (;;) {
        while (UNLIKELY(s->inbox.rest != NULL)) /* more calls than one turn takes */
            drive(s);
        stack_release(s);
        if (LIKELY(!stack_has_mail(s)) || !stack_try_acquire(s))
            return;
        drive(s);
    }
}

/* Holding the turn, disarmed: armed again for those who still sleep. If there was work there may be more,
 * and they are woken for it. */
static void arm_for_sleepers(struct stack *s)
{
    uint64_t until_us;

    if (LIKELY(atomic_load(&s->attended) == 0) || loop_arm(s, &until_us))
        return;
    s->armed = true;
    doorbell_arm(&s->bell);
    doorbell_ring(&s->bell);
}

static int turn(struct stack *s)
{
    int work;

    if (!stack_try_acquire(s))
        return 0;
    if (UNLIKELY(s->armed) && atomic_load(&s->attended) == 0)
        loop_disarm(s); /* who armed it came back while another drove */
    work = drive(s);
    give(s);
    return work;
}

static void kick(struct stack *s)
{
    turn(s);
}

static bool arm(struct stack *s, struct waiter *w, uint64_t *until_us)
{
    bool armed;

    if (!stack_try_acquire(s)) {
        *until_us = clock_now_us() + OTHER_DRIVES_US;
        atomic_fetch_add(&s->attended, 1);
        return true;
    }
    loop_disarm(s); /* others sleep, and have perhaps been rung for: one of all is enough */
    armed = loop_arm(s, until_us);
    if (!armed) {
        arm_for_sleepers(s);
    } else {
        struct waiter *first = atomic_load(&s->first);

        if (first == NULL || first == w || *until_us < s->first_us) {
            s->first_us = *until_us;
            atomic_store(&s->first, w);
        }
        atomic_fetch_add(&s->attended, 1);
    }
    give(s);
    return armed;
}

static void disarm(struct stack *s, struct waiter *w)
{
    struct waiter *first = w;

    atomic_compare_exchange_strong(&s->first, &first, NULL);
    atomic_fetch_sub(&s->attended, 1);
    if (!stack_try_acquire(s))
        return;
    loop_disarm(s);
    arm_for_sleepers(s);
    give(s);
}

/*
 * Whom a thread that blocks in a socket of `s` turns: that stack, and those in whose sockets no other
 * thread blocks. So a program with one thread has it turn all, and of threads with a stack each none
 * wakes for another's.
 */
static unsigned keep(struct stack *s, struct waiter *w, struct stack **mine)
{
    unsigned count = 1;

    mine[0] = s;
    if (atomic_load_explicit(&s->keeper, memory_order_relaxed) != w)
        atomic_store(&s->keeper, w);
    for (unsigned i = 0; i < group.count; i++) {
        struct waiter *keeper = atomic_load(&group.stacks[i]->keeper);

        if (group.stacks[i] != s && (keeper == NULL || keeper == w || atomic_load(&keeper->gone)))
            mine[count++] = group.stacks[i];
    }
    return count;
}

static int sleep_on_stacks(struct stack **mine, unsigned count, struct waiter *w, uint64_t until_us)
{
    struct pollfd fds[1 + STACKS_MAX];
    unsigned armed = 0;
    int result = 0;

    doorbell_arm(&w->bell);
    fds[0] = (struct pollfd){ .fd = w->bell.fd, .events = POLLIN };
    for (uint64_t until; armed < count && arm(mine[armed], w, &until); armed++) {
        until_us = min_u64(until_us, until);
        fds[1 + armed] = (struct pollfd){ .fd = mine[armed]->sleep_fd, .events = POLLIN };
    }
    if (armed == count && !waiter_is_signalled(w))
        result = sleep_on_all(fds, 1 + count, until_us);
    while (armed > 0)
        disarm(mine[--armed], w);
    doorbell_disarm(&w->bell);
    return result;
}

static int wait(struct stack *s, struct waiter *w, uint64_t deadline_ns)
{
    uint64_t deadline_us = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns / 1000 + 1;
    uint64_t start_us = clock_now_us();
    struct stack *mine[STACKS_MAX];
    unsigned count = keep(s, w, mine);
    int result;

    do {
        for (unsigned i = 0; i < count; i++)
            turn(mine[i]);
        if (waiter_take(w))
            return 0;
        cpu_relax();
    } while (s->spin_us == UINT64_MAX ? clock_now_us() < deadline_us
                                      : clock_now_us() - start_us < s->spin_us);
    if (s->spin_us == UINT64_MAX)
        return 0;
    result = sleep_on_stacks(mine, count, w, deadline_us);
    waiter_take(w);
    return result;
}

/* A call that waits for the network may take its time, which those do not have whom nobody attends. */
static void turn_others(const struct stack *s)
{
    for (unsigned i = 0; i < group.count; i++)
        if (group.stacks[i] != s && atomic_load(&group.stacks[i]->attended) == 0)
            turn(group.stacks[i]);
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
        if (clock_now_us() - start_us < 100)
            continue;
        turn_others(s);
        if (!arm(s, NULL, &until_us))
            continue;
        if (until_us > clock_now_us() + OTHER_DRIVES_US)
            until_us = clock_now_us() + OTHER_DRIVES_US;
        sleep_on(s->sleep_fd, -1, until_us);
        disarm(s, NULL);
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
