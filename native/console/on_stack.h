/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a function in the context of stacks, one after the other, and waits, but not for ever: a stack
 * may hang, and who asks is the one who wants to find out why. The console's thread, and the start.
 */
#ifndef CONSOLE_ON_STACK_H
#define CONSOLE_ON_STACK_H

#include <stddef.h>

struct json_out;
struct stack;

typedef void on_stack_function(struct stack *stack, void *context);

/*
 * run() gets a copy of the `bytes` at `context`; they are copied back when it has ended. 0, or
 * -ETIMEDOUT: the stack did not come to it in time (or -ENOMEM). It will nevertheless run, before what
 * is asked of the stack after it, and then late() (NULL: nothing to do), for what the copy holds.
 */
int on_stack(struct stack *stack, on_stack_function *run, void *context, size_t bytes, on_stack_function *late);

/* `chosen` < 0: all, each gets what the one before left in `context`. -1, or the first that did not answer. */
int on_stacks(int chosen, on_stack_function *run, void *context, size_t bytes, on_stack_function *late);

/* Says so, and what can still be read. */
void answer_silent(struct json_out *answer, int stack);
void on_stack_silence(char *text, size_t size, int stack);

#endif
