/* SPDX-License-Identifier: Apache-2.0 */
/* A stack's turn, and the two ways of driving it. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "stack/stack.h"

/* One turn; the caller holds stack->turn. Returns the work done; 0: idle. */
int loop_turn(struct stack *s);

/* Holding the turn: arms doorbell and devices and makes a last turn. False: there was work. */
bool loop_arm(struct stack *s, uint64_t *until_us);
void loop_disarm(struct stack *s);

/* Opens stack->sleep_fd over the doorbell and the ports' interrupts. 0 or -errno. */
int loop_sleep_open(struct stack *s);
void loop_sleep_close(struct stack *s);

/* stack.drive = dedicated: a pinned thread per stack. */
extern const struct stack_driver dedicated_driver;
int dedicated_start(struct stack *s);
void dedicated_stop(struct stack *s);

/* stack.drive = inline: application threads, and a caretaker while they stay away. */
extern const struct stack_driver inline_driver;
int caretaker_start(uint32_t away_ms);
void caretaker_stop(void);

#endif
