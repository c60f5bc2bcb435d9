/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory is short: lwIP gets no more of it, and frames are refused by the device. Nothing breaks meanwhile, and
 * once there is memory again every byte arrives; also when the peer threw away what it had acknowledged selectively.
 */
#include "main.h"

#include "lwip/priv/tcp_priv.h"
#include "sim.h"

#define SEEDS 15
#define SHORT_US (2 * SIM_SECOND) /* so long it lasts, less than a connection is given up after */

/* PRONGHORN_TEST_SEED: from there on. */
static uint64_t first_seed(void)
{
    const char *text = getenv("PRONGHORN_TEST_SEED");

    return text ? strtoull(text, NULL, 0) : 1;
}

/* Both ends are through, or there was no memory for a connection at all. */
static bool is_through(void *context)
{
    const struct sim_flow *flow = context;

    return sim_flow_is_over(context) || (flow->app[SIM_CLIENT].gone && !flow->app[SIM_CLIENT].established);
}

static void finish(struct sim *sim, struct sim_flow *flow, uint64_t seed)
{
    if (!sim_run_until(sim, is_through, flow, 3600 * SIM_SECOND))
        ck_abort_msg("seed %d: not over after an hour", (int)seed);
    if (sim_flow_is_over(flow) &&
        (!sim_flow_is_delivered(flow) || flow->app[0].error || flow->app[1].error))
        ck_abort_msg("seed %d: over too early, errors %d %d", (int)seed, flow->app[0].error, flow->app[1].error);
    sim_close(sim);
}

static struct sim_flow *begin(struct sim *sim, uint64_t seed)
{
    struct sim_plan plan = { .up_bytes = 8 << 20, .down_bytes = 2 << 20, .copy = seed & 2, .nagle = seed & 4,
                             .write_bytes = 1 + (uint32_t)(seed * 7919 % 9000) };

    *sim = (struct sim){ .ipv6 = seed & 1 };
    sim_open(sim, seed);
    sim_both(sim, delay_us, 500);
    sim_both(sim, loss_ppm, seed % 4 * 20000);
    return sim_connect(sim, &plan);
}

static const uint32_t refused_ppm[] = { 1000, 20000, 200000, 700000 };

START_TEST(memory_is_short)
{
    uint64_t pages_refused = 0;

    for (uint64_t seed = first_seed(); seed < first_seed() + SEEDS; seed++) {
        struct sim sim;
        struct sim_flow *flow = begin(&sim, seed);

        sim.scarce_ppm = (uint32_t)(seed % 10 * 50000 + 500000);
        sim_both(&sim, scarce_ppm, refused_ppm[_i]);
        sim_run(&sim, SHORT_US);
        sim_both(&sim, scarce_ppm, 0);
        sim.scarce_ppm = 0;
        pages_refused += sim.pages_refused;
        finish(&sim, flow, seed);
    }
    ck_assert_uint_gt(pages_refused, 0);
}
END_TEST

/* RFC 2018 8: what is acknowledged selectively is not the sender's to forget. */
START_TEST(the_peer_forgets)
{
    unsigned forgotten = 0;

    for (uint64_t seed = first_seed(); seed < first_seed() + SEEDS; seed++) {
        struct sim sim;
        struct sim_flow *flow = begin(&sim, seed);

        sim_both(&sim, loss_ppm, 50000);
        for (int i = 0; i < 200 && !is_through(flow); i++) {
            struct tcp_pcb *pcb = flow->app[i % SIM_ENDS].pcb;
            unsigned long outside = instance_enter(sim.end[i % SIM_ENDS].instance);

            if (pcb && pcb->ooseq) {
                forgotten++;
                tcp_free_ooseq(pcb);
            }
            instance_leave(outside);
            sim_run(&sim, 7 * SIM_MS);
        }
        finish(&sim, flow, seed);
    }
    ck_assert_uint_gt(forgotten, SEEDS);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("tcp_scarce");
    TCase *c = tcase_create("scarce");

    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, memory_is_short, 0, sizeof(refused_ppm) / sizeof(*refused_ppm));
    tcase_add_test(c, the_peer_forgets);
    suite_add_tcase(s, c);
    return s;
}
