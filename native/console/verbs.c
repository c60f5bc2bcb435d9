/* SPDX-License-Identifier: Apache-2.0 */
#include "console/verbs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/inject.h"
#include "console/latency.h"
#include "console/on_stack.h"
#include "control/inspect.h"
#include "port/inspect.h"
#include "stack/group.h"

/* For one stack's share of a list; the whole answer may have as much (console.c). */
#define PART_BYTES (1u << 20)

/* What one stack tells, written in its context: the answer is gone when it comes to that late. */
struct part {
    void (*inspect)(struct json_out *out, unsigned stack);
    struct json_out out;
    char text[PART_BYTES];
};

static void write_part(struct stack *stack, void *context)
{
    struct part *part = context;

    json_out_init(&part->out, part->text, sizeof(part->text));
    part->inspect(&part->out, stack->id);
}

static void list_of(struct json_out *answer, const char *name, void (*inspect)(struct json_out *out, unsigned stack))
{
    struct json_out begin = *answer;
    struct part *part = calloc(1, sizeof(*part));

    if (part == NULL) {
        answer_error(answer, "out of memory");
        return;
    }
    part->inspect = inspect;
    json_open(answer, NULL, '{');
    json_open(answer, name, '[');
    for (unsigned i = 0; i < group.count; i++) {
        if (on_stack(group.stacks[i], write_part, part, sizeof(*part), NULL) < 0) {
            *answer = begin;
            answer_silent(answer, (int)i);
            goto out;
        }
        part->out.text = part->text; /* it was written into the call's copy */
        json_append(answer, &part->out);
    }
    json_close(answer, ']');
    json_close(answer, '}');
out:
    free(part);
}

static void ping(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    if (!request_is_sound(request, answer))
        return;
    json_open(answer, NULL, '{');
    json_number(answer, "pid", (uint64_t)getpid());
    json_close(answer, '}');
}

static void nic(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    if (!request_is_sound(request, answer))
        return;
    json_open(answer, NULL, '{');
    json_open(answer, "ports", '[');
    for (unsigned i = 0; i < settings->ports_count; i++)
        port_inspect(answer, settings->ports[i]);
    json_close(answer, ']');
    json_close(answer, '}');
}

static void routes(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    if (request_is_sound(request, answer))
        list_of(answer, "routes", inspect_routes);
}

static void neighbors(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    if (request_is_sound(request, answer))
        list_of(answer, "neighbors", inspect_neighbors);
}

static void set(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    const char *key = request_text(request, "key", ""), *value = request_text(request, "value", "");
    char err[512];

    if (!request_is_sound(request, answer))
        return;
    if (settings->set(key, value, err, sizeof(err)) < 0)
        answer_error(answer, "%s", err);
    else
        answer_done(answer);
}

static void faults(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    inject(request, answer);
}

static const struct {
    const char *name;
    void (*run)(struct request *request, const struct console_settings *settings, struct json_out *answer);
} verbs[] = {
    { "ping", ping }, { "nic", nic }, { "routes", routes }, { "neighbors", neighbors }, { "set", set },
    { "inject", faults }, { "latency", latency },
};

bool verb_run(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (strcmp(request->verb, verbs[i].name) == 0) {
            verbs[i].run(request, settings, answer);
            return true;
        }
    }
    return false;
}
