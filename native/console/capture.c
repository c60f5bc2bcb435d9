/* SPDX-License-Identifier: Apache-2.0 */
#include "console/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "console/filter.h"
#include "console/on_stack.h"
#include "console/pcapng.h"
#include "console/trigger.h"
#include "port/capture_ring.h"
#include "port/hooks.h"
#include "port/port.h"
#include "stack/group.h"

#define TAPS_MAX 64
/* An operator who does not read gets no more until he does; his ring then fills. */
#define WAITING_MAX (4u << 20)

/* The capture's, and that of each call which a stack has not answered yet. */
struct tap {
    _Atomic unsigned owners;
    uint32_t index;
    struct capture_ring *ring;
    struct filter *filter;
    struct stack *stack;
    struct port_queue *queue;
    _Atomic int result;
};

struct capture {
    struct tap *tap[TAPS_MAX];
    unsigned taps;
    struct filter *filter;
    bool recorder, finishing;
    bool tapped;
    struct trigger trigger;
    uint64_t after_us, end_us;
};

static void tap_put(struct tap *tap)
{
    if (atomic_fetch_sub(&tap->owners, 1) > 1)
        return;
    if (tap->ring != NULL)
        capture_ring_destroy(tap->ring);
    filter_free(tap->filter);
    free(tap);
}

static void tap_one(struct stack *stack, void *context)
{
    struct tap *tap = *(struct tap **)context;

    tap->result = port_tap_add(tap->queue, tap->ring);
}

static void untap_one(struct stack *stack, void *context)
{
    struct tap *tap = *(struct tap **)context;

    port_tap_remove(tap->queue, tap->ring);
}

static void late(struct stack *stack, void *context)
{
    tap_put(*(struct tap **)context);
}

/*
 * Asks all stacks of the capture at once: -1, or the first tap whose stack did not answer. There it is
 * done when the stack turns again, which keeps the ring until then.
 */
static int ask(struct capture *c, on_stack_function *run)
{
    struct call *call[TAPS_MAX];
    uint64_t end_ns = on_stack_patience();
    int silent = -1;

    for (unsigned i = 0; i < c->taps; i++) {
        struct tap *tap = c->tap[i];

        atomic_fetch_add(&tap->owners, 1);
        call[i] = on_stack_post(tap->stack, run, &tap, sizeof(tap), late);
    }
    for (unsigned i = 0; i < c->taps; i++) {
        struct tap *tap = c->tap[i];
        int result = on_stack_wait(call[i], end_ns, &tap, sizeof(tap));

        if (result != -ETIMEDOUT)
            tap_put(c->tap[i]);
        if (result < 0 && silent < 0)
            silent = (int)i;
    }
    return silent;
}

/* Those that may not be tapped, too: a stack that did not answer may tap late. */
static void untap(struct capture *c)
{
    if (!c->tapped)
        return;
    c->tapped = false;
    ask(c, untap_one);
}

void capture_close(struct capture *c)
{
    if (c == NULL)
        return;
    untap(c);
    for (unsigned i = 0; i < c->taps; i++)
        tap_put(c->tap[i]);
    filter_free(c->filter);
    free(c);
}

static bool add_taps(struct capture *c, int stack, int port, const struct capture_settings *settings)
{
    for (unsigned s = 0; s < group.count; s++) {
        for (unsigned p = 0; p < group.stacks[s]->ports_count; p++) {
            struct netif_port *np = group.stacks[s]->ports[p];
            struct tap *tap;

            if ((stack >= 0 && (unsigned)stack != s) || (port >= 0 && netif_port_port(np)->id != port) ||
                c->taps == TAPS_MAX)
                continue;
            tap = calloc(1, sizeof(*tap));
            if (tap == NULL)
                return false;
            tap->index = c->taps;
            c->tap[c->taps++] = tap;
            tap->owners = 1;
            filter_hold(c->filter);
            tap->filter = c->filter;
            tap->stack = group.stacks[s];
            tap->queue = netif_port_queue(np);
            tap->result = -ENOMEM;
            tap->ring = capture_ring_create(settings);
            if (tap->ring == NULL)
                return false;
        }
    }
    return true;
}

static void write_head(const struct capture *c, int port, uint32_t snap_bytes, const char *expression,
                       struct output *out)
{
    unsigned tap = 0;

    pcapng_section(out, "pronghorn capture");
    for (unsigned s = 0; s < group.count; s++) {
        for (unsigned p = 0; p < group.stacks[s]->ports_count && tap < c->taps; p++) {
            const struct port *of = netif_port_port(group.stacks[s]->ports[p]);
            char name[160], about[160];

            if (c->tap[tap]->queue != netif_port_queue(group.stacks[s]->ports[p]))
                continue;
            snprintf(name, sizeof(name), "%s stack %u", of->name, s);
            snprintf(about, sizeof(about), "%s, queue of stack %u", of->driver, s);
            pcapng_interface(out, name, about, snap_bytes, expression);
            tap++;
        }
    }
}

static bool start(struct capture *c, struct json_out *answer)
{
    int silent;

    c->tapped = true;
    silent = ask(c, tap_one);
    if (silent >= 0) {
        answer_silent(answer, (int)c->tap[silent]->stack->id);
        return false;
    }
    for (unsigned i = 0; i < c->taps; i++) {
        if (c->tap[i]->result < 0) {
            answer_error(answer, c->tap[i]->result == -EBUSY ? "as many captures run as there can be (%d on a queue)"
                                                            : "out of memory (%d)", PORT_TAPS_MAX);
            return false;
        }
    }
    return true;
}

struct capture *capture_open(struct request *request, const struct console_settings *settings,
                             struct json_out *answer, struct output *out)
{
    const char *expression = request_text(request, "filter", "");
    const char *trigger = request_text(request, "trigger", "none");
    int stack = (int)request_number(request, "stack", UINT64_MAX, 0, group.count - 1);
    int port = (int)request_number(request, "port", UINT64_MAX, 0, 65535);
    struct capture_settings rings = {
        .snap_bytes = (uint32_t)request_number(request, "snap_bytes", 65535, 14, 65535),
        .directions = (uint32_t)request_number(request, "directions", CAPTURE_IN | CAPTURE_OUT, 1, 3),
        .overwrite = request_number(request, "recorder", 0, 0, 1) != 0,
        .ring_bytes = (uint32_t)request_number(request, "ring_kib", 4096, 256, 1 << 20) << 10,
    };
    uint64_t latency_us = request_number(request, "latency_us", 10000, 1, UINT64_C(3600000000));
    uint64_t after_ms = request_number(request, "after_ms", 100, 0, 60000);
    struct capture *c;
    char err[512];
    int what;

    if (!request_is_sound(request, answer))
        return NULL;
    while (rings.ring_bytes & (rings.ring_bytes - 1)) /* the next lower power of two */
        rings.ring_bytes &= rings.ring_bytes - 1;
    c = calloc(1, sizeof(*c));
    if (c == NULL || (*expression && filter_compile(expression, &c->filter, err, sizeof(err)) < 0)) {
        answer_error(answer, "%s", c ? err : "out of memory");
        goto failed;
    }
    what = trigger_named(trigger);
    if (what < 0) {
        answer_error(answer, "there is no trigger \"%.40s\"; there are " TRIGGER_WORDS, trigger);
        goto failed;
    }
    trigger_set(&c->trigger, (enum config_trigger)what, latency_us);
    rings.filter = c->filter ? filter_matches : NULL;
    rings.program = c->filter;
    c->recorder = rings.overwrite;
    c->after_us = after_ms * 1000;
    if (!add_taps(c, stack, port, &rings)) {
        answer_error(answer, "no memory for rings of %u KiB; give a smaller one", rings.ring_bytes >> 10);
        goto failed;
    }
    if (c->taps == 0) {
        answer_error(answer, "there is no such port on that stack");
        goto failed;
    }
    if (!start(c, answer))
        goto failed;
    json_open(answer, NULL, '{');
    json_number(answer, "queues", c->taps);
    json_close(answer, '}');
    write_head(c, port, rings.snap_bytes, expression, out);
    return c;

failed:
    capture_close(c);
    return NULL;
}

void capture_finish(struct capture *c)
{
    c->finishing = true;
    untap(c);
}

/* The oldest of what lies in the rings. */
static struct tap *oldest(struct capture *c, const struct capture_record **record)
{
    struct tap *first = NULL;

    for (unsigned i = 0; i < c->taps; i++) {
        const struct capture_record *next = capture_ring_peek(c->tap[i]->ring);

        if (next != NULL && (first == NULL || next->time_ns < (*record)->time_ns)) {
            first = c->tap[i];
            *record = next;
        }
    }
    return first;
}

/* A recorder writes nothing until its trigger fired and a little time has passed. */
static bool keeps_still(struct capture *c)
{
    uint64_t now_us = clock_now_us();

    if (!c->recorder || c->finishing)
        return false;
    if (c->end_us == 0 && trigger_fired(&c->trigger))
        c->end_us = now_us + c->after_us;
    if (c->end_us == 0 || now_us < c->end_us)
        return true;
    capture_finish(c);
    return false;
}

bool capture_pump(struct capture *c, struct output *out)
{
    const struct capture_record *record = NULL;
    struct tap *tap;

    if (keeps_still(c))
        return true;
    while (output_waiting(out) < WAITING_MAX) {
        tap = oldest(c, &record);
        if (tap == NULL)
            break;
        if (!pcapng_packet(out, tap->index, record->time_ns, record->direction, record->length,
                           record + 1, record->captured))
            return false;
        capture_ring_next(tap->ring, record);
    }
    if (!c->finishing || oldest(c, &record) != NULL)
        return true;
    for (unsigned i = 0; i < c->taps; i++)
        pcapng_statistics(out, i, capture_time_ns(), c->tap[i]->ring->seen, c->tap[i]->ring->missed);
    return false;
}
