/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the protocol makes of a link, in virtual time: a floor for each, so that a change that costs
 * throughput is seen. The numbers are printed ("# ..." is a comment in TAP).
 */
#include "main.h"

#include <stdio.h>

#include "sim.h"

static const struct path {
    const char *name;
    struct sim_link link;
    uint64_t bytes;
    uint32_t buffer_bytes;
    uint32_t floor_mbps;
} paths[] = {
    {"10 Gbit/s, 0.05 ms", {.delay_us = 50, .rate_bps = 10000000000}, 64 << 20, 4 << 20, 9000},
    {"10 Gbit/s, 1 ms", {.delay_us = 500, .rate_bps = 10000000000}, 128 << 20, 4 << 20, 7000},
    {"1 Gbit/s, 0.1 ms, 0.1 %", {.delay_us = 50, .rate_bps = 1000000000, .loss_ppm = 1000}, 32 << 20, 1 << 20, 300},
    {"1 Gbit/s, 0.1 ms, 1 %", {.delay_us = 50, .rate_bps = 1000000000, .loss_ppm = 10000}, 16 << 20, 1 << 20, 50},
    {"1 Gbit/s, 20 ms", {.delay_us = 10000, .rate_bps = 1000000000}, 64 << 20, 4 << 20, 200},
    {"1 Gbit/s, 20 ms, 1 %", {.delay_us = 10000, .rate_bps = 1000000000, .loss_ppm = 10000}, 4 << 20, 4 << 20, 2},
    {"100 Mbit/s, 20 ms, 64 KB queue",
     {.delay_us = 10000, .rate_bps = 100000000, .queue_bytes = 65536},
     32 << 20, 4 << 20, 20},
};

START_TEST(throughput)
{
    const struct path *path = &paths[_i];
    struct sim_plan plan = {
        .up_bytes = path->bytes,
        .write_bytes = 16384,
        .send_limit = path->buffer_bytes,
        .receive_limit = path->buffer_bytes,
    };
    struct sim sim = {.pace_us = 100000};
    struct sim_flow *flow;
    double seconds, mbps;

    sim.link[0] = sim.link[1] = path->link;
    sim_open(&sim, 7);
    flow = sim_connect(&sim, &plan);
    ck_assert(sim_run_until(&sim, sim_flow_is_delivered, flow, 3600 * SIM_SECOND));
    seconds = (double)(sim.now_us - flow->app[SIM_CLIENT].established_us) / 1e6;
    mbps = (double)path->bytes * 8 / 1e6 / seconds;
    printf("# %s: %.0f Mbit/s, %llu frames out, %llu lost\n", path->name, mbps,
           (unsigned long long)sim.link[SIM_TO_SERVER].sent,
           (unsigned long long)(sim.link[SIM_TO_SERVER].lost + sim.link[SIM_TO_SERVER].dropped));
    fflush(stdout);
    ck_assert_uint_ge((uint64_t)mbps, path->floor_mbps);
    sim_close(&sim);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tcp_speed");
    TCase *tcase = tcase_create("paths");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, throughput, 0, sizeof(paths) / sizeof(paths[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}
