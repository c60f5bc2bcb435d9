/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, the link and the ends of sim.h; the applications are in flow.c. */
#include "sim.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/memory.h"

struct frame {
    struct list node;
    uint64_t arrives_us;
    size_t bytes;
    uint8_t data[];
};

uint32_t sim_random(struct sim *sim)
{
    /* splitmix64 */
    uint64_t z = sim->random += 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return (uint32_t)((z ^ (z >> 31)) >> 16);
}

static void *page_alloc(void *context, size_t bytes)
{
    struct sim_end *end = context;

    if (sim_chance(end->sim, end->sim->scarce_ppm)) {
        end->sim->pages_refused++;
        return NULL;
    }
    end->pages_held += bytes;
    return aligned_alloc(INSTANCE_PAGE_BYTES, bytes);
}

static void page_free(void *context, void *pages, size_t bytes)
{
    ((struct sim_end *)context)->pages_held -= bytes;
    free(pages);
}

/* ---- the link ----------------------------------------------------------------------------------- */

static void link_insert(struct sim_link *link, struct frame *frame)
{
    struct list *at = link->frames.prev;

    /* from the end: nearly always in order */
    while (at != &link->frames && container_of(at, struct frame, node)->arrives_us > frame->arrives_us)
        at = at->prev;
    list_insert_between(&frame->node, at, at->next);
}

static void link_send(struct sim *sim, struct sim_link *link, struct pbuf *packet, bool copy)
{
    uint64_t arrives_ns = sim->now_us * 1000;
    struct frame *frame;

    link->sent++;
    frame = malloc(sizeof(*frame) + packet->tot_len);
    frame->bytes = packet->tot_len;
    pbuf_copy_partial(packet, frame->data, packet->tot_len, 0);
    if (link->cut || (link->filter && link->filter(link, frame->data, frame->bytes)) ||
        sim_chance(sim, link->loss_ppm)) {
        link->lost++;
        free(frame);
        return;
    }
    if (link->rate_bps) {
        uint64_t wire_ns = (frame->bytes + 24) * 8 * 1000000000ULL / link->rate_bps;

        if (link->busy_until_ns < arrives_ns)
            link->busy_until_ns = arrives_ns;
        if (link->queue_bytes &&
            (link->busy_until_ns - arrives_ns) * link->rate_bps / 8000000000ULL > link->queue_bytes) {
            link->dropped++;
            free(frame);
            return;
        }
        link->busy_until_ns += wire_ns;
        arrives_ns = link->busy_until_ns;
    }
    frame->arrives_us = (arrives_ns + 999) / 1000 + link->delay_us;
    if (link->jitter_us)
        frame->arrives_us += sim_random(sim) % link->jitter_us;
    if (sim_chance(sim, link->reorder_ppm))
        frame->arrives_us += link->reorder_us;
    if (sim_chance(sim, link->corrupt_ppm) && frame->bytes > 34)
        frame->data[34 + sim_random(sim) % (frame->bytes - 34)] ^= (uint8_t)(1 << sim_random(sim) % 8);
    link->bytes += frame->bytes;
    link_insert(link, frame);
    if (!copy && sim_chance(sim, link->duplicate_ppm))
        link_send(sim, link, packet, true);
}

static err_t link_output(struct netif *netif, struct pbuf *packet)
{
    struct sim_end *end = netif->state;
    struct sim *sim = end->sim;
    struct sim_link *link = &sim->link[end == &sim->end[SIM_CLIENT] ? SIM_TO_SERVER : SIM_TO_CLIENT];

    if (sim_chance(sim, link->scarce_ppm))
        return sim_random(sim) & 1 ? ERR_MEM : ERR_WOULDBLOCK;
    link_send(sim, link, packet, false);
    return ERR_OK;
}

static void link_deliver(struct sim *sim, int which)
{
    struct sim_link *link = &sim->link[which];
    struct sim_end *end = &sim->end[which];

    while (!list_is_empty(&link->frames)) {
        struct frame *frame = container_of(link->frames.next, struct frame, node);
        struct pbuf *packet;

        if (frame->arrives_us > sim->now_us)
            return;
        list_remove(&frame->node);
        packet = pbuf_alloc(PBUF_RAW, (u16_t)frame->bytes, PBUF_RAM);
        if (packet)
            pbuf_take(packet, frame->data, (u16_t)frame->bytes);
        free(frame);
        if (packet == NULL) {
            ck_assert_uint_gt(sim->scarce_ppm, 0);
            link->lost++;
            continue;
        }
        link->delivered++;
        if (end->netif.input(packet, &end->netif) != ERR_OK)
            pbuf_free(packet);
    }
}

/* ---- the ends ------------------------------------------------------------------------------------ */

static err_t netif_start(struct netif *netif)
{
    struct sim_end *end = netif->state;

    netif->name[0] = 's';
    netif->name[1] = '0';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    netif->hwaddr[0] = 2;
    netif->hwaddr[5] = end == &end->sim->end[SIM_CLIENT] ? 1 : 2;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                   NETIF_FLAG_MLD6 | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static void end_open(struct sim *sim, int which)
{
    struct sim_end *end = &sim->end[which];
    struct instance_settings settings = {
        .page_alloc = page_alloc,
        .page_free = page_free,
        .page_context = end,
        .now_us = sim->now_us,
        .tcp = sim->tcp[which],
    };
    struct eth_addr peer = {{2, 0, 0, 0, 0, (u8_t)(which == SIM_CLIENT ? 2 : 1)}};
    ip4_addr_t address, mask, none, peer_address;
    ip6_addr_t address6;
    unsigned long outside;
    s8_t index;

    for (size_t i = 0; i < sizeof(settings.secret); i++)
        settings.secret[i] = (uint8_t)sim_random(sim);
    end->sim = sim;
    ck_assert_int_eq(instance_create(&end->instance, &settings), 0);
    outside = instance_enter(end->instance);
    IP4_ADDR(&address, 10, 0, 0, (u8_t)(which + 1));
    IP4_ADDR(&peer_address, 10, 0, 0, (u8_t)(2 - which));
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_any(&none);
    ck_assert_ptr_nonnull(
        netif_add(&end->netif, &address, &mask, &none, end, netif_start, netif_input));
    netif_set_default(&end->netif);
    netif_set_up(&end->netif);
    /* a lost address query would be counted as TCP's */
    ck_assert_int_eq(etharp_add_static_entry(&peer_address, &peer), ERR_OK);
    IP6_ADDR(&address6, PP_HTONL(0xfd000000), 0, 0, PP_HTONL((u32_t)(which + 1)));
    ck_assert_int_eq(netif_add_ip6_address(&end->netif, &address6, &index), ERR_OK);
    netif_ip6_addr_set_state(&end->netif, index, IP6_ADDR_PREFERRED);
    instance_leave(outside);
}

void sim_open(struct sim *sim, uint64_t seed)
{
    sim->random = seed * 0x9e3779b97f4a7c15ULL + 1;
    sim->now_us = SIM_START;
    if (!sim->pace_us)
        sim->pace_us = 1000;
    sim->next_pace_us = sim->now_us;
    list_init(&sim->flows);
    for (int i = 0; i < SIM_ENDS; i++)
        list_init(&sim->link[i].frames);
    for (int i = 0; i < SIM_ENDS; i++)
        end_open(sim, i);
    flow_listen(sim);
}

void sim_close(struct sim *sim)
{
    flow_drop_all(sim);
    for (int i = 0; i < SIM_ENDS; i++) {
        ck_assert_uint_eq(instance_destroy(sim->end[i].instance), 0);
        ck_assert_uint_eq(sim->end[i].pages_held, 0);
    }
    /* what the ends said last is still under way */
    for (int i = 0; i < SIM_ENDS; i++) {
        while (!list_is_empty(&sim->link[i].frames))
            free(container_of(list_pop_front(&sim->link[i].frames), struct frame, node));
    }
    memset(sim, 0, sizeof(*sim));
}

/* ---- the clock ----------------------------------------------------------------------------------- */

static void turn(struct sim *sim, int which, bool pace)
{
    struct sim_end *end = &sim->end[which];
    unsigned long outside = instance_enter(end->instance);

    instance_clock(end->instance, sim->now_us);
    link_deliver(sim, which);
    if (pace)
        flow_pace(sim, which);
    end->timer_us = instance_timers(end->instance, sim->now_us);
    instance_leave(outside);
}

static uint64_t next_event_us(const struct sim *sim)
{
    uint64_t next_us = sim->next_pace_us;

    for (int i = 0; i < SIM_ENDS; i++) {
        if (sim->end[i].timer_us < next_us)
            next_us = sim->end[i].timer_us;
        if (!list_is_empty(&sim->link[i].frames)) {
            uint64_t arrives_us =
                container_of(sim->link[i].frames.next, struct frame, node)->arrives_us;

            if (arrives_us < next_us)
                next_us = arrives_us;
        }
    }
    return next_us;
}

bool sim_run_until(struct sim *sim, bool (*done)(void *context), void *context, uint64_t limit_us)
{
    uint64_t end_us = sim->now_us + limit_us;

    for (;;) {
        bool pace = sim->now_us >= sim->next_pace_us;
        uint64_t next_us;

        if (pace)
            sim->next_pace_us = sim->now_us + sim->pace_us;
        for (int i = 0; i < SIM_ENDS; i++)
            turn(sim, i, pace);
        if (done && done(context))
            return true;
        next_us = next_event_us(sim);
        if (next_us > end_us) {
            sim->now_us = end_us;
            return false;
        }
        if (next_us > sim->now_us)
            sim->now_us = next_us;
    }
}

void sim_run(struct sim *sim, uint64_t time_us)
{
    sim_run_until(sim, NULL, NULL, time_us);
}

size_t sim_tcp_header(const uint8_t *frame, size_t bytes)
{
    size_t offset;

    if (bytes >= 54 && frame[12] == 0x08 && frame[13] == 0x00 && frame[23] == 6)
        offset = 14 + (frame[14] & 15) * 4U;
    else if (bytes >= 74 && frame[12] == 0x86 && frame[13] == 0xdd && frame[20] == 6)
        offset = 54;
    else
        return 0;
    return bytes >= offset + 20 ? offset : 0;
}

uint8_t sim_tcp_flags(const uint8_t *frame, size_t bytes)
{
    size_t offset = sim_tcp_header(frame, bytes);

    return offset ? frame[offset + 13] & 0x3f : 0;
}
