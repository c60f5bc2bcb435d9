/* SPDX-License-Identifier: Apache-2.0 */
/* stack.drive = dedicated: one thread per stack holds the turn for good. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "stack/group.h"
#include "stack/sleep.h"

static pthread_t threads[STACKS_MAX];

static void *run(void *argument)
{
    struct stack *s = argument;
    uint64_t busy_us = clock_now_us();
    char name[16];

    snprintf(name, sizeof(name), "pronghorn-%u", s->id);
    core_name_thread(name);
    if (s->core >= 0 && core_pin((unsigned)s->core) < 0)
        log_warn("stack %u: cannot pin its thread to core %d; is the core in this process's "
                 "affinity mask (taskset -p)?", s->id, s->core);
    STAT_SET(s->stats, thread, gettid());
    STAT_SET(s->stats, core, s->core + 1);
    while (!atomic_load_explicit(&s->stopping, memory_order_acquire)) {
        uint64_t until_us;

        if (loop_turn(s) > 0) {
            busy_us = s->now_us;
            continue;
        }
        if (s->now_us - busy_us < s->spin_us) {
            cpu_relax();
            continue;
        }
        if (loop_arm(s, &until_us)) {
            if (!atomic_load(&s->stopping))
                sleep_on(atomic_load(&group.deaf) ? s->bell.fd : s->sleep_fd, -1, until_us);
            loop_disarm(s);
        } else {
            busy_us = s->now_us;
        }
    }
    return NULL;
}

int dedicated_start(struct stack *s)
{
    sigset_t all, before;
    int error;

    /* Signals are the application's: none may be handled on a stack's thread. */
    sigfillset(&all);
    atomic_store(&s->turn, 1);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&threads[s->id], NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

void dedicated_stop(struct stack *s)
{
    atomic_store(&s->stopping, true);
    doorbell_ring(&s->bell);
    pthread_join(threads[s->id], NULL);
    atomic_store(&s->turn, 0);
}

static void call(struct stack *s, struct rpc *rpc)
{
    if (rpc_post(&s->inbox, rpc))
        doorbell_ring(&s->bell);
    rpc_wait(rpc);
}

static void kick(struct stack *s)
{
    doorbell_ring(&s->bell);
}

static int turn(struct stack *s)
{
    (void)s;
    return 0;
}

static bool arm(struct stack *s, struct waiter *w, uint64_t *until_us)
{
    (void)s;
    (void)w;
    *until_us = UINT64_MAX;
    return true;
}

static void disarm(struct stack *s, struct waiter *w)
{
    (void)s;
    (void)w;
}

static int wait(struct stack *s, struct waiter *w, uint64_t deadline_ns)
{
    int result = 0;

    (void)s;
    doorbell_arm(&w->bell);
    if (!waiter_is_signalled(w))
        result = sleep_on(w->bell.fd, -1,
                            deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns / 1000 + 1);
    doorbell_disarm(&w->bell);
    waiter_take(w);
    return result;
}

const struct stack_driver dedicated_driver = {
    .name = "dedicated",
    .call = call,
    .kick = kick,
    .turn = turn,
    .arm = arm,
    .disarm = disarm,
    .wait = wait,
};
