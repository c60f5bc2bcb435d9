/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics' slow half: what need not be counted packet by packet is looked up every few
 * milliseconds, while the stack works and until all that it did is told; an idle stack has no tick.
 */
#ifndef LOOP_TICK_H
#define LOOP_TICK_H

#include "stack/stack.h"

void tick_open(struct stack *s);
void tick_start(struct stack *s);

/* After each turn that found work: there is something to tell. */
static inline void tick_after_work(struct stack *s)
{
    s->rows.stale = s->rows.sockets;
    if (UNLIKELY(!list_is_linked(&s->tick.link)))
        tick_start(s);
}

/* Timers are about to run: what they do is told in the same turn, when nothing else keeps the stack awake. */
static inline void tick_with_timers(struct stack *s)
{
    if (!list_is_linked(&s->tick.link))
        stack_timer_start(s, &s->tick, s->now_us);
}

/* The last look, before a stack ends. */
void tick_now(struct stack *s);

#endif
