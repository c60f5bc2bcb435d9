/* SPDX-License-Identifier: Apache-2.0 */
/* The sums that TCP_INFO tells are what was on the wire, be it lost or not. */
#include "main.h"

#include <string.h>

#include "lwip/tcp_info.h"
#include "sim.h"

#define DELAY_US 500
#define UP_BYTES 400000u
#define DOWN_BYTES 30000u

static struct sim sim;

struct tally {
    uint64_t bytes, segments, lost, every;
};

/* Counts what bears data; loses some of it, and some acknowledgements. */
static bool count(struct sim_link *link, const uint8_t *frame, size_t bytes)
{
    struct tally *tally = link->filter_context;
    size_t header = sim_tcp_header(frame, bytes), data;

    if (!header)
        return false;
    data = bytes - header - (frame[header + 12] >> 4) * 4U;
    if (data == 0)
        return tally->every && sim_random(&sim) % tally->every == 0;
    tally->bytes += data;
    tally->segments++;
    if (!tally->every || sim_random(&sim) % tally->every != 0)
        return false;
    tally->lost++;
    return true;
}

static struct tcp_snapshot ask(struct sim_flow *flow, int end)
{
    struct tcp_snapshot snapshot;
    unsigned long outside = instance_enter(sim.end[end].instance);

    ck_assert_ptr_nonnull(flow->app[end].pcb);
    tcp_snapshot(flow->app[end].pcb, &snapshot);
    instance_leave(outside);
    ck_assert_uint_eq(snapshot.bytes_sent, snapshot.bytes_acked + snapshot.in_flight + snapshot.bytes_resent);
    return snapshot;
}

static bool is_acknowledged(void *context)
{
    struct sim_flow *flow = context;

    for (int end = 0; end < SIM_ENDS; end++)
        if (flow->app[end].established && flow->app[end].pcb)
            ask(flow, end);
    return sim_flow_is_delivered(flow) && flow->app[SIM_CLIENT].acked == UP_BYTES &&
           flow->app[SIM_SERVER].acked == DOWN_BYTES;
}

static void check(const struct tcp_snapshot *sender, const struct tcp_snapshot *receiver, const struct tally *tally,
                  uint64_t bytes)
{
    ck_assert_uint_eq(sender->bytes_sent, tally->bytes);
    ck_assert_uint_eq(sender->bytes_resent, tally->bytes - bytes);
    ck_assert_uint_eq(sender->bytes_acked, bytes);
    ck_assert_uint_eq(sender->data_segments_out, tally->segments);
    ck_assert_uint_eq(receiver->bytes_received, bytes);
    ck_assert_uint_eq(receiver->data_segments_in, tally->segments - tally->lost);
    ck_assert_uint_ge(sender->least_rtt_us, 2 * DELAY_US);
    ck_assert_uint_le(sender->least_rtt_us, sender->rtt_us);
}

START_TEST(sums_are_the_wires)
{
    uint64_t lost = 0;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct sim_plan plan = {.up_bytes = UP_BYTES, .down_bytes = DOWN_BYTES, .client_close = SIM_CLOSE_NEVER,
                                .server_close = SIM_CLOSE_NEVER};
        struct tally tally[SIM_ENDS] = {{.every = seed % 4 ? 20 * (seed % 4) : 0}, {.every = seed % 4 ? 15 : 0}};
        struct tcp_snapshot client, server;
        struct sim_flow *flow;

        memset(&sim, 0, sizeof(sim));
        sim_both(&sim, delay_us, DELAY_US);
        for (int i = 0; i < SIM_ENDS; i++) {
            sim.link[i].filter = count;
            sim.link[i].filter_context = &tally[i];
        }
        sim_open(&sim, seed);
        flow = sim_connect(&sim, &plan);
        ck_assert(sim_run_until(&sim, is_acknowledged, flow, 600 * SIM_SECOND));
        sim_run(&sim, SIM_SECOND); /* what is still on its way */
        client = ask(flow, SIM_CLIENT);
        server = ask(flow, SIM_SERVER);
        check(&client, &server, &tally[SIM_TO_SERVER], UP_BYTES);
        check(&server, &client, &tally[SIM_TO_CLIENT], DOWN_BYTES);
        sim_close(&sim);
        lost += tally[SIM_TO_SERVER].lost + tally[SIM_TO_CLIENT].lost;
    }
    ck_assert_uint_gt(lost, 100);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tcp_sums");
    TCase *tcase = tcase_create("sums");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, sums_are_the_wires);
    suite_add_tcase(suite, tcase);
    return suite;
}
