/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection takes for its round-trip time when much is lost: the wire's, not that of its repairs. */
#include "main.h"

#include <stdio.h>
#include <string.h>

#include "lwip/tcp_info.h"
#include "sim.h"

#define DELAY_US 500
#define SEEDS 100

static struct sim sim;

struct seen {
    uint64_t sum_us, count;
    uint32_t most_us;
};

/* Goes on to the flow's end; what both ends say meanwhile, one by one. */
static struct seen watch(struct sim_flow *flow, int end)
{
    struct seen seen = {0};

    while (!sim_flow_is_over(flow) && sim.now_us - flow->began_us < 3600 * SIM_SECOND) {
        struct tcp_snapshot snapshot;
        unsigned long outside;

        sim_run(&sim, 10 * SIM_MS);
        if (flow->app[end].pcb == NULL)
            continue;
        outside = instance_enter(sim.end[end].instance);
        tcp_snapshot(flow->app[end].pcb, &snapshot);
        instance_leave(outside);
        if (snapshot.rtt_us == 0)
            continue;
        seen.sum_us += snapshot.rtt_us;
        seen.count++;
        if (snapshot.rtt_us > seen.most_us)
            seen.most_us = snapshot.rtt_us;
    }
    return seen;
}

/*
 * SYNs and their answers are lost, too: the second of waiting for the next one is no round-trip time. What is left
 * are acknowledgements that came only with a repetition, within the time-outs of so short a wire.
 */
START_TEST(loss_is_not_distance)
{
    uint64_t sum_us = 0, count = 0;
    uint32_t most_us = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_plan plan = {.up_bytes = 300000, .down_bytes = 20000};
        struct sim_flow *flow;
        struct seen seen;

        memset(&sim, 0, sizeof(sim));
        sim_both(&sim, delay_us, DELAY_US);
        sim_both(&sim, loss_ppm, 200000);
        sim_open(&sim, seed);
        flow = sim_connect(&sim, &plan);
        seen = watch(flow, SIM_CLIENT);
        sum_us += seen.sum_us;
        count += seen.count;
        if (seen.most_us > most_us)
            most_us = seen.most_us;
        sim_close(&sim);
    }
    printf("# mean %llu us, most %u us\n", (unsigned long long)(sum_us / count), most_us);
    fflush(stdout);
    ck_assert_uint_lt(sum_us / count, 20 * SIM_MS);
    ck_assert_uint_lt(most_us, 200 * SIM_MS);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("tcp_rtt");
    TCase *tcase = tcase_create("rtt");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, loss_is_not_distance);
    suite_add_tcase(suite, tcase);
    return suite;
}
