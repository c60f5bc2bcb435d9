/* SPDX-License-Identifier: Apache-2.0 */
#include "stack/stack.h"

void stack_timer_start(struct stack *s, struct stack_timer *timer, uint64_t at_us)
{
    struct stack_timer *later;

    list_remove(&timer->link);
    timer->at_us = at_us;
    LIST_EACH(later, &s->timers, link) {
        if (later->at_us > at_us)
            break;
    }
    /* Before `later`, which is the head itself when all are sooner. */
    list_push_back(&later->link, &timer->link);
}

void stack_timer_stop(struct stack_timer *timer)
{
    list_remove(&timer->link);
}

uint64_t stack_timers_run(struct stack *s)
{
    struct list *first;

    while ((first = list_first(&s->timers)) != NULL) {
        struct stack_timer *timer = container_of(first, struct stack_timer, link);

        if (timer->at_us > s->now_us)
            return timer->at_us;
        list_remove(first);
        STAT_INC(s->stats, timers);
        timer->run(timer);
    }
    return UINT64_MAX;
}
