/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes that nobody completes: they must not keep others out (RFC 4987). */
#include "main.h"

#include <string.h>

#include "lwip/events.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp_limits.h"
#include "sim.h"

#define BACKLOG 4
#define FLOOD 20

static struct sim sim;
static uint16_t honest_port; /* whose segments pass */
static uint8_t last_ack[200];
static size_t last_ack_bytes;

/* Of all others only SYNs reach the server. */
static bool is_mute(struct sim_link *link, const uint8_t *frame, size_t bytes)
{
    size_t tcp = sim_tcp_header(frame, bytes);

    (void)link;
    if (!tcp || (sim_tcp_flags(frame, bytes) & TCP_SYN))
        return false;
    if ((frame[tcp] << 8 | frame[tcp + 1]) != honest_port)
        return true;
    if (last_ack_bytes == 0 && bytes <= sizeof(last_ack)) {
        memcpy(last_ack, frame, bytes);
        last_ack_bytes = bytes;
    }
    return false;
}

static struct lwip_events events(void)
{
    unsigned long outside = instance_enter(sim.end[SIM_SERVER].instance);
    struct lwip_events copy = INSTANCE(lwip_events);

    instance_leave(outside);
    return copy;
}

static void flood(bool ipv6)
{
    memset(&sim, 0, sizeof(sim));
    last_ack_bytes = 0;
    honest_port = 0;
    sim.ipv6 = ipv6;
    sim_both(&sim, delay_us, 500);
    sim_open(&sim, 1);
    ((struct tcp_pcb_listen *)sim.listener)->backlog = BACKLOG;
    sim.link[SIM_TO_SERVER].filter = is_mute;
    for (int i = 0; i < FLOOD; i++)
        sim_connect(&sim, &(struct sim_plan){.up_bytes = 1});
    sim_run(&sim, 100 * SIM_MS);
    ck_assert_uint_eq(((struct tcp_pcb_listen *)sim.listener)->half_open, BACKLOG);
    ck_assert_uint_ge(events().tcp_syn_cookies_out, FLOOD - BACKLOG);
    ck_assert_uint_eq(events().tcp_syn_cookies_in, 0);
}

static void an_honest_client_gets_through(bool ipv6, uint64_t up_bytes)
{
    struct sim_flow *flow;
    struct tcp_pcb *pcb;

    flood(ipv6);
    flow = sim_connect(&sim, &(struct sim_plan){.up_bytes = up_bytes, .down_bytes = 300000,
                                                .server_close = SIM_CLOSE_NEVER});
    honest_port = flow->client_port;
    ck_assert(sim_run_until(&sim, sim_flow_is_established, flow, SIM_SECOND));
    ck_assert_uint_eq(events().tcp_syn_cookies_in, 1);
    pcb = flow->app[SIM_SERVER].pcb;
    ck_assert_uint_eq(pcb->flags & (TF_TIMESTAMP | TF_SACK | TF_WND_SCALE),
                      TF_TIMESTAMP | TF_SACK | TF_WND_SCALE);
    ck_assert_uint_eq(pcb->snd_scale, flow->app[SIM_CLIENT].pcb->rcv_scale);
    ck_assert_uint_ge(pcb->mss + 20 * ipv6, flow->app[SIM_CLIENT].pcb->mss);
    ck_assert(sim_run_until(&sim, sim_flow_is_delivered, flow, 10 * SIM_SECOND));
    sim_close(&sim);
}

START_TEST(an_honest_client_gets_through_4)
{
    an_honest_client_gets_through(false, 300000);
}
END_TEST

START_TEST(an_honest_client_gets_through_6)
{
    an_honest_client_gets_through(true, 300000);
}
END_TEST

static void inject(const uint8_t *frame, size_t bytes)
{
    struct sim_end *end = &sim.end[SIM_SERVER];
    unsigned long outside = instance_enter(end->instance);
    struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_RAM);

    /* the frames are changed by hand */
    NETIF_SET_CHECKSUM_CTRL(&end->netif, 0xff & ~NETIF_CHECKSUM_CHECK_TCP);
    pbuf_take(packet, frame, (u16_t)bytes);
    instance_clock(end->instance, sim.now_us);
    if (end->netif.input(packet, &end->netif) != ERR_OK)
        pbuf_free(packet);
    end->timer_us = sim.now_us;
    instance_leave(outside);
}

/* Its SYN-ACK and its connection promise what the listener's buffer holds. */
START_TEST(a_cookie_promises_what_the_listener_has)
{
    struct sim_flow *flow;

    flood(false);
    tcp_limit_receive_of_listener(sim.listener, 5000);
    flow = sim_connect(&sim, &(struct sim_plan){.up_bytes = 100000, .server_close = SIM_CLOSE_NEVER});
    honest_port = flow->client_port;
    ck_assert(sim_run_until(&sim, sim_flow_is_established, flow, SIM_SECOND));
    ck_assert_uint_eq(events().tcp_syn_cookies_in, 1);
    ck_assert_uint_eq(flow->app[SIM_SERVER].pcb->rcv_wnd_limit, 5000);
    ck_assert(sim_run_until(&sim, sim_flow_is_delivered, flow, 60 * SIM_SECOND));
    ck_assert_uint_le(flow->app[SIM_CLIENT].pcb->snd_wnd_max, 5000);
    sim_close(&sim);
}
END_TEST

START_TEST(a_guessed_or_old_cookie_is_refused)
{
    struct sim_flow *flow;
    size_t tcp;

    flood(false);
    flow = sim_connect(&sim, &(struct sim_plan){.up_bytes = 1, .client_close = SIM_CLOSE_ABORT,
                                                .server_close = SIM_CLOSE_NEVER});
    honest_port = flow->client_port;
    ck_assert(sim_run_until(&sim, sim_flow_is_over, flow, 10 * SIM_SECOND));
    ck_assert_uint_eq(events().tcp_syn_cookies_in, 1);
    ck_assert_uint_gt(last_ack_bytes, 0);
    tcp = sim_tcp_header(last_ack, last_ack_bytes);
    for (unsigned bit = 0; bit < 64; bit++) { /* of the two sequence numbers */
        uint8_t frame[sizeof(last_ack)];

        memcpy(frame, last_ack, last_ack_bytes);
        frame[tcp + 4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        inject(frame, last_ack_bytes);
    }
    ck_assert_uint_eq(events().tcp_syn_cookies_in, 1);
    sim_run(&sim, 200 * SIM_SECOND);
    inject(last_ack, last_ack_bytes);
    ck_assert_uint_eq(events().tcp_syn_cookies_in, 1);
    sim_close(&sim);
}
END_TEST

START_TEST(what_waits_for_accept_still_keeps_others_out)
{
    struct tcp_pcb_listen *listener;
    struct sim_flow *flow;

    flood(false);
    listener = (struct tcp_pcb_listen *)sim.listener;
    listener->accepts_pending += BACKLOG; /* as many sockets that nobody took */
    flow = sim_connect(&sim, &(struct sim_plan){.up_bytes = 1});
    honest_port = flow->client_port;
    ck_assert(!sim_run_until(&sim, sim_flow_is_established, flow, SIM_SECOND / 2));
    ck_assert_uint_gt(events().drop_rx_listen_full, 0);
    listener->accepts_pending -= BACKLOG;
    ck_assert(sim_run_until(&sim, sim_flow_is_established, flow, 10 * SIM_SECOND));
    sim_close(&sim);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tcp_flood");
    TCase *tcase = tcase_create("syn");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_honest_client_gets_through_4);
    tcase_add_test(tcase, an_honest_client_gets_through_6);
    tcase_add_test(tcase, a_cookie_promises_what_the_listener_has);
    tcase_add_test(tcase, a_guessed_or_old_cookie_is_refused);
    tcase_add_test(tcase, what_waits_for_accept_still_keeps_others_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
