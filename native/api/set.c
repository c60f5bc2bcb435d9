/* SPDX-License-Identifier: Apache-2.0 */
#include "api/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/facts.h"
#include "api/flight.h"
#include "api/trace.h"
#include "base/compiler.h"
#include "base/log.h"
#include "config/config.h"
#include "console/on_stack.h"
#include "platform/topology.h"
#include "stack/group.h"

/* Spinning is for machines with a core to spare, or where it was asked for (stack.idle = poll). */
#define SPIN_FOR_EVER UINT64_MAX

static struct {
    struct config *config;
    struct port *const *ports;
    unsigned ports_count;
} live;

uint64_t set_spin_us(const struct config *c, const struct stack *s)
{
    if (c->stack_idle == CONFIG_IDLE_POLL)
        return SPIN_FOR_EVER;
    if (c->stack_idle == CONFIG_IDLE_INTERRUPT)
        return 0;
    if (s->core >= 0 && topology_cpu_isolated((unsigned)s->core))
        return SPIN_FOR_EVER;
    return c->stack_spin_us;
}

void set_open(struct config *config, struct port *const *ports, unsigned ports_count)
{
    live.config = config;
    live.ports = ports;
    live.ports_count = ports_count;
}

static int apply_log(const struct config *c)
{
    log_set_level(c->log_level);
    log_set_format(c->log_format);
    log_set_file(c->log_file);
    return -1;
}

static void respin(struct stack *stack, void *context)
{
    const struct config *c = *(const struct config **)context;

    stack->spin_us = set_spin_us(c, stack);
}

/* (The live configuration stays, also for a stack that comes to it late.) */
static int apply_spin(const struct config *c)
{
    return on_stacks(respin, &c, sizeof(c));
}

static int apply_watch(const struct config *c)
{
    flight_apply_watch(c);
    return -1;
}

/* All others were handed to their users at the start. */
static const struct {
    const char *key;
    int (*apply)(const struct config *config); /* -1, or the stack that did not answer */
} changeable[] = {
    { "log.level", apply_log },
    { "log.format", apply_log },
    { "log.file", apply_log },
    { "stack.idle", apply_spin },
    { "stack.spin_us", apply_spin },
    { "flight.record", flight_apply },
    { "flight.trigger", apply_watch },
    { "flight.latency_us", apply_watch },
    { "flight.signal", apply_watch },
    { "flight.directory", apply_watch },
    { "trace.points", trace_apply },
    { "trace.slow_turn_us", trace_apply },
};

/* "log.level, stack.idle, ..." */
static const char *changeable_names(char *text, size_t size)
{
    size_t length = 0;

    for (size_t i = 0; i < ARRAY_SIZE(changeable) && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", changeable[i].key);
    return text;
}

int set_live(const char *key, const char *value, char *err, size_t err_size)
{
    struct config *changed;
    char names[320];
    int result, silent;

    for (size_t i = 0; i < ARRAY_SIZE(changeable); i++) {
        if (strcmp(key, changeable[i].key) != 0)
            continue;
        changed = malloc(sizeof(*changed));
        if (changed == NULL) {
            snprintf(err, err_size, "out of memory");
            return -ENOMEM;
        }
        *changed = *live.config;
        result = config_set(changed, key, value, err, err_size);
        if (result == 0) {
            *live.config = *changed;
            silent = changeable[i].apply(live.config);
            facts_tell(live.config, live.ports, live.ports_count);
            log_info("%s is now %s (pronghorn set)", key, value);
            if (silent >= 0) {
                on_stack_silence(err, err_size, silent);
                result = -ETIMEDOUT;
            }
        }
        free(changed);
        return result;
    }
    snprintf(err, err_size, "%s cannot be changed while the process runs; these can: %s. Set it in pronghorn.json "
             "or the environment, and start again", key, changeable_names(names, sizeof(names)));
    return -EINVAL;
}
