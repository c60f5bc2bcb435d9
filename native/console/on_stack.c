/* SPDX-License-Identifier: Apache-2.0 */
#include "console/on_stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "console/request.h"
#include "stack/group.h"

/* A turn takes microseconds, a machine under load milliseconds. */
#define PATIENCE_NS UINT64_C(2000000000)
/* Who still owes an answer gets less. */
#define PATIENCE_OWED_NS UINT64_C(20000000)
/* So often an inline stack is looked at, which whoever drives it may have left without a word. */
#define LOOK_NS UINT64_C(1000000)

enum outcome { PENDING, RAN, LEFT };

/* The stack's and the waiter's; who is through with it last frees it. */
struct call {
    struct rpc rpc;
    struct stack *stack;
    on_stack_function *run, *late;
    _Atomic enum outcome outcome;
    _Atomic unsigned owners;
    _Alignas(16) char context[];
};

/* By stack: calls whose waiter has left. */
static _Atomic unsigned owed[STACKS_MAX];

static void put(struct call *call)
{
    if (atomic_fetch_sub(&call->owners, 1) == 1)
        free(call);
}

static void run_call(struct rpc *rpc)
{
    struct call *call = container_of(rpc, struct call, rpc);

    call->run(call->stack, call->context);
    if (atomic_exchange(&call->outcome, RAN) == LEFT) {
        atomic_fetch_sub(&owed[call->stack->id], 1);
        if (call->late != NULL)
            call->late(call->stack, call->context);
    }
    rpc_finish(rpc);
    put(call);
}

struct call *on_stack_post(struct stack *stack, on_stack_function *run, const void *context, size_t bytes,
                           on_stack_function *late)
{
    struct call *call = malloc(sizeof(*call) + bytes);

    if (call == NULL)
        return NULL;
    call->stack = stack;
    call->run = run;
    call->late = late;
    atomic_init(&call->outcome, PENDING);
    atomic_init(&call->owners, 2);
    memcpy(call->context, context, bytes);
    rpc_init(&call->rpc, run_call);
    rpc_post(&stack->inbox, &call->rpc);
    stack->driver->kick(stack);
    return call;
}

/* False: the time is over. A stack is never waited for less than those that owe an answer. */
static bool wait_for(struct call *call, uint64_t end_ns)
{
    struct stack *s = call->stack;
    uint64_t now_ns = clock_now_ns();

    if (atomic_load(&owed[s->id]) || end_ns < now_ns + PATIENCE_OWED_NS)
        end_ns = now_ns + PATIENCE_OWED_NS;
    while (!rpc_wait_until(&call->rpc, s->driver->caller_drives ? min_u64(now_ns + LOOK_NS, end_ns) : end_ns)) {
        now_ns = clock_now_ns();
        if (now_ns >= end_ns)
            return false;
        s->driver->kick(s);
    }
    return true;
}

uint64_t on_stack_patience(void)
{
    return clock_now_ns() + PATIENCE_NS;
}

int on_stack_wait(struct call *call, uint64_t end_ns, void *context, size_t bytes)
{
    unsigned id;
    int result = 0;

    if (call == NULL)
        return -ENOMEM;
    id = call->stack->id;
    if (!wait_for(call, end_ns)) {
        atomic_fetch_add(&owed[id], 1);
        if (atomic_exchange(&call->outcome, LEFT) == RAN)
            atomic_fetch_sub(&owed[id], 1); /* at the last moment */
        else
            result = -ETIMEDOUT;
    }
    if (result == 0)
        memcpy(context, call->context, bytes);
    put(call);
    return result;
}

int on_stack(struct stack *stack, on_stack_function *run, void *context, size_t bytes, on_stack_function *late)
{
    return on_stack_wait(on_stack_post(stack, run, context, bytes, late), on_stack_patience(), context, bytes);
}

int on_stacks(on_stack_function *run, const void *context, size_t bytes)
{
    struct call *call[STACKS_MAX];
    uint64_t end_ns = on_stack_patience();
    char ignored[ON_STACKS_BYTES];
    int silent = -1;

    INVARIANT(bytes <= sizeof(ignored));
    for (unsigned i = 0; i < group.count; i++)
        call[i] = on_stack_post(group.stacks[i], run, context, bytes, NULL);
    for (unsigned i = 0; i < group.count; i++)
        if (on_stack_wait(call[i], end_ns, ignored, bytes) < 0 && silent < 0)
            silent = (int)i;
    return silent;
}

void on_stack_silence(char *text, size_t size, int stack)
{
    uint64_t turned_us = atomic_load(&group.stacks[stack]->last_turn_us), now_us = clock_now_us();
    char others[128] = "";
    size_t length = 0;

    for (unsigned i = 0; i < group.count && length < sizeof(others); i++)
        if ((int)i != stack && atomic_load(&owed[i]) > 0)
            length += (size_t)snprintf(others + length, sizeof(others) - length, "%s%u",
                                       length ? ", " : " (nor does stack ", i);
    snprintf(text, size, "stack %d does not answer%s%s: its last turn began %llu ms ago, and it hangs since. What lies "
             "in shared memory can still be read: pronghorn show, latency, flight, drops; gdb -p shows where it hangs",
             stack, others, length ? ")" : "",
             (unsigned long long)(now_us > turned_us ? (now_us - turned_us) / 1000 : 0));
}

void answer_silent(struct json_out *answer, int stack)
{
    char text[400];

    on_stack_silence(text, sizeof(text), stack);
    answer_error(answer, "%s", text);
}
