/* SPDX-License-Identifier: Apache-2.0 */
#include "console/verbs.h"

#include <string.h>
#include <unistd.h>

#include "console/inject.h"
#include "console/on_stack.h"
#include "control/inspect.h"
#include "port/inspect.h"

static void list_of(struct json_out *answer, const char *name, void (*run)(struct stack *stack, void *context))
{
    json_open(answer, NULL, '{');
    json_open(answer, name, '[');
    on_stacks(-1, run, answer);
    json_close(answer, ']');
    json_close(answer, '}');
}

static void routes_of(struct stack *stack, void *context)
{
    inspect_routes(context, stack->id);
}

static void neighbors_of(struct stack *stack, void *context)
{
    inspect_neighbors(context, stack->id);
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
        list_of(answer, "routes", routes_of);
}

static void neighbors(struct request *request, const struct console_settings *settings, struct json_out *answer)
{
    if (request_is_sound(request, answer))
        list_of(answer, "neighbors", neighbors_of);
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
    { "inject", faults },
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
