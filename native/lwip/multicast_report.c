/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routers are told of our groups, in IGMPv3 and MLDv2: every change at once and, since nobody
 * acknowledges it, once more within a second (RFC 3376 5.1); and the answers to their queries (5.2). A query
 * of the old version silences this for as long as such a router may be there; lwIP then speaks in its place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "lwip/igmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/instance.h"
#include "lwip/ip4.h"
#include "lwip/ip6.h"
#include "lwip/mld6.h"
#include "lwip/multicast_state.h"
#include "lwip/pbuf.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/igmp.h"
#include "lwip/prot/ip.h"
#include "lwip/stats.h"

enum record { IS_INCLUDE = 1, IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE, ALLOW, BLOCK };

#define REPORT_IGMPV3 0x22
#define REPORT_MLDV2 143
#define REPORT_BYTES_MAX 1400
#define HEADER_BYTES 8
#define ROUTER_ALERT_IPV4 0x9404
#define HOP_BY_HOP_BYTES 8
#define TOS_INTERNETWORK_CONTROL 0xC0 /* RFC 3376 4 */
#define INTERVAL_S 125                /* RFC 3376 8, as are the next three */
#define ROBUSTNESS 2
#define ANSWER_MS 10000
#define REPEAT_MS 1000

static struct multicast_version *version_of(const struct netif *netif, bool six)
{
    struct multicast *all = multicast_here();
    struct multicast_link *link = all->links;

    while (link && link->netif != netif)
        link = link->next;
    if (link == NULL) {
        link = calloc(1, sizeof(*link));
        if (link == NULL)
            return NULL;
        link->netif = netif;
        for (int i = 0; i < 2; i++)
            link->version[i] = (struct multicast_version){.interval_s = INTERVAL_S, .robustness = ROBUSTNESS};
        link->next = all->links;
        all->links = link;
    }
    return &link->version[six];
}

static bool is_old(const struct multicast_version *version)
{
    return version && instance_now_us() < version->old_until_us;
}

/* Some time from now, `most_ms` at most. */
static uint64_t soon(uint32_t most_ms)
{
    return instance_now_us() + (LWIP_RAND() % most_ms + 1) * 1000ULL;
}

/* ---- a report ------------------------------------------------------------------------------------------ */

struct report {
    struct netif *netif;
    bool six;
    uint16_t records, used;
    uint8_t bytes[REPORT_BYTES_MAX];
};

static void put_16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void send_igmp(struct report *r)
{
    uint16_t alert[2] = {PP_HTONS(ROUTER_ALERT_IPV4), 0};
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, r->used, PBUF_RAM);
    uint16_t sum = inet_chksum(r->bytes, r->used);
    ip4_addr_t to;

    if (p == NULL) {
        IGMP_STATS_INC(igmp.memerr);
        return;
    }
    memcpy(&r->bytes[2], &sum, sizeof(sum));
    pbuf_take(p, r->bytes, r->used);
    IP4_ADDR(&to, 224, 0, 0, 22);
    IGMP_STATS_INC(igmp.xmit);
    ip4_output_if_opt(p, netif_ip4_addr(r->netif), &to, 1, TOS_INTERNETWORK_CONTROL, IP_PROTO_IGMP,
                      r->netif, alert, sizeof(alert));
    pbuf_free(p);
}

static void send_mld(struct report *r)
{
    struct pbuf *p = pbuf_alloc(PBUF_IP, (uint16_t)(r->used + HOP_BY_HOP_BYTES), PBUF_RAM);
    bool named = ip6_addr_isvalid(netif_ip6_addr_state(r->netif, 0));
    const ip6_addr_t *from = named ? netif_ip6_addr(r->netif, 0) : IP6_ADDR_ANY6;
    uint16_t sum;
    ip6_addr_t to;

    if (p == NULL || pbuf_remove_header(p, HOP_BY_HOP_BYTES)) {
        MLD6_STATS_INC(mld6.memerr);
        if (p)
            pbuf_free(p);
        return;
    }
    IP6_ADDR(&to, PP_HTONL(0xFF020000), 0, 0, PP_HTONL(0x16));
    ip6_addr_assign_zone(&to, IP6_MULTICAST, r->netif);
    pbuf_take(p, r->bytes, r->used);
    sum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, r->used, from, &to);
    pbuf_take_at(p, &sum, sizeof(sum), 2);
    ip6_options_add_hbh_ra(p, IP6_NEXTH_ICMP6, IP6_ROUTER_ALERT_VALUE_MLD);
    MLD6_STATS_INC(mld6.xmit);
    ip6_output_if(p, named ? from : NULL, &to, 1, 0, IP6_NEXTH_HOPBYHOP, r->netif);
    pbuf_free(p);
}

static void report_begin(struct report *r, struct netif *netif, bool six)
{
    *r = (struct report){.netif = netif, .six = six, .used = HEADER_BYTES};
    r->bytes[0] = six ? REPORT_MLDV2 : REPORT_IGMPV3;
}

static void report_send(struct report *r)
{
    if (r->records == 0)
        return;
    put_16(&r->bytes[6], r->records);
    if (r->six)
        send_mld(r);
    else
        send_igmp(r);
    report_begin(r, r->netif, r->six);
}

static void put_address(struct report *r, const ip_addr_t *address)
{
    const void *bytes = r->six ? (const void *)ip_2_ip6(address)->addr : &ip_2_ip4(address)->addr;
    size_t size = r->six ? 16 : 4;

    memcpy(&r->bytes[r->used], bytes, size);
    r->used = (uint16_t)(r->used + size);
}

/* More sources than fit go on in the next report (RFC 3376 4.2.16); a list of excluded ones is cut. */
static void report_add(struct report *r, enum record what, const ip_addr_t *group,
                       const struct multicast_sources *sources)
{
    unsigned size = r->six ? 16 : 4, count = sources ? sources->count : 0, at = 0;

    do {
        unsigned room, part = count - at;
        uint8_t *head;

        if (r->used + 4 + 2 * size > sizeof(r->bytes))
            report_send(r);
        room = (unsigned)(sizeof(r->bytes) - r->used - 4 - size) / size;
        if (part > room && r->records > 0) {
            report_send(r);
            continue;
        }
        if (part > room)
            part = room;
        head = &r->bytes[r->used];
        head[0] = (uint8_t)what;
        head[1] = 0;
        put_16(&head[2], part);
        r->used += 4;
        put_address(r, group);
        for (unsigned i = 0; i < part; i++)
            put_address(r, &sources->list[at + i]);
        r->records++;
        at += part;
    } while (at < count && what != IS_EXCLUDE && what != TO_EXCLUDE);
}

/* ---- changes ------------------------------------------------------------------------------------------- */

/* Once more what has changed lately. */
static void tell(struct multicast_group *group)
{
    const struct multicast_filter *filter = &group->filter;
    struct report r;

    report_begin(&r, group->netif, IP_IS_V6(&group->address));
    if (group->kind_changed) {
        report_add(&r, filter->exclude ? TO_EXCLUDE : TO_INCLUDE, &group->address, &filter->sources);
    } else {
        if (group->came.count)
            report_add(&r, ALLOW, &group->address, &group->came);
        if (group->went.count)
            report_add(&r, BLOCK, &group->address, &group->went);
    }
    report_send(&r);
}

static void told(struct multicast_group *group)
{
    group->repeats = 0;
    group->kind_changed = false;
    multicast_clear(&group->came);
    multicast_clear(&group->went);
}

/* `from` and not `to`: no longer wanted is `went` while including, wanted again while excluding. */
static void note_difference(const struct multicast_sources *from, const struct multicast_sources *to,
                            struct multicast_sources *add, struct multicast_sources *take)
{
    for (unsigned i = 0; i < from->count; i++)
        if (!multicast_has(to, &from->list[i])) {
            multicast_remove(take, &from->list[i]);
            multicast_add(add, &from->list[i]);
        }
}

static bool is_never_reported(const ip_addr_t *group)
{
    if (IP_IS_V6(group)) /* RFC 3810 6: all nodes, and what does not leave the host */
        return ip6_addr_isallnodes_linklocal(ip_2_ip6(group)) ||
               ip6_addr_multicast_scope(ip_2_ip6(group)) <= IP6_MULTICAST_SCOPE_INTERFACE_LOCAL;
    return ip_2_ip4(group)->addr == PP_HTONL(MULTICAST_ALL_HOSTS);
}

void multicast_tell(struct multicast_group *group, const struct multicast_filter *before)
{
    const struct multicast_filter *now = &group->filter;
    struct multicast_version *version = version_of(group->netif, IP_IS_V6(&group->address));
    bool include = !now->exclude;

    if (is_never_reported(&group->address) || is_old(version))
        return;
    if (before->exclude != now->exclude)
        group->kind_changed = true;
    note_difference(&now->sources, &before->sources, include ? &group->came : &group->went,
                    include ? &group->went : &group->came);
    note_difference(&before->sources, &now->sources, include ? &group->went : &group->came,
                    include ? &group->came : &group->went);
    if (!group->kind_changed && group->came.count == 0 && group->went.count == 0)
        return;
    tell(group);
    group->repeats = (uint8_t)((version ? version->robustness : ROBUSTNESS) - 1);
    group->repeat_us = soon(REPEAT_MS);
    if (group->repeats == 0)
        told(group);
}

/* Groups of lwIP's own (solicited nodes) have no members here: nobody is excluded. */
int multicast_report(struct netif *netif, const ip_addr_t *address, int leave)
{
    struct report r;

    if (is_old(version_of(netif, IP_IS_V6(address))))
        return 0;
    if (multicast_find(netif, address) || is_never_reported(address))
        return 1;
    report_begin(&r, netif, IP_IS_V6(address));
    report_add(&r, leave ? TO_INCLUDE : TO_EXCLUDE, address, NULL);
    report_send(&r);
    return 1;
}

/* ---- queries ------------------------------------------------------------------------------------------- */

static void add_current(struct report *r, const ip_addr_t *address)
{
    const struct multicast_group *group = multicast_find(r->netif, address);

    if (is_never_reported(address))
        return;
    if (group == NULL)
        report_add(r, IS_EXCLUDE, address, NULL);
    else if (group->members)
        report_add(r, group->filter.exclude ? IS_EXCLUDE : IS_INCLUDE, address, &group->filter.sources);
}

/* All that is received, from lwIP's lists. */
static void answer_all(struct netif *netif, bool six)
{
    struct report r;
    ip_addr_t address;

    report_begin(&r, netif, six);
    if (six) {
        for (const struct mld_group *group = netif_mld6_data(netif); group; group = group->next) {
            ip_addr_copy_from_ip6(address, group->group_address);
            add_current(&r, &address);
        }
    } else {
        for (const struct igmp_group *group = netif_igmp_data(netif); group; group = group->next) {
            ip_addr_copy_from_ip4(address, group->group_address);
            add_current(&r, &address);
        }
    }
    report_send(&r);
}

static uint32_t floating(uint32_t code, unsigned mantissa_bits)
{
    uint32_t mantissa = code & ((1U << mantissa_bits) - 1);

    if (!(code >> (mantissa_bits + 3)))
        return code;
    return (mantissa | 1U << mantissa_bits) << ((code >> mantissa_bits & 7) + 3);
}

struct query {
    bool six;
    uint32_t answer_ms;
    ip_addr_t group;
    uint8_t robustness;
    uint32_t interval_s;
    unsigned sources, sources_at;
};

/* False: one of the old version. */
static bool query_read(struct query *q, const struct pbuf *p)
{
    uint8_t bytes[28] = {0};
    uint16_t bytes_min = q->six ? 28 : 12;
    const uint8_t *tail = &bytes[bytes_min - 4]; /* flags and robustness, interval, number of sources */

    if (pbuf_copy_partial(p, bytes, bytes_min, 0) < bytes_min)
        return false;
    if (q->six) {
        ip6_addr_t group = {.zone = 0};

        q->answer_ms = floating((uint32_t)bytes[4] << 8 | bytes[5], 12);
        memcpy(group.addr, &bytes[8], 16);
        ip_addr_copy_from_ip6(q->group, group);
    } else {
        ip4_addr_t group;

        q->answer_ms = floating(bytes[1], 4) * 100;
        memcpy(&group.addr, &bytes[4], 4);
        ip_addr_copy_from_ip4(q->group, group);
    }
    q->robustness = tail[0] & 7;
    q->interval_s = floating(tail[1], 4);
    q->sources = (unsigned)tail[2] << 8 | tail[3];
    q->sources_at = bytes_min;
    return true;
}

/* RFC 3376 5.2: a query for sources none of which we want is not answered. */
static bool is_asked(const struct query *q, const struct pbuf *p, const struct multicast_group *group)
{
    ip_addr_t source;

    if (q->sources == 0)
        return true;
    ip_addr_copy(source, q->group); /* for its type */
    for (unsigned i = 0; i < q->sources; i++) {
        unsigned size = q->six ? 16 : 4;
        void *to = q->six ? (void *)ip_2_ip6(&source)->addr : &ip_2_ip4(&source)->addr;

        if (pbuf_copy_partial(p, to, (uint16_t)size, (uint16_t)(q->sources_at + i * size)) < size)
            return false;
        if (multicast_has(&group->filter.sources, &source) != group->filter.exclude)
            return true;
    }
    return false;
}

static void sooner(uint64_t *due_us, uint32_t most_ms)
{
    uint64_t at_us = soon(most_ms);

    if (*due_us == 0 || at_us < *due_us)
        *due_us = at_us;
}

/* The router has our groups from reports of the new version: they are ours to sign off in the old one (RFC 2710 4). */
static void stand_for_all(const struct netif *netif, bool six)
{
    if (six) {
        for (struct mld_group *group = netif_mld6_data(netif); group; group = group->next)
            group->last_reporter_flag = 1;
    } else {
        for (struct igmp_group *group = netif_igmp_data(netif); group; group = group->next)
            group->last_reporter_flag = 1;
    }
}

static void fall_back(struct multicast_version *version, const struct netif *netif, bool six)
{
    struct multicast_group *group = multicast_here()->groups, *next;

    if (!is_old(version))
        stand_for_all(netif, six);
    version->old_until_us = instance_now_us() +
                            (version->robustness * version->interval_s * 1000ULL + ANSWER_MS) * 1000;
    version->answer_us = 0;
    for (; group; group = next) {
        next = group->next;
        if (group->netif != netif || IP_IS_V6(&group->address) != six)
            continue;
        told(group);
        group->answer_us = 0;
        multicast_forget(group);
    }
}

int multicast_query(struct netif *netif, const struct pbuf *p, int is_ip6)
{
    struct query q = {.six = is_ip6 != 0};
    struct multicast_version *version = version_of(netif, q.six);
    struct multicast_group *group;

    if (version == NULL)
        return 0;
    if (!query_read(&q, p)) {
        fall_back(version, netif, q.six);
        return 0;
    }
    if (is_old(version))
        return 0; /* RFC 3376 7.2.1: in the version of the oldest router */
    if (q.robustness)
        version->robustness = q.robustness;
    if (q.interval_s)
        version->interval_s = q.interval_s;
    if (q.answer_ms == 0)
        q.answer_ms = 1;
    if (ip_addr_isany(&q.group)) {
        sooner(&version->answer_us, q.answer_ms);
        return 1;
    }
    if (q.six)
        ip6_addr_assign_zone(ip_2_ip6(&q.group), IP6_MULTICAST, netif);
    group = multicast_find(netif, &q.group);
    if (group && group->members && is_asked(&q, p, group))
        sooner(&group->answer_us, q.answer_ms);
    else if (!group && q.six && mld6_lookfor_group(netif, ip_2_ip6(&q.group)))
        sooner(&version->answer_us, q.answer_ms);
    return 1;
}

/* ---- time ---------------------------------------------------------------------------------------------- */

bool multicast_tmr_is_needed(void)
{
    const struct multicast *all = multicast_here();

    for (const struct multicast_group *group = all->groups; group; group = group->next)
        if (group->repeats || group->answer_us)
            return true;
    for (const struct multicast_link *link = all->links; link; link = link->next)
        if (link->version[0].answer_us || link->version[1].answer_us)
            return true;
    return false;
}

static bool is_due(uint64_t *due_us)
{
    if (*due_us == 0 || instance_now_us() < *due_us)
        return false;
    *due_us = 0;
    return true;
}

void multicast_tmr(void)
{
    struct multicast *all = multicast_here();
    struct multicast_group *group, *next;

    for (struct multicast_link *link = all->links; link; link = link->next)
        for (int six = 0; six < 2; six++)
            if (is_due(&link->version[six].answer_us))
                answer_all((struct netif *)(uintptr_t)link->netif, six);
    for (group = all->groups; group; group = next) {
        next = group->next;
        if (is_due(&group->answer_us)) {
            struct report r;

            report_begin(&r, group->netif, IP_IS_V6(&group->address));
            add_current(&r, &group->address);
            report_send(&r);
        }
        if (group->repeats == 0 || instance_now_us() < group->repeat_us)
            continue;
        tell(group);
        group->repeat_us = soon(REPEAT_MS);
        if (--group->repeats == 0)
            told(group);
        multicast_forget(group);
    }
}
