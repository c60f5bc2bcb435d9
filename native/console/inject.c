/* SPDX-License-Identifier: Apache-2.0 */
#include "console/inject.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "console/filter.h"
#include "console/on_stack.h"
#include "port/faults.h"
#include "port/hooks.h"
#include "port/port.h"
#include "stack/group.h"

#define ALL (-1)
#define BOTH (CAPTURE_IN | CAPTURE_OUT)

/*
 * A set of faults, on all stacks and ports, or on one. Owners: `sets`, and each call that is on its way to
 * a stack, so that a stack that hangs has what it uses until the call that ends it has run.
 */
struct set {
    _Atomic unsigned owners;
    unsigned number, queues;
    int stack, port; /* ALL, or one */
    struct faults_settings faults;
    struct filter *filter;
    char *expression;
    struct {
        struct faults_counts is;
    } CACHE_ALIGNED counts[STACKS_MAX]; /* each written by its stack */
};

static struct set *sets[FAULTS_SETS_MAX]; /* by number - 1; the console's thread */

struct change {
    struct set *set; /* held */
    bool end;
    unsigned queues;
};

static void set_put(struct set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->owners, 1) > 1)
        return;
    filter_free(set->filter);
    free(set->expression);
    free(set);
}

/*
 * Each queue draws fates of its own, though one seed decides all of them: with the same ones at both ends of a wire
 * the second flips the very bit back that the first had flipped.
 */
static struct faults *faults_for(struct set *set, const struct stack *stack, uint16_t port)
{
    struct faults_settings settings = set->faults;

    settings.seed += ((uint64_t)port * STACKS_MAX + stack->id) * UINT64_C(0x9e3779b97f4a7c15);
    settings.counts = &set->counts[stack->id].is;
    return faults_create(&settings);
}

static void change_stack(struct stack *stack, void *context)
{
    struct change *change = context;
    struct set *set = change->set;
    uint64_t numbers = 0;

    for (unsigned i = 0; i < stack->ports_count; i++) {
        struct port_queue *queue = netif_port_queue(stack->ports[i]);
        uint16_t port = netif_port_port(stack->ports[i])->id;
        bool chosen = set->port == ALL || port == set->port;
        struct faults *faults = chosen && !change->end ? faults_for(set, stack, port) : NULL;

        faults_destroy(port_faults_set(queue, set->number, faults), queue);
        numbers |= port_faults_numbers(queue);
        change->queues += port_faults_numbers(queue) >> (set->number - 1) & 1;
    }
    STAT_SET(stack->stats, faults, numbers);
}

static void change_late(struct stack *stack, void *context)
{
    const struct change *change = context;

    set_put(change->set);
}

/* -1, or the stack that did not answer: it keeps the set until it does. */
static int change_stacks(struct change *change)
{
    struct call *call[STACKS_MAX];
    uint64_t end_ns = on_stack_patience();
    struct set *set = change->set;
    int silent = -1;

    for (unsigned i = 0; i < group.count; i++) {
        if (set->stack != ALL && (unsigned)set->stack != i)
            continue;
        atomic_fetch_add(&set->owners, 1);
        call[i] = on_stack_post(group.stacks[i], change_stack, change, sizeof(*change), change_late);
    }
    for (unsigned i = 0; i < group.count; i++) {
        struct change done = { 0 };
        int result;

        if (set->stack != ALL && (unsigned)set->stack != i)
            continue;
        result = on_stack_wait(call[i], end_ns, &done, sizeof(done));
        change->queues += done.queues;
        if (result != -ETIMEDOUT)
            set_put(set);
        if (result < 0 && silent < 0)
            silent = (int)i;
    }
    return silent;
}

static int end_set(unsigned number)
{
    struct change end = { .set = sets[number - 1], .end = true };
    int silent;

    if (end.set == NULL)
        return -1;
    silent = change_stacks(&end);
    sets[number - 1] = NULL;
    set_put(end.set);
    return silent;
}

int inject_stop(void)
{
    int silent = -1;

    for (unsigned number = 1; number <= FAULTS_SETS_MAX; number++) {
        int of_this = end_set(number);

        if (silent < 0)
            silent = of_this;
    }
    return silent;
}

/* All that `set` would choose is chosen by the other one, too. */
static bool covers(const struct set *other, const struct set *set)
{
    return (other->stack == ALL || other->stack == set->stack) && (other->port == ALL || other->port == set->port) &&
           (set->faults.directions & ~other->faults.directions) == 0 &&
           (*other->expression == '\0' || strcmp(other->expression, set->expression) == 0);
}

/* The place of one that chooses the very same packets, of which one would never see any; else a free one; 0: none. */
static unsigned number_for(const struct set *set)
{
    unsigned number = 0;

    for (unsigned i = FAULTS_SETS_MAX; i-- > 0;)
        if (sets[i] == NULL)
            number = i + 1;
    for (unsigned i = 0; i < FAULTS_SETS_MAX; i++)
        if (sets[i] != NULL && covers(sets[i], set) && covers(set, sets[i]))
            return i + 1;
    return number;
}

/* The number of an earlier set that leaves nothing for this one; 0: none does. */
static unsigned hidden_by(const struct set *set)
{
    for (unsigned i = 0; i < set->number - 1; i++)
        if (sets[i] != NULL && covers(sets[i], set))
            return i + 1;
    return 0;
}

static uint64_t total(const struct set *set, size_t offset)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < group.count; i++)
        sum += __atomic_load_n((const uint64_t *)((const char *)&set->counts[i].is + offset), __ATOMIC_RELAXED);
    return sum;
}

static void describe(const struct set *set, struct json_out *answer)
{
    static const struct {
        const char *name;
        size_t offset;
    } counts[] = {
#define COUNT(name) { #name, offsetof(struct faults_counts, name) }
        COUNT(packets), COUNT(lost), COUNT(overrun), COUNT(duplicated), COUNT(reordered), COUNT(corrupted), COUNT(held),
    };
    const struct faults_settings *f = &set->faults;

    json_open(answer, NULL, '{');
    json_number(answer, "number", set->number);
    if (set->stack != ALL)
        json_signed(answer, "stack", set->stack);
    if (set->port != ALL)
        json_signed(answer, "port", set->port);
    json_number(answer, "directions", f->directions);
    if (*set->expression)
        json_string(answer, "filter", set->expression);
    json_number(answer, "delay_us", f->delay_us);
    json_number(answer, "jitter_us", f->jitter_us);
    json_number(answer, "loss_ppm", f->loss_ppm);
    json_number(answer, "duplicate_ppm", f->duplicate_ppm);
    json_number(answer, "reorder_ppm", f->reorder_ppm);
    json_number(answer, "corrupt_ppm", f->corrupt_ppm);
    json_number(answer, "rate_bits", f->rate_bits);
    json_number(answer, "seed", f->seed);
    json_number(answer, "queues", set->queues);
    json_number(answer, "hidden_by", hidden_by(set));
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        json_number(answer, counts[i].name, total(set, counts[i].offset));
    json_close(answer, '}');
}

static void list(struct json_out *answer)
{
    json_open(answer, NULL, '{');
    json_open(answer, "sets", '[');
    for (unsigned i = 0; i < FAULTS_SETS_MAX; i++)
        if (sets[i] != NULL)
            describe(sets[i], answer);
    json_close(answer, ']');
    json_close(answer, '}');
}

static void nothing(struct stack *stack, void *context)
{
}

static void end(unsigned number, struct json_out *answer)
{
    char none = 0;
    int silent;

    if (number != 0 && sets[number - 1] == NULL) {
        answer_error(answer, "there is no set %u: pronghorn inject shows those in force", number);
        return;
    }
    silent = number != 0 ? end_set(number) : inject_stop();
    if (silent < 0) /* of sets that ended before: once a stack answers this, they have ended there, too */
        silent = on_stacks(nothing, &none, sizeof(none));
    if (silent >= 0) {
        answer_silent(answer, silent);
        return;
    }
    if (number != 0)
        log_warn("faults of set %u are no longer injected", number);
    else
        log_warn("faults are no longer injected");
    answer_done(answer);
}

/* Gives the set away. */
static void begin(struct set *set, struct json_out *answer)
{
    struct change change = { .set = set };
    int silent = end_set(set->number);

    if (silent < 0) {
        sets[set->number - 1] = set;
        silent = change_stacks(&change);
        if (silent >= 0)
            end_set(set->number); /* on the others, and there too when it turns again */
    } else {
        set_put(set);
    }
    if (silent >= 0) {
        answer_silent(answer, silent);
        return;
    }
    if (change.queues == 0) {
        end_set(set->number);
        answer_error(answer, "there is no such port on that stack");
        return;
    }
    set->queues = change.queues;
    log_warn("FAULTS ARE BEING INJECTED on purpose: set %u, on %u queues; \"pronghorn inject off\" ends it",
             set->number, set->queues);
    describe(set, answer);
}

/* NULL: the answer says why. */
static struct set *set_create(const struct faults_settings *faults, const char *expression, int stack, int port,
                              struct json_out *answer)
{
    struct set *set = aligned_alloc(CACHE_LINE, sizeof(*set));
    char err[512] = "out of memory";

    if (set == NULL)
        goto failed;
    memset(set, 0, sizeof(*set));
    atomic_init(&set->owners, 1);
    set->stack = stack;
    set->port = port;
    set->expression = strdup(expression);
    if (set->expression == NULL || (*expression && filter_compile(expression, &set->filter, err, sizeof(err)) < 0))
        goto failed;
    set->faults = *faults;
    set->faults.filter = set->filter ? filter_matches : NULL;
    set->faults.program = set->filter;
    return set;

failed:
    set_put(set);
    answer_error(answer, "%s", err);
    return NULL;
}

void inject(struct request *request, struct json_out *answer)
{
    const char *expression = request_text(request, "filter", "");
    bool off = request_number(request, "off", 0, 0, 1) != 0, show = request_number(request, "show", 0, 0, 1) != 0;
    unsigned number = (unsigned)request_number(request, "number", 0, 1, FAULTS_SETS_MAX);
    int stack = (int)request_number(request, "stack", UINT64_MAX, 0, group.count - 1);
    int port = (int)request_number(request, "port", UINT64_MAX, 0, 65535);
    struct faults_settings faults = {
        .directions = (uint32_t)request_number(request, "directions", BOTH, 1, BOTH),
        .delay_us = (uint32_t)request_number(request, "delay_us", 0, 0, 60000000),
        .jitter_us = (uint32_t)request_number(request, "jitter_us", 0, 0, 60000000),
        .loss_ppm = (uint32_t)request_number(request, "loss_ppm", 0, 0, 1000000),
        .duplicate_ppm = (uint32_t)request_number(request, "duplicate_ppm", 0, 0, 1000000),
        .reorder_ppm = (uint32_t)request_number(request, "reorder_ppm", 0, 0, 1000000),
        .corrupt_ppm = (uint32_t)request_number(request, "corrupt_ppm", 0, 0, 1000000),
        .rate_bits = request_number(request, "rate_bits", 0, 1000, UINT64_C(1000000000000)),
        .seed = request_number(request, "seed", 1, 0, UINT64_MAX / 4),
    };
    struct set *set;

    if (!request_is_sound(request, answer))
        return;
    if (show) {
        list(answer);
        return;
    }
    if (off) {
        end(number, answer);
        return;
    }
    set = set_create(&faults, expression, stack, port, answer);
    if (set == NULL)
        return;
    set->number = set->faults.number = number != 0 ? number : number_for(set);
    if (set->number == 0) {
        set_put(set);
        answer_error(answer, "%d sets of faults are in force, more cannot be: pronghorn inject off N takes one away",
                     FAULTS_SETS_MAX);
        return;
    }
    begin(set, answer);
}
