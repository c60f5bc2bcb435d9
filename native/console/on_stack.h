/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a function in the context of stacks and waits, but not for ever: a stack may hang, and who asks
 * is the one who wants to find out why. Several are asked at once and waited for together, so that
 * several that hang cost no more than one. The console's thread, and the start.
 */
#ifndef CONSOLE_ON_STACK_H
#define CONSOLE_ON_STACK_H

#include <stddef.h>
#include <stdint.h>

struct json_out;
struct stack;

typedef void on_stack_function(struct stack *stack, void *context);

/*
 * run() gets a copy of the `bytes` at `context`; they are copied back when it has ended. 0, or
 * -ETIMEDOUT: the stack did not come to it in time (or -ENOMEM). It will nevertheless run, before what
 * is asked of the stack after it, and then late() (NULL: nothing to do), for what the copy holds.
 */
int on_stack(struct stack *stack, on_stack_function *run, void *context, size_t bytes, on_stack_function *late);

/* The two halves of it. NULL: out of memory, for which the wait gives -ENOMEM. */
struct call;
struct call *on_stack_post(struct stack *stack, on_stack_function *run, const void *context, size_t bytes,
                           on_stack_function *late);
/* Until `end_ns`, on_stack_patience() from when the first of several was posted. */
int on_stack_wait(struct call *call, uint64_t end_ns, void *context, size_t bytes);
uint64_t on_stack_patience(void);

/* On all of them; each has a copy of its own of at most ON_STACKS_BYTES. -1, or the first that did not answer. */
#define ON_STACKS_BYTES 64
int on_stacks(on_stack_function *run, const void *context, size_t bytes);

/* Says so, which others owe an answer, and what can still be read. */
void answer_silent(struct json_out *answer, int stack);
void on_stack_silence(char *text, size_t size, int stack);

#endif
