/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caretaker of inline stacks: a thread that looks in now and then, and turns the stacks whose
 * application stays away (computes, collects garbage, sleeps elsewhere), so that segments are
 * acknowledged, timers run and connections are accepted. While somebody drives, or sleeps ready to
 * drive, it does nothing.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/doorbell.h"
#include "base/kernel_calls.h"
#include "loop/loop.h"
#include "stack/sleep.h"
#include "stack/group.h"

static pthread_t thread;
static struct doorbell bell;
static _Atomic bool stopping;
static uint64_t away_us;
static bool running;

/* True: nobody has turned the stack for too long. */
static bool is_left_alone(struct stack *s, uint64_t now_us)
{
    uint64_t last = atomic_load_explicit(&s->last_turn_us, memory_order_relaxed);

    return atomic_load(&s->attended) == 0 && now_us > last && now_us - last >= away_us;
}

/* Turns it until nothing is to be done; when to come again at the latest. */
static uint64_t attend(struct stack *s)
{
    uint64_t until_us = clock_now_us() + away_us;

    if (!stack_try_acquire(s))
        return until_us;
    if (atomic_load(&s->attended) > 0) { /* somebody lay down meanwhile, and what is armed is armed for him */
        stack_release(s);
        return until_us;
    }
    loop_disarm(s);
    doorbell_disarm(&s->bell); /* a ring that came late would keep sleep_fd readable */
    for (int i = 0; i < 1000 && loop_turn(s) > 0; i++)
        STAT_INC(s->stats, turns_caretaker);
    if (s->next_timer_us < until_us)
        until_us = s->next_timer_us;
    /* Looks like nobody had been here: the next visit is due when the time is up again, or when the
     * device calls. */
    atomic_store_explicit(&s->last_turn_us, clock_now_us() - away_us, memory_order_relaxed);
    stack_release(s);
    return until_us;
}

static void *run(void *argument)
{
    struct pollfd fds[STACKS_MAX + 1] = { { .fd = bell.fd, .events = POLLIN } };

    (void)argument;
    core_name_thread("pronghorn-care");
    while (!atomic_load(&stopping)) {
        uint64_t now_us = clock_now_us(), until_us = now_us + away_us;
        nfds_t devices = 0;

        for (unsigned i = 0; i < group.count; i++) {
            struct stack *s = group.stacks[i];
            uint64_t next;

            if (!is_left_alone(s, now_us))
                continue;
            next = attend(s);
            if (next < until_us)
                until_us = next;
            if (!atomic_load(&group.deaf))
                fds[++devices] = (struct pollfd){ .fd = s->sleep_fd, .events = POLLIN };
        }
        doorbell_arm(&bell);
        if (!atomic_load(&stopping))
            sleep_on_all(fds, 1 + devices, until_us);
        doorbell_disarm(&bell);
    }
    return NULL;
}

int caretaker_start(uint32_t away_ms)
{
    sigset_t all, before;
    int error = doorbell_open(&bell);

    if (error < 0)
        return error;
    away_us = (uint64_t)away_ms * 1000;
    atomic_store(&stopping, false);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    running = error == 0;
    return -error;
}

void caretaker_stop(void)
{
    if (!running)
        return;
    running = false;
    atomic_store(&stopping, true);
    doorbell_ring(&bell);
    pthread_join(thread, NULL);
    doorbell_close(&bell);
}
