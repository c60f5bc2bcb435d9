/* SPDX-License-Identifier: Apache-2.0 */
/* Every byte arrives, once and in order, whatever the link does to the frames. */
#include "main.h"

#include <string.h>

#include "sim.h"

#define SEEDS 20

/* One row per kind of fault; all of them together last. */
static const struct fault {
    const char *name;
    struct sim_link link;
    uint64_t bytes;
} faults[] = {
    {"none", {.delay_us = 100}, 4 << 20},
    {"loss 1 %", {.delay_us = 500, .loss_ppm = 10000}, 1 << 20},
    {"loss 10 %", {.delay_us = 500, .loss_ppm = 100000}, 200000},
    {"loss 20 %", {.delay_us = 500, .loss_ppm = 200000}, 20000},
    {"jitter", {.delay_us = 500, .jitter_us = 2000}, 1 << 20},
    {"reorder", {.delay_us = 500, .reorder_ppm = 50000, .reorder_us = 3000}, 1 << 20},
    {"duplicate", {.delay_us = 500, .duplicate_ppm = 100000}, 1 << 20},
    {"corrupt", {.delay_us = 500, .corrupt_ppm = 10000}, 500000},
    {"slow, short queue", {.delay_us = 2000, .rate_bps = 20000000, .queue_bytes = 20000}, 1 << 20},
    {"all of them",
     {.delay_us = 1000, .jitter_us = 500, .loss_ppm = 20000, .duplicate_ppm = 20000,
      .reorder_ppm = 20000, .reorder_us = 4000, .corrupt_ppm = 5000, .rate_bps = 100000000,
      .queue_bytes = 60000},
     300000},
};

/* As towards a peer that offered no SACK: recovery counts segments instead (RFC 6582). */
static void forget_sack(struct sim *sim, struct sim_flow *flow)
{
    ck_assert(sim_run_until(sim, sim_flow_is_established, flow, 3600 * SIM_SECOND));
    for (int i = 0; i < SIM_ENDS; i++) {
        unsigned long outside = instance_enter(sim->end[i].instance);

        if (flow->app[i].pcb)
            tcp_clear_flags(flow->app[i].pcb, TF_SACK);
        instance_leave(outside);
    }
}

static void transfer(const struct fault *fault, uint64_t seed, bool ipv6, bool without_sack,
                     const struct sim_plan *plan)
{
    struct sim sim = {.ipv6 = ipv6};
    struct sim_flow *flow;

    sim.link[0] = sim.link[1] = fault->link;
    sim_open(&sim, seed);
    flow = sim_connect(&sim, plan);
    if (without_sack)
        forget_sack(&sim, flow);
    if (!sim_run_until(&sim, sim_flow_is_over, flow, 3600 * SIM_SECOND))
        ck_abort_msg("%s, seed %d: not over after an hour; %llu of %llu up, %llu of %llu down",
                     fault->name, (int)seed,
                     (unsigned long long)flow->app[SIM_SERVER].received,
                     (unsigned long long)plan->up_bytes,
                     (unsigned long long)flow->app[SIM_CLIENT].received,
                     (unsigned long long)plan->down_bytes);
    if (!sim_flow_is_delivered(flow) || flow->app[0].error || flow->app[1].error)
        ck_abort_msg("%s, seed %d: over too early, errors %d %d", fault->name, (int)seed,
                     flow->app[0].error, flow->app[1].error);
    sim_close(&sim);
}

START_TEST(one_way)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_plan plan = {.up_bytes = faults[_i].bytes, .nagle = seed & 1};

        transfer(&faults[_i], seed, seed & 2, false, &plan);
    }
}
END_TEST

START_TEST(one_way_without_sack)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_plan plan = {.up_bytes = faults[_i].bytes / 4};

        transfer(&faults[_i], seed + 2000, seed & 2, true, &plan);
    }
}
END_TEST

START_TEST(both_ways)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_plan plan = {
            .up_bytes = faults[_i].bytes / 2,
            .down_bytes = faults[_i].bytes / 3,
            .write_bytes = 1 + (uint32_t)(seed * 7919 % 9000),
            .copy = seed & 1,
            .nagle = seed & 2,
        };

        transfer(&faults[_i], seed + 1000, seed & 4, false, &plan);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tcp_faults");
    TCase *tcase = tcase_create("faults");
    int count = sizeof(faults) / sizeof(faults[0]);

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, one_way, 0, count);
    tcase_add_loop_test(tcase, one_way_without_sack, 0, count);
    tcase_add_loop_test(tcase, both_ways, 0, count);
    suite_add_tcase(suite, tcase);
    return suite;
}
