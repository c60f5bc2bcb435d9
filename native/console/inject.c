/* SPDX-License-Identifier: Apache-2.0 */
#include "console/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "console/filter.h"
#include "console/on_stack.h"
#include "port/faults.h"
#include "port/hooks.h"
#include "port/port.h"
#include "stack/group.h"

/* The filter that faults use at present; one at a time, for all stacks. */
static struct filter *in_use;

struct change {
    bool end;
    struct faults_settings settings;
    struct filter *filter; /* that the stack has, or gets; held */
    int port;              /* < 0: all */
    unsigned queues;
};

/*
 * Each queue draws fates of its own, though one seed decides all of them: with the same ones at both ends of a wire
 * the second flips the very bit back that the first had flipped.
 */
static struct faults *faults_for(const struct change *change, const struct stack *stack, uint16_t port)
{
    struct faults_settings settings = change->settings;

    settings.seed += ((uint64_t)port * STACKS_MAX + stack->id) * UINT64_C(0x9e3779b97f4a7c15);
    return faults_create(&settings);
}

static void change_stack(struct stack *stack, void *context)
{
    struct change *change = context;
    bool any = false;

    for (unsigned i = 0; i < stack->ports_count; i++) {
        struct port_queue *queue = netif_port_queue(stack->ports[i]);
        uint16_t port = netif_port_port(stack->ports[i])->id;
        bool chosen = change->port < 0 || port == change->port;
        struct faults *faults = chosen && !change->end ? faults_for(change, stack, port) : NULL;

        faults_destroy(port_faults_set(queue, faults), queue);
        any |= faults != NULL;
        change->queues += faults != NULL;
    }
    STAT_SET(stack->stats, faults, any);
}

static void change_late(struct stack *stack, void *context)
{
    const struct change *change = context;

    filter_free(change->filter);
}

/* -1, or the stack that did not answer: it keeps its filter until it does. */
static int change_stacks(int chosen, struct change *change)
{
    struct call *call[STACKS_MAX];
    uint64_t end_ns = on_stack_patience();
    int silent = -1;

    change->filter = in_use;
    for (unsigned i = 0; i < group.count; i++) {
        if (chosen >= 0 && (unsigned)chosen != i)
            continue;
        filter_hold(in_use);
        call[i] = on_stack_post(group.stacks[i], change_stack, change, sizeof(*change), change_late);
    }
    for (unsigned i = 0; i < group.count; i++) {
        struct change done = { 0 };
        int result;

        if (chosen >= 0 && (unsigned)chosen != i)
            continue;
        result = on_stack_wait(call[i], end_ns, &done, sizeof(done));
        change->queues += done.queues;
        if (result != -ETIMEDOUT)
            filter_free(in_use);
        if (result < 0 && silent < 0)
            silent = (int)i;
    }
    return silent;
}

int inject_stop(void)
{
    struct change end = { .end = true, .port = -1 };
    int silent = change_stacks(-1, &end);

    filter_free(in_use);
    in_use = NULL;
    return silent;
}

void inject(struct request *request, struct json_out *answer)
{
    const char *expression = request_text(request, "filter", "");
    bool off = request_number(request, "off", 0, 0, 1) != 0;
    int stack = (int)request_number(request, "stack", UINT64_MAX, 0, group.count - 1);
    struct faults_settings faults = {
        .directions = (uint32_t)request_number(request, "directions", CAPTURE_IN | CAPTURE_OUT, 1, 3),
        .delay_us = (uint32_t)request_number(request, "delay_us", 0, 0, 60000000),
        .jitter_us = (uint32_t)request_number(request, "jitter_us", 0, 0, 60000000),
        .loss_ppm = (uint32_t)request_number(request, "loss_ppm", 0, 0, 1000000),
        .duplicate_ppm = (uint32_t)request_number(request, "duplicate_ppm", 0, 0, 1000000),
        .reorder_ppm = (uint32_t)request_number(request, "reorder_ppm", 0, 0, 1000000),
        .corrupt_ppm = (uint32_t)request_number(request, "corrupt_ppm", 0, 0, 1000000),
        .rate_bits = request_number(request, "rate_bits", 0, 1000, UINT64_C(1000000000000)),
        .seed = request_number(request, "seed", 1, 0, UINT64_MAX / 4),
    };
    struct change change = { .port = (int)request_number(request, "port", UINT64_MAX, 0, 65535) };
    char err[512];
    int silent;

    if (!request_is_sound(request, answer))
        return;
    silent = inject_stop();
    if (silent >= 0) {
        answer_silent(answer, silent);
        return;
    }
    if (off) {
        log_warn("faults are no longer injected");
        answer_done(answer);
        return;
    }
    if (*expression && filter_compile(expression, &in_use, err, sizeof(err)) < 0) {
        answer_error(answer, "%s", err);
        return;
    }
    faults.filter = in_use ? filter_matches : NULL;
    faults.program = in_use;
    change.settings = faults;
    silent = change_stacks(stack, &change);
    if (silent >= 0) {
        inject_stop(); /* on the others, and there too when it turns again */
        answer_silent(answer, silent);
        return;
    }
    if (change.queues == 0) {
        answer_error(answer, "there is no such port on that stack");
        return;
    }
    log_warn("FAULTS ARE BEING INJECTED on purpose, on %u queues; \"pronghorn inject --off\" ends it", change.queues);
    json_open(answer, NULL, '{');
    json_number(answer, "queues", change.queues);
    json_number(answer, "seed", faults.seed);
    json_close(answer, '}');
}
