/* SPDX-License-Identifier: Apache-2.0 */
#include "console/trigger.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "stack/group.h"

enum watched { RETRANSMISSION = 1, RESET = 2, DROP = 4, LATENCY = 8 };

static const struct {
    const char *name;
    unsigned watched;
} words[] = {
    [CONFIG_TRIGGER_NONE] = { "none", 0 },
    [CONFIG_TRIGGER_RETRANSMISSION] = { "retransmission", RETRANSMISSION },
    [CONFIG_TRIGGER_RESET] = { "reset", RESET },
    [CONFIG_TRIGGER_DROP] = { "drop", DROP },
    [CONFIG_TRIGGER_LATENCY] = { "latency", LATENCY },
    [CONFIG_TRIGGER_ANY] = { "any", RETRANSMISSION | RESET | DROP | LATENCY },
};

/* Buckets that begin at the limit or above: what was up to a step longer may count, nothing shorter. */
static uint64_t slow_reads(const struct stats_stack *stats, uint64_t latency_ns)
{
    unsigned bucket = histogram_bucket(latency_ns);
    uint64_t count = 0;

    if (histogram_bucket_low(bucket) < latency_ns)
        bucket++;
    for (; bucket < HISTOGRAM_BUCKETS; bucket++)
        count += stats->rx_wait_ns.bucket[bucket];
    return count;
}

static uint64_t count_of(const struct trigger *trigger)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < group.count; i++) {
        const struct stats_stack *s = group.stacks[i]->stats;

        if (trigger->watched & RETRANSMISSION)
            count += s->tcp_retransmits;
        if (trigger->watched & RESET)
            count += s->tcp_resets_in + s->tcp_resets_out;
        if (trigger->watched & DROP)
            count += s->drop_rx_device + s->drop_rx_no_memory + s->drop_rx_checksum_tcp + s->drop_rx_checksum_udp +
                     s->drop_rx_socket_full + s->drop_rx_listen_full + s->drop_tx_ring_full + s->drop_tx_no_memory;
        if (trigger->watched & LATENCY)
            count += slow_reads(s, trigger->latency_ns);
    }
    return count;
}

void trigger_set(struct trigger *trigger, enum config_trigger what, uint64_t latency_us)
{
    *trigger = (struct trigger){ .watched = words[what].watched, .latency_ns = latency_us * 1000 };
    trigger->count = trigger->watched ? count_of(trigger) : 0;
}

int trigger_named(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(word, words[i].name) == 0)
            return (int)i;
    return -EINVAL;
}

bool trigger_fired(struct trigger *trigger)
{
    uint64_t count = trigger->watched ? count_of(trigger) : 0;
    bool fired = count != trigger->count;

    trigger->count = count;
    return fired;
}
