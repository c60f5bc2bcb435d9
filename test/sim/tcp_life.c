/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life: how it begins, ends and dies when single segments are lost or the peer is silent. */
#include "main.h"

#include <string.h>

#include "sim.h"
#include "lwip/prot/tcp.h"
#include "lwip/tcp_info.h"
#include "lwip/tcp_limits.h"

/* RFC 9293 3.2, RFC 7323 2.2 */
#define TCP_OPT_NOP 1
#define TCP_OPT_WINDOW_SCALE 3

static struct sim sim;

static void open_sim(void)
{
    memset(&sim, 0, sizeof(sim));
    sim_both(&sim, delay_us, 500);
}

static void close_sim(void)
{
    sim_close(&sim);
}

/* Drops the first `count` frames whose flags have all of `wanted` set and none of `unwanted`. */
struct dropper {
    uint8_t wanted, unwanted;
    unsigned count, seen;
    bool data_only;
};

static bool drop(struct sim_link *link, const uint8_t *frame, size_t bytes)
{
    struct dropper *dropper = link->filter_context;
    uint8_t flags = sim_tcp_flags(frame, bytes);
    size_t header = sim_tcp_header(frame, bytes);

    if (!header || (flags & dropper->wanted) != dropper->wanted || (flags & dropper->unwanted))
        return false;
    if (dropper->data_only && bytes <= header + (frame[header + 12] >> 4) * 4U)
        return false;
    return dropper->seen++ < dropper->count;
}

static void drop_on(int link, struct dropper *dropper)
{
    sim.link[link].filter = drop;
    sim.link[link].filter_context = dropper;
}

/* Small transfers both ways; returns how long all of it took, in ms. */
static uint64_t exchange(const struct sim_plan *plan)
{
    struct sim_flow *flow = sim_connect(&sim, plan);

    ck_assert(sim_run_until(&sim, sim_flow_is_over, flow, 600 * SIM_SECOND));
    ck_assert(sim_flow_is_delivered(flow));
    ck_assert_int_eq(flow->app[SIM_CLIENT].error, 0);
    ck_assert_int_eq(flow->app[SIM_SERVER].error, 0);
    return (sim.now_us - flow->began_us) / SIM_MS;
}

static const struct sim_plan small = {.up_bytes = 1000, .down_bytes = 3000};

/* Which segment is lost, and after how many ms at the latest all must be done. */
static const struct loss {
    const char *what;
    int link;
    struct dropper dropper;
    uint64_t most_ms;
} losses[] = {
    {"nothing", SIM_TO_SERVER, {0, 0, 0, 0, false}, 20},
    {"SYN", SIM_TO_SERVER, {TCP_SYN, 0, 1, 0, false}, 1030},
    {"three SYNs", SIM_TO_SERVER, {TCP_SYN, 0, 3, 0, false}, 7030},
    {"SYN-ACK", SIM_TO_CLIENT, {TCP_SYN | TCP_ACK, 0, 1, 0, false}, 1030},
    {"ACK of the handshake and the first data", SIM_TO_SERVER, {TCP_ACK, TCP_SYN, 2, 0, false}, 1200},
    {"first data up", SIM_TO_SERVER, {TCP_ACK, TCP_SYN, 1, 0, true}, 120},
    {"first data down", SIM_TO_CLIENT, {TCP_ACK, TCP_SYN, 1, 0, true}, 120},
    {"all data down, twice", SIM_TO_CLIENT, {TCP_ACK, TCP_SYN, 6, 0, true}, 1000},
    {"client's FIN", SIM_TO_SERVER, {TCP_FIN, 0, 1, 0, false}, 120},
    {"server's FIN", SIM_TO_CLIENT, {TCP_FIN, 0, 1, 0, false}, 120},
    {"five FINs", SIM_TO_CLIENT, {TCP_FIN, 0, 5, 0, false}, 3000},
};

START_TEST(lost_segment)
{
    const struct loss *loss = &losses[_i];
    struct dropper dropper = loss->dropper;
    uint64_t took_ms;

    sim_open(&sim, 1);
    drop_on(loss->link, &dropper);
    took_ms = exchange(&small);
    ck_assert_uint_ge(dropper.seen, dropper.count);
    if (took_ms > loss->most_ms)
        ck_abort_msg("%s: %d ms", loss->what, (int)took_ms);
}
END_TEST

START_TEST(half_close)
{
    struct sim_plan plan = {.up_bytes = 20000, .down_bytes = 300000, .server_waits_for_end = true};

    sim_open(&sim, 2);
    exchange(&plan);
}
END_TEST

START_TEST(simultaneous_close)
{
    /* nothing to send: both shut down as soon as they may; then with the FINs crossing */
    struct sim_plan plan = {.up_bytes = 0};

    sim_open(&sim, 3);
    sim_both(&sim, delay_us, 5000);
    exchange(&plan);
    /* both ends leave; TIME_WAIT is over after a minute */
    sim_run(&sim, 130 * SIM_SECOND);
}
END_TEST

START_TEST(reset_by_client)
{
    struct sim_plan plan = {.up_bytes = 5000, .client_close = SIM_CLOSE_ABORT};
    struct sim_flow *flow;

    sim_open(&sim, 4);
    flow = sim_connect(&sim, &plan);
    ck_assert(sim_run_until(&sim, sim_flow_is_over, flow, 10 * SIM_SECOND));
    ck_assert_uint_eq(flow->app[SIM_SERVER].received, 5000);
    ck_assert_int_eq(flow->app[SIM_SERVER].error, ERR_RST);
}
END_TEST

START_TEST(nobody_listens)
{
    unsigned long outside;
    struct sim_flow *flow;

    sim_open(&sim, 5);
    outside = instance_enter(sim.end[SIM_SERVER].instance);
    tcp_close(sim.listener);
    instance_leave(outside);
    flow = sim_connect(&sim, &small);
    sim_run(&sim, 100 * SIM_MS);
    ck_assert(flow->app[SIM_CLIENT].gone);
    ck_assert_int_eq(flow->app[SIM_CLIENT].error, ERR_RST);
}
END_TEST

/* The server reads nothing for ten seconds; the window closes and opens again, probes find out. */
START_TEST(zero_window)
{
    struct sim_plan plan = {
        .up_bytes = 200000,
        .receive_limit = 20000,
        .server_reads_after_ms = 10000,
    };
    uint64_t took_ms;
    struct dropper dropper = {TCP_ACK, TCP_FIN | TCP_SYN, 3, 0, false};

    sim_open(&sim, 6);
    took_ms = exchange(&plan);
    ck_assert_uint_ge(took_ms, 10000);
    ck_assert_uint_le(took_ms, 10300);
    /* the same when the first frames that open the window are lost: a probe asks for it */
    plan.server_reads_after_ms = 2000;
    struct sim_flow *flow = sim_connect(&sim, &plan);
    sim_run(&sim, 1990 * SIM_MS);
    drop_on(SIM_TO_CLIENT, &dropper);
    ck_assert(sim_run_until(&sim, sim_flow_is_over, flow, 60 * SIM_SECOND));
    ck_assert(sim_flow_is_delivered(flow));
}
END_TEST

/* It reads a little at a time: the sender must not be answered with tiny windows. */
START_TEST(slow_reader)
{
    struct sim_plan plan = {.up_bytes = 300000, .receive_limit = 20000, .server_reads_per_pace = 100};

    sim_open(&sim, 7);
    exchange(&plan);
    /* 300000 bytes in segments of 1448 would be 208 */
    ck_assert_uint_le(sim.link[SIM_TO_SERVER].sent, 500);
}
END_TEST

START_TEST(silent_peer_connect)
{
    struct sim_flow *flow;
    struct dropper dropper = {TCP_SYN, 0, 1000, 0, false};

    sim_open(&sim, 8);
    drop_on(SIM_TO_SERVER, &dropper);
    flow = sim_connect(&sim, &small);
    sim_run(&sim, 126 * SIM_SECOND);
    ck_assert(!flow->app[SIM_CLIENT].gone);
    sim_run(&sim, 2 * SIM_SECOND);
    /* 1 + 2 + 4 + ... + 64 s, as tcp_syn_retries = 6 promises */
    ck_assert(flow->app[SIM_CLIENT].gone);
    ck_assert_int_eq(flow->app[SIM_CLIENT].error, ERR_TIMEOUT);
    ck_assert_uint_eq(dropper.seen, 7);
}
END_TEST

START_TEST(silent_peer_connect_with_its_own_count)
{
    struct sim_flow *flow;
    struct dropper dropper = {TCP_SYN, 0, 1000, 0, false};

    sim_open(&sim, 8);
    drop_on(SIM_TO_SERVER, &dropper);
    flow = sim_connect(&sim, &small);
    flow->app[SIM_CLIENT].pcb->syn_retries = 1;
    sim_run(&sim, 2 * SIM_SECOND);
    ck_assert(!flow->app[SIM_CLIENT].gone);
    sim_run(&sim, 2 * SIM_SECOND); /* 1 + 2 s */
    ck_assert(flow->app[SIM_CLIENT].gone);
    ck_assert_int_eq(flow->app[SIM_CLIENT].error, ERR_TIMEOUT);
    ck_assert_uint_eq(dropper.seen, 2);
}
END_TEST

START_TEST(silent_peer_data)
{
    struct sim_plan plan = {.up_bytes = 1 << 20};
    struct sim_flow *flow;

    sim_open(&sim, 9);
    flow = sim_connect(&sim, &plan);
    ck_assert(sim_run_until(&sim, sim_flow_is_established, flow, SIM_SECOND));
    sim_both(&sim, cut, true);
    sim_run(&sim, 900 * SIM_SECOND);
    ck_assert(!flow->app[SIM_CLIENT].gone);
    /* tcp_retries2 = 15 promises 924.6 s; it is noticed at the next time-out */
    sim_run(&sim, 150 * SIM_SECOND);
    ck_assert(flow->app[SIM_CLIENT].gone);
    ck_assert_int_eq(flow->app[SIM_CLIENT].error, ERR_TIMEOUT);
}
END_TEST

START_TEST(user_timeout)
{
    struct sim_plan plan = {.up_bytes = 1 << 20};
    struct sim_flow *flow;

    sim_open(&sim, 10);
    flow = sim_connect(&sim, &plan);
    flow->app[SIM_CLIENT].pcb->user_timeout_ms = 3000;
    ck_assert(sim_run_until(&sim, sim_flow_is_established, flow, SIM_SECOND));
    sim_both(&sim, cut, true);
    sim_run(&sim, 10 * SIM_SECOND);
    ck_assert(flow->app[SIM_CLIENT].gone);
    ck_assert_int_eq(flow->app[SIM_CLIENT].error, ERR_TIMEOUT);
    ck_assert_uint_le(flow->app[SIM_CLIENT].gone_us - flow->began_us, 7 * SIM_SECOND);
}
END_TEST

START_TEST(keepalive)
{
    struct sim_plan plan = {
        .client_close = SIM_CLOSE_NEVER,
        .server_close = SIM_CLOSE_NEVER,
        .keepalive_idle_ms = 10000,
        .keepalive_interval_ms = 1000,
        .keepalive_count = 5,
    };
    struct sim_flow *flow;
    uint64_t sent;

    sim_open(&sim, 11);
    flow = sim_connect(&sim, &plan);
    ck_assert(sim_run_until(&sim, sim_flow_is_established, flow, SIM_SECOND));
    sent = sim.link[SIM_TO_SERVER].sent;
    sim_run(&sim, 600 * SIM_SECOND);
    ck_assert(!flow->app[SIM_CLIENT].gone && !flow->app[SIM_SERVER].gone);
    /* every ten seconds one end or the other asks */
    ck_assert_uint_ge(sim.link[SIM_TO_SERVER].sent - sent, 50);
    ck_assert_uint_le(sim.link[SIM_TO_SERVER].sent - sent, 150);
    sim_both(&sim, cut, true);
    sim_run(&sim, 17 * SIM_SECOND);
    ck_assert_int_eq(flow->app[SIM_CLIENT].error, ERR_TIMEOUT);
    ck_assert_int_eq(flow->app[SIM_SERVER].error, ERR_TIMEOUT);
}
END_TEST

/* An idle connection sends nothing and needs no timer of TCP's. */
/* The first SYN|ACK comes as a SYN without a window scale, as from a peer that opens at the same time. */
static bool as_a_plain_syn(struct sim_link *link, const uint8_t *frame, size_t bytes)
{
    unsigned *seen = link->filter_context;
    size_t header = sim_tcp_header(frame, bytes), at = header + 20;
    uint8_t *writable = (uint8_t *)(uintptr_t)frame;

    if (!(sim_tcp_flags(frame, bytes) & TCP_SYN) || (*seen)++ > 0)
        return false;
    writable[header + 13] = TCP_SYN;
    while (at + 3 <= bytes && frame[at] != TCP_OPT_WINDOW_SCALE)
        at += frame[at] == TCP_OPT_NOP ? 1 : frame[at + 1];
    ck_assert_uint_le(at + 3, bytes);
    memset(writable + at, TCP_OPT_NOP, 3);
    return false;
}

START_TEST(scale_with_the_second_syn)
{
    struct sim_plan plan = {.up_bytes = 1000, .down_bytes = 1000};
    struct dropper answers = {.wanted = TCP_SYN | TCP_ACK, .count = UINT32_MAX};
    struct sim_flow *flow;
    struct tcp_pcb *pcb;
    unsigned long outside;
    unsigned syns = 0;

    sim.tcp[SIM_CLIENT].receive_buffer_bytes = 20000;
    sim_open(&sim, 11);
    sim.link[SIM_TO_CLIENT].filter = as_a_plain_syn;
    sim.link[SIM_TO_CLIENT].filter_context = &syns;
    drop_on(SIM_TO_SERVER, &answers);
    outside = instance_enter(sim.end[SIM_CLIENT].instance);
    NETIF_SET_CHECKSUM_CTRL(&sim.end[SIM_CLIENT].netif, 0xff & ~NETIF_CHECKSUM_CHECK_TCP);
    instance_leave(outside);
    flow = sim_connect(&sim, &plan);
    sim_run(&sim, 10 * SIM_MS);
    pcb = flow->app[SIM_CLIENT].pcb;
    ck_assert_int_eq(pcb->state, SYN_RCVD);
    outside = instance_enter(sim.end[SIM_CLIENT].instance);
    ck_assert_uint_eq(tcp_limit_receive(pcb, 20100), 20100); /* SO_RCVBUF, a little more */
    instance_leave(outside);
    sim_run(&sim, 10 * SIM_SECOND); /* the server's SYN again, with its scale */
    ck_assert_uint_ge(syns, 2);
    ck_assert_uint_eq(pcb->rcv_wnd, 20100);
    sim.link[SIM_TO_SERVER].filter = NULL;
    ck_assert(sim_run_until(&sim, sim_flow_is_over, flow, 300 * SIM_SECOND));
    ck_assert_uint_eq(flow->app[SIM_CLIENT].received, plan.down_bytes);
    ck_assert_uint_eq(flow->app[SIM_SERVER].received, plan.up_bytes);
}
END_TEST

START_TEST(idle_is_silent)
{
    struct sim_plan plan = {.client_close = SIM_CLOSE_NEVER, .server_close = SIM_CLOSE_NEVER};
    struct sim_flow *flow;
    uint64_t sent;

    sim_open(&sim, 12);
    flow = sim_connect(&sim, &plan);
    ck_assert(sim_run_until(&sim, sim_flow_is_established, flow, SIM_SECOND));
    sim_run(&sim, 10 * SIM_SECOND);
    sent = sim.link[0].sent + sim.link[1].sent;
    ck_assert_ptr_null(flow->app[SIM_CLIENT].pcb->timer_link);
    ck_assert_ptr_null(flow->app[SIM_SERVER].pcb->timer_link);
    sim_run(&sim, 250 * SIM_SECOND);
    /* but for the neighbour's address */
    ck_assert_uint_le(sim.link[0].sent + sim.link[1].sent - sent, 4);
}
END_TEST

/* More connections one after the other than there are local ports: TIME_WAIT gives them back. */
START_TEST(ports_come_back)
{
    struct sim_plan plan = {.up_bytes = 100};

    sim.tcp[SIM_CLIENT].local_port_first = 40000;
    sim.tcp[SIM_CLIENT].local_port_last = 40009;
    sim.tcp[SIM_CLIENT].time_wait_ms = 1000;
    sim.tcp[SIM_SERVER].time_wait_ms = 60000;
    sim_open(&sim, 13);
    for (int i = 0; i < 100; i++) {
        exchange(&plan);
        sim_run(&sim, 150 * SIM_MS);
    }
}
END_TEST

START_TEST(many_at_once)
{
    struct sim_plan plan = {.up_bytes = 5000, .down_bytes = 5000};
    static struct sim_flow *flows[300];
    int over = 0;

    sim_open(&sim, 14);
    sim_both(&sim, loss_ppm, 20000);
    for (int i = 0; i < 300; i++)
        flows[i] = sim_connect(&sim, &plan);
    for (int second = 0; second < 300 && over < 300; second++) {
        sim_run(&sim, SIM_SECOND);
        over = 0;
        for (int i = 0; i < 300; i++)
            over += sim_flow_is_over(flows[i]);
    }
    for (int i = 0; i < 300; i++) {
        ck_assert(sim_flow_is_over(flows[i]));
        ck_assert(sim_flow_is_delivered(flows[i]));
    }
}
END_TEST

START_TEST(what_it_knows)
{
    struct sim_plan plan = {
        .up_bytes = 1 << 20,
        .client_close = SIM_CLOSE_NEVER,
        .server_close = SIM_CLOSE_NEVER,
    };
    struct sim_flow *flow;
    struct tcp_snapshot snapshot;
    unsigned long outside;

    sim_open(&sim, 15);
    flow = sim_connect(&sim, &plan);
    ck_assert(sim_run_until(&sim, sim_flow_is_delivered, flow, 10 * SIM_SECOND));
    sim_run(&sim, SIM_SECOND);
    outside = instance_enter(sim.end[SIM_CLIENT].instance);
    tcp_snapshot(flow->app[SIM_CLIENT].pcb, &snapshot);
    ck_assert_uint_eq(snapshot.state, ESTABLISHED);
    ck_assert_uint_eq(snapshot.bytes_acked, 1 << 20);
    ck_assert_uint_eq(snapshot.total_retransmits, 0);
    ck_assert_uint_ge(snapshot.rtt_us, 900);
    ck_assert_uint_le(snapshot.rtt_us, 12000);
    ck_assert_uint_eq(snapshot.timestamps, 1);
    ck_assert_uint_eq(snapshot.sack, 1);
    ck_assert_uint_eq(snapshot.in_flight, 0);
    instance_leave(outside);
    outside = instance_enter(sim.end[SIM_SERVER].instance);
    tcp_snapshot(flow->app[SIM_SERVER].pcb, &snapshot);
    ck_assert_uint_eq(snapshot.bytes_received, 1 << 20);
    instance_leave(outside);
}
END_TEST

/*
 * Three segments take so long that a time-out puts them back; then the FIN (0) or more data (1) is added
 * behind them, and the first acknowledgement tells that the time-out was needless.
 */
START_TEST(added_after_a_needless_time_out)
{
    struct sim_plan plan = {.up_bytes = 50000, .copy = true, .client_close = SIM_CLOSE_NEVER};
    struct sim_flow *flow;
    struct sim_app *client;
    uint64_t slow_since;

    sim_open(&sim, 11);
    flow = sim_connect(&sim, &plan);
    client = &flow->app[SIM_CLIENT];
    ck_assert(sim_run_until(&sim, sim_flow_is_delivered, flow, 10 * SIM_SECOND));
    sim_run(&sim, 100 * SIM_MS);
    sim.link[SIM_TO_SERVER].delay_us = 18 * SIM_MS;
    slow_since = sim.now_us;
    client->to_send += 3 * 1460 - 300;
    while (!(client->pcb->flags & TF_RTO))
        sim_run(&sim, SIM_MS / 2);
    ck_assert_uint_lt(sim.now_us - slow_since, 18 * SIM_MS);
    ck_assert_ptr_nonnull(client->pcb->unsent);
    if (_i)
        client->to_send += 200;
    flow->plan.client_close = SIM_CLOSE_AFTER_DATA;
    ck_assert(sim_run_until(&sim, sim_flow_is_over, flow, 10 * SIM_SECOND));
    ck_assert_uint_eq(flow->app[SIM_SERVER].received, client->to_send);
    ck_assert_int_eq(client->error, 0);
    ck_assert_int_eq(flow->app[SIM_SERVER].error, 0);
    ck_assert(flow->app[SIM_SERVER].peer_ended);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tcp_life");
    TCase *tcase = tcase_create("life");

    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, open_sim, close_sim);
    tcase_add_loop_test(tcase, lost_segment, 0, sizeof(losses) / sizeof(losses[0]));
    tcase_add_loop_test(tcase, added_after_a_needless_time_out, 0, 2);
    tcase_add_test(tcase, half_close);
    tcase_add_test(tcase, simultaneous_close);
    tcase_add_test(tcase, reset_by_client);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, zero_window);
    tcase_add_test(tcase, slow_reader);
    tcase_add_test(tcase, silent_peer_connect);
    tcase_add_test(tcase, silent_peer_connect_with_its_own_count);
    tcase_add_test(tcase, silent_peer_data);
    tcase_add_test(tcase, user_timeout);
    tcase_add_test(tcase, keepalive);
    tcase_add_test(tcase, scale_with_the_second_syn);
    tcase_add_test(tcase, idle_is_silent);
    tcase_add_test(tcase, ports_come_back);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, what_it_knows);
    suite_add_tcase(suite, tcase);
    return suite;
}
