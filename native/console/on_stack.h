/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a function in the context of stacks, one after the other, and waits. The console's thread. */
#ifndef CONSOLE_ON_STACK_H
#define CONSOLE_ON_STACK_H

#include "base/compiler.h"
#include "stack/group.h"

struct on_stack_call {
    struct rpc rpc;
    struct stack *stack;
    void (*run)(struct stack *stack, void *context);
    void *context;
};

static inline void on_stack_run(struct rpc *rpc)
{
    struct on_stack_call *call = container_of(rpc, struct on_stack_call, rpc);

    call->run(call->stack, call->context);
    rpc_finish(rpc);
}

static inline void on_stack(struct stack *stack, void (*run)(struct stack *stack, void *context), void *context)
{
    struct on_stack_call call = { .stack = stack, .run = run, .context = context };

    rpc_init(&call.rpc, on_stack_run);
    stack_call(stack, &call.rpc);
}

/* `chosen` < 0: all. */
static inline void on_stacks(int chosen, void (*run)(struct stack *stack, void *context), void *context)
{
    for (unsigned i = 0; i < group.count; i++)
        if (chosen < 0 || (unsigned)chosen == i)
            on_stack(group.stacks[i], run, context);
}

#endif
