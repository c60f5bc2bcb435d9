/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/kernel_calls.h"
#include "loop/tick.h"
#include "port/hooks.h"
#include "port/interrupt.h"
#include "stack/group.h"

/* Calls per turn, so that a crowd of callers does not starve the device. */
#define CALLS_PER_TURN 64
/* lwIP's timers have a resolution of a millisecond. */
#define TIMER_STEP_US 1000
/* One turn of so many is measured: the clock costs more than most of what is counted. */
#define MEASURE_EVERY 16
/*
 * Sleeps on a port without an interrupt: short at first, longer the longer nothing comes, and longer
 * still when nothing can come, for then only the link's return is to be noticed.
 */
#define NAP_MIN_US 50
#define NAP_MAX_US 6400
#define NAP_LINK_DOWN_MAX_US 51200

static int ports_input(struct stack *s)
{
    int work = 0;

    for (unsigned i = 0; i < s->ports_count; i++)
        work += (int)netif_port_input(s->ports[i]);
    return work;
}

static void ports_look(struct stack *s)
{
    for (unsigned i = 0; i < s->ports_count; i++)
        netif_port_look(s->ports[i]);
}

/* What a device refuses stays: it is tried again with each turn, but is no reason to stay awake, for
 * a peer that does not take its packets may never do so. */
static void ports_flush(struct stack *s)
{
    for (unsigned i = 0; i < s->ports_count; i++)
        netif_port_flush(s->ports[i]);
}

/* -EAGAIN: packets wait already. */
static int ports_arm(struct stack *s)
{
    for (unsigned i = 0; i < s->ports_count; i++) {
        if (port_queue_arm(netif_port_queue(s->ports[i])) < 0)
            return -EAGAIN;
    }
    return 0;
}

/* How long a sleep may be for the ports' sake, once they are armed. */
static uint64_t ports_nap_max_us(const struct stack *s)
{
    uint64_t max = UINT64_MAX;

    for (unsigned i = 0; i < s->ports_count; i++) {
        struct netif_port *port = s->ports[i];

        if (!port_queue_wakes(netif_port_queue(port)) || netif_port_pending(port) > 0)
            max = min_u64(max, netif_port_link_is_up(port) ? NAP_MAX_US : NAP_LINK_DOWN_MAX_US);
    }
    return max;
}

static void timers(struct stack *s)
{
    uint64_t lwip, own;

    if (s->now_us < s->next_timer_us && s->now_us - s->timers_us < TIMER_STEP_US)
        return;
    s->timers_us = s->now_us;
    if (s->now_us >= s->next_timer_us)
        tick_with_timers(s);
    lwip = instance_timers(s->lwip, s->now_us);
    own = stack_timers_run(s);
    s->next_timer_us = lwip < own ? lwip : own;
}

static int drain(struct stack *s)
{
    struct mpsc_node *returned = mpsc_take(&s->returns);
    struct mpsc_node *dirty = mpsc_take(&s->dirty);

    if (returned)
        s->take_back(s, returned);
    if (dirty == NULL)
        return returned != NULL;
    s->drain(dirty);
    return 1;
}

static void trace_slow_turn(struct stack *s, uint64_t start_ns, int work)
{
    uint64_t turn_ns = clock_now_ns() - start_ns;

    if (turn_ns > s->trace.slow_turn_ns)
        trace_values(&s->trace, TRACE_slow_turn, turn_ns, (uint64_t)work);
}

int loop_turn(struct stack *s)
{
    struct stack_visit visit = stack_enter(s);
    uint64_t start_ns = clock_now_ns();
    int work, calls;

    s->now_ns = start_ns;
    s->now_us = start_ns / 1000;
    if (s->flight != NULL)
        s->flight->now_ns = start_ns;
    instance_clock(s->lwip, s->now_us);
    atomic_store_explicit(&s->last_turn_us, s->now_us, memory_order_relaxed);
    STAT_SET(s->stats, turned_us, s->now_us);

    work = calls = (int)rpc_poll(&s->inbox, CALLS_PER_TURN);
    if (LIKELY(!atomic_load_explicit(&group.deaf, memory_order_relaxed)))
        work += ports_input(s);
    else
        ports_look(s);
    timers(s);
    work += drain(s);
    work += (int)instance_loopback();
    ports_flush(s);
    s->ready_flush(s);

    STAT_INC(s->stats, turns);
    if (work == 0) {
        STAT_INC(s->stats, turns_idle);
    } else {
        s->nap_us = NAP_MIN_US;
        if (calls > 0)
            STAT_ADD(s->stats, rpc_calls, calls);
        tick_after_work(s);
        if (s->stats->turns % MEASURE_EVERY == 0)
            histogram_add(&s->stats->turn_ns, clock_now_ns() - start_ns);
    }
    if (trace_is_on(&s->trace, TRACE_BIT(slow_turn)))
        trace_slow_turn(s, start_ns, work);
    stack_leave(visit);
    return work;
}

bool loop_arm(struct stack *s, uint64_t *until_us)
{
    uint64_t until, nap_max_us;

    doorbell_arm(&s->bell);
    s->armed = true;
    if (!atomic_load(&group.deaf) && ports_arm(s) < 0) {
        loop_disarm(s);
        return false;
    }
    s->timers_us = 0; /* the sleep's length wants the exact time of the next timer */
    if (loop_turn(s) > 0) {
        loop_disarm(s);
        return false;
    }
    until = s->next_timer_us;
    nap_max_us = ports_nap_max_us(s);
    if (nap_max_us != UINT64_MAX) {
        s->nap_us = min_u64(s->nap_us, nap_max_us);
        until = min_u64(until, s->now_us + s->nap_us);
        s->nap_us *= 2;
    }
    for (unsigned i = 0; i < s->ports_count; i++)
        until = min_u64(until, port_hooks_due_us(netif_port_queue(s->ports[i])));
    *until_us = until;
    STAT_INC(s->stats, sleeps);
    STAT_SET(s->stats, sleeping, 1);
    s->asleep_us = s->now_us;
    s->wake_us = until;
    if (trace_is_on(&s->trace, TRACE_BIT(sleep)))
        trace_values(&s->trace, TRACE_sleep, until == UINT64_MAX ? 0 : max_u64(until, s->now_us + 1) - s->now_us,
                     nap_max_us == UINT64_MAX ? 0 : nap_max_us);
    return true;
}

/*
 * Before the doorbell is disarmed, and before a turn: who ended the sleep? The doorbell is rung for calls,
 * which lie here, and for packets of another stack, which do not.
 */
static void count_sleep(struct stack *s)
{
    uint64_t now_us = clock_now_us();
    enum trace_wake by = TRACE_WAKE_DEVICE;

    STAT_ADD(s->stats, sleep_us, now_us - s->asleep_us);
    STAT_SET(s->stats, sleeping, 0);
    if (stack_has_mail(s) || !mpsc_is_empty(&s->returns)) {
        STAT_INC(s->stats, wakeups_doorbell);
        by = TRACE_WAKE_CALL;
    } else if (now_us >= s->wake_us && !doorbell_was_rung(&s->bell)) {
        STAT_INC(s->stats, wakeups_timer);
        by = TRACE_WAKE_TIMER;
    } else {
        STAT_INC(s->stats, wakeups_device);
    }
    if (trace_is_on(&s->trace, TRACE_BIT(wake)))
        trace_values(&s->trace, TRACE_wake, now_us - s->asleep_us, by);
    s->asleep_us = 0;
}

void loop_disarm(struct stack *s)
{
    if (!s->armed)
        return;
    s->armed = false;
    if (s->asleep_us)
        count_sleep(s);
    for (unsigned i = 0; i < s->ports_count; i++)
        port_queue_disarm(netif_port_queue(s->ports[i]));
    doorbell_disarm(&s->bell);
}

static int watch(int epoll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return kernel.epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int loop_sleep_open(struct stack *s)
{
    int result;

    s->nap_us = NAP_MIN_US;
    s->sleep_fd = kernel.epoll_create1(EPOLL_CLOEXEC);
    if (s->sleep_fd < 0)
        return -errno;
    result = watch(s->sleep_fd, s->bell.fd);
    for (unsigned i = 0; i < s->ports_count && result == 0; i++) {
        int fd = port_queue_fd(netif_port_queue(s->ports[i]));

        if (fd >= 0)
            result = watch(s->sleep_fd, fd);
    }
    if (result < 0)
        loop_sleep_close(s);
    return result;
}

void loop_sleep_close(struct stack *s)
{
    if (s->sleep_fd >= 0)
        kernel.close(s->sleep_fd);
    s->sleep_fd = -1;
}
