/* SPDX-License-Identifier: Apache-2.0 */
/* What flight recorders wait for: that something is counted. Looked at by the console's thread. */
#ifndef CONSOLE_TRIGGER_H
#define CONSOLE_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/value.h"

#define TRIGGER_WORDS "none, retransmission, reset, drop, latency, any"

struct trigger {
    unsigned watched; /* bits of what is counted; 0: nothing */
    uint64_t latency_ns;
    uint64_t count; /* what it stood at */
};

/* From now on. */
void trigger_set(struct trigger *trigger, enum config_trigger what, uint64_t latency_us);

/* By its word: enum config_trigger, or -EINVAL: there is none of that name. */
int trigger_named(const char *word);

/* Whether it happened since the last time that this was said. */
bool trigger_fired(struct trigger *trigger);

#endif
