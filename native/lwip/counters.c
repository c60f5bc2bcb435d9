/* SPDX-License-Identifier: Apache-2.0 */
/* See counters.h. */
#include "lwip/counters.h"

#include "lwip/events.h"
#include "lwip/memory.h"
#include "lwip/stats.h"
#include "stats/stats.h"

/* Takes the count and begins anew: lwIP's counters are 32 bits wide and would wrap. */
#define TAKE(counter) __extension__({ \
    uint32_t taken = (counter); \
    (counter) = 0; \
    taken; \
})
#define FOLD(name, counter) \
    do { \
        uint32_t count = TAKE(counter); \
        if (count) \
            STAT_ADD(stats, name, count); \
    } while (0)

/* Most drops bear their reason in lwIP's own counters; `drop` counts each once more. */
static void fold_drops(struct stats_stack *stats, struct stats_proto *proto)
{
    uint32_t lengths = TAKE(proto->lenerr) + TAKE(proto->opterr);
    uint32_t reasons = lengths + proto->chkerr;
    uint32_t drops = TAKE(proto->drop);

    if (LIKELY(drops == 0))
        return;
    STAT_ADD(stats, drop_rx_malformed, lengths);
    STAT_ADD(stats, drop_rx_not_ours, drops > reasons ? drops - reasons : 0);
}

static void fold_ip(struct stats_stack *stats, struct stats_ *lwip)
{
    fold_drops(stats, &lwip->ip);
    fold_drops(stats, &lwip->ip6);
    fold_drops(stats, &lwip->etharp);
    FOLD(drop_rx_checksum_ip, lwip->ip.chkerr);
    FOLD(drop_tx_no_memory, lwip->etharp.memerr);
    FOLD(ip_fragments_in, lwip->ip_frag.recv);
    FOLD(ip_fragments_in, lwip->ip6_frag.recv);
    FOLD(ip_fragments_out, lwip->ip_frag.xmit);
    FOLD(ip_fragments_out, lwip->ip6_frag.xmit);
    FOLD(drop_rx_no_memory, lwip->ip_frag.memerr);
    FOLD(drop_rx_no_memory, lwip->ip6_frag.memerr);
    FOLD(drop_rx_malformed, lwip->ip_frag.err);
    FOLD(drop_rx_malformed, lwip->ip6_frag.proterr);
    FOLD(icmp_in, lwip->icmp.recv);
    FOLD(icmp_in, lwip->icmp6.recv); /* neighbour discovery and MLD included */
    FOLD(icmp_out, lwip->icmp.xmit);
    FOLD(icmp_out, lwip->icmp6.xmit);
    FOLD(icmp_out, lwip->nd6.xmit);
    FOLD(icmp_out, lwip->mld6.xmit);
    FOLD(drop_rx_malformed, lwip->icmp.chkerr);
    FOLD(drop_rx_malformed, lwip->icmp.lenerr);
    FOLD(drop_rx_malformed, lwip->icmp6.drop);
    FOLD(drop_rx_malformed, lwip->nd6.drop);
    FOLD(drop_rx_malformed, lwip->mld6.drop);
}

static void fold_transport(struct stats_stack *stats, struct stats_ *lwip)
{
    FOLD(drop_rx_no_socket, lwip->udp.proterr);
    FOLD(drop_rx_checksum_udp, lwip->udp.chkerr);
    FOLD(drop_rx_malformed, lwip->udp.lenerr);
    FOLD(tcp_segments_in, lwip->tcp.recv);
    FOLD(tcp_segments_out, lwip->tcp.xmit);
    FOLD(drop_rx_checksum_tcp, lwip->tcp.chkerr);
    FOLD(drop_rx_malformed, lwip->tcp.lenerr);
}

bool counters_fold(struct stats_stack *stats)
{
    struct lwip_events *events = &INSTANCE(lwip_events);
    bool timers_ran = events->timers > 0;
    struct memory_usage usage;

    fold_ip(stats, &INSTANCE(lwip_stats));
    fold_transport(stats, &INSTANCE(lwip_stats));
#define FOLD_EVENT(name) FOLD(name, events->name);
    LWIP_EVENTS(FOLD_EVENT)
#undef FOLD_EVENT
    memory_usage(&usage);
    STAT_SET(stats, memory_used_bytes, usage.element_bytes);
    STAT_SET(stats, sockets_time_wait, events->time_wait);
    return timers_ran;
}
