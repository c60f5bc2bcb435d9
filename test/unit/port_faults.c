/* SPDX-License-Identifier: Apache-2.0 */
/* Faults on purpose: each kind does what it says, the same seed gives the same fates, no packet is lost sight of. */
#define RUN_NOFORK
#include "port/faults.h"

#include <string.h>

#include "base/clock.h"
#include "main.h"
#include "port/burst.h"
#include "port_setup.h"

#define BYTES 200

static struct stats_stack stats;
static struct port_queue queue;

static struct faults *faults_of(struct faults_settings settings)
{
    struct faults *faults;

    port_setup();
    memset(&stats, 0, sizeof(stats));
    memset(&queue, 0, sizeof(queue));
    queue.stats = &stats;
    settings.directions = CAPTURE_IN | CAPTURE_OUT;
    settings.number = 1;
    faults = faults_create(&settings);
    ck_assert_ptr_nonnull(faults);
    return faults;
}

/* One packet in; how many come out, which are freed. */
static unsigned pass(struct faults *faults, uint8_t fill)
{
    struct rte_mbuf *packets[PORT_BURST] = { packet_of(BYTES, fill) };
    unsigned out = faults_rx(faults, &queue, packets, 1, PORT_BURST);

    for (unsigned i = 0; i < out; i++)
        rte_pktmbuf_free(packets[i]);
    return out;
}

static void end(struct faults *faults)
{
    faults_destroy(faults, &queue);
    ck_assert_packets_home();
}

START_TEST(the_same_seed_the_same_fates)
{
    uint8_t fate[3][1000];
    unsigned lost = 0;

    for (unsigned run = 0; run < 3; run++) {
        struct faults *faults = faults_of((struct faults_settings){ .loss_ppm = 300000, .seed = run == 2 ? 8 : 7 });

        for (unsigned i = 0; i < 1000; i++)
            fate[run][i] = (uint8_t)pass(faults, 1);
        end(faults);
    }
    for (unsigned i = 0; i < 1000; i++)
        lost += fate[0][i] == 0;
    ck_assert_mem_eq(fate[0], fate[1], 1000);
    ck_assert_mem_ne(fate[0], fate[2], 1000);
    ck_assert_uint_gt(lost, 200);
    ck_assert_uint_lt(lost, 400);
}
END_TEST

START_TEST(what_is_lost_is_counted)
{
    struct faults *faults = faults_of((struct faults_settings){ .loss_ppm = 1000000, .seed = 1 });

    for (unsigned i = 0; i < 50; i++)
        ck_assert_uint_eq(pass(faults, 1), 0);
    ck_assert_uint_eq(stats.drop_rx_injected, 50);
    end(faults);
}
END_TEST

START_TEST(duplicates)
{
    struct faults *faults = faults_of((struct faults_settings){ .duplicate_ppm = 1000000, .seed = 1 });

    for (unsigned i = 0; i < 50; i++)
        ck_assert_uint_eq(pass(faults, 1), 2);
    end(faults);
}
END_TEST

START_TEST(one_bit_behind_the_ethernet_header_is_flipped)
{
    struct faults *faults = faults_of((struct faults_settings){ .corrupt_ppm = 1000000, .seed = 1 });

    for (unsigned i = 0; i < 200; i++) {
        struct rte_mbuf *packets[PORT_BURST] = { packet_of(BYTES, 0) };
        unsigned bits = 0;

        ck_assert_uint_eq(faults_rx(faults, &queue, packets, 1, PORT_BURST), 1);
        ck_assert_uint_eq(packets[0]->pkt_len, BYTES);
        for (unsigned at = 0; at < BYTES; at++) {
            unsigned flipped = (unsigned)__builtin_popcount(rte_pktmbuf_mtod(packets[0], uint8_t *)[at]);

            ck_assert_msg(flipped == 0 || at >= 14, "byte %u", at);
            bits += flipped;
        }
        ck_assert_uint_eq(bits, 1);
        rte_pktmbuf_free(packets[0]);
    }
    end(faults);
}
END_TEST

/* Feeds `count` packets at once and takes them until all are there; how long that took. */
static uint64_t all_through(struct faults *faults, unsigned count)
{
    uint64_t start_us = clock_now_us();
    unsigned came = 0;

    for (unsigned i = 0; i < count; i++)
        came += pass(faults, (uint8_t)i);
    while (came < count) {
        struct rte_mbuf *packets[PORT_BURST];
        unsigned out = faults_rx(faults, &queue, packets, 0, PORT_BURST);

        for (unsigned i = 0; i < out; i++) {
            ck_assert_uint_eq(rte_pktmbuf_mtod(packets[i], uint8_t *)[0], came + i); /* in order */
            rte_pktmbuf_free(packets[i]);
        }
        came += out;
        ck_assert(came == count || faults_due_us(faults, &queue) != UINT64_MAX);
    }
    ck_assert_uint_eq(faults_due_us(faults, &queue), UINT64_MAX);
    return clock_now_us() - start_us;
}

START_TEST(nothing_comes_before_its_delay)
{
    struct faults *faults = faults_of((struct faults_settings){ .delay_us = 20000, .seed = 1 });

    ck_assert_uint_ge(all_through(faults, 20), 20000);
    end(faults);
}
END_TEST

START_TEST(no_faster_than_the_rate)
{
    struct faults *faults = faults_of((struct faults_settings){ .rate_bits = 1600000, .seed = 1 });

    /* A millisecond each. */
    ck_assert_uint_ge(all_through(faults, 40), 40000);
    end(faults);
}
END_TEST

START_TEST(a_rate_holds_back_only_so_much)
{
    struct faults *faults = faults_of((struct faults_settings){ .rate_bits = 1600000, .seed = 1 });

    /* At most 200 ms of them wait; the others are dropped, and counted. */
    for (unsigned i = 0; i < 1000; i++)
        pass(faults, 1);
    ck_assert_uint_gt(stats.drop_rx_injected, 0);
    end(faults);
}
END_TEST

/* The limits of a line: some packets always find room, however slow it is; none is ever too fast. */
START_TEST(rates_from_the_slowest_to_the_fastest)
{
    struct faults *slow = faults_of((struct faults_settings){ .rate_bits = 1000, .seed = 1 });
    uint64_t start_us = clock_now_us();
    struct faults *fast;

    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(pass(slow, 1), 0);
    ck_assert_uint_eq(stats.drop_rx_injected, 0);
    ck_assert_uint_ge(faults_due_us(slow, &queue), start_us + BYTES * 8 * 1000);
    end(slow);
    ck_assert_uint_eq(stats.drop_rx_injected, 4);

    /* 0.94 us each: less than the clock's unit, and not nothing. */
    fast = faults_of((struct faults_settings){ .rate_bits = 1700000000, .seed = 1 });
    ck_assert_uint_ge(all_through(fast, 1000), 940);
    end(fast);
}
END_TEST

/* A peer that takes nothing is no reason to stay awake. */
START_TEST(what_the_device_refuses_is_not_due)
{
    struct faults *faults = faults_of((struct faults_settings){ .delay_us = 1, .seed = 1 });

    faults_tx(faults, &queue, packet_of(BYTES, 1));
    ck_assert_uint_ne(faults_due_us(faults, &queue), UINT64_MAX);
    queue.pending = PORT_PENDING;
    ck_assert_uint_eq(faults_due_us(faults, &queue), UINT64_MAX);
    queue.pending = 0;
    ck_assert_uint_ne(faults_due_us(faults, &queue), UINT64_MAX);
    faults_destroy(faults, &queue);
    ck_assert_uint_eq(queue.pending, 1);
    rte_pktmbuf_free(queue.tx[0]);
    ck_assert_packets_home();
}
END_TEST

static bool is_odd(const void *program, const uint8_t *bytes, uint32_t length, uint32_t captured)
{
    return bytes[0] & 1;
}

START_TEST(only_those_of_the_filter)
{
    struct faults *faults =
        faults_of((struct faults_settings){ .loss_ppm = 1000000, .seed = 1, .filter = is_odd });

    for (unsigned i = 0; i < 100; i++)
        ck_assert_uint_eq(pass(faults, (uint8_t)i), i % 2 == 0);
    end(faults);
}
END_TEST

START_TEST(what_is_held_comes_home_at_the_end)
{
    struct faults *faults = faults_of((struct faults_settings){ .delay_us = 60000000, .seed = 1 });

    for (unsigned i = 0; i < FAULTS_HELD_MAX + 10; i++)
        ck_assert_uint_eq(pass(faults, 1), 0);
    ck_assert_uint_eq(stats.drop_rx_injected, 10); /* more cannot wait */
    end(faults);
    ck_assert_uint_eq(stats.drop_rx_injected, FAULTS_HELD_MAX + 10);
}
END_TEST

START_TEST(a_burst_that_is_lost_or_held_was_work)
{
    static const struct faults_settings all_of_it[] = { { .loss_ppm = 1000000, .seed = 1 },
                                                        { .delay_us = 60000000, .seed = 1 } };

    for (unsigned i = 0; i < 2; i++) {
        struct faults *faults = faults_of(all_of_it[i]);
        struct rte_mbuf *packets[PORT_BURST] = { packet_of(BYTES, 1) };

        ck_assert(!port_rx_kept(&queue));
        ck_assert_ptr_null(port_faults_set(&queue, 1, faults));
        ck_assert_uint_eq(port_hooks_rx(&queue, packets, 1, PORT_BURST), 0);
        ck_assert(port_rx_kept(&queue));
        ck_assert_uint_eq(port_hooks_rx(&queue, packets, 0, PORT_BURST), 0);
        ck_assert(!port_rx_kept(&queue));
        ck_assert_ptr_eq(port_faults_set(&queue, 1, NULL), faults);
        end(faults);
    }
}
END_TEST

static bool is_low(const void *program, const uint8_t *bytes, uint32_t length, uint32_t captured)
{
    return bytes[0] < 50;
}

/* Two sets on one queue: the first that a packet concerns treats it, alone, and each counts for itself. */
START_TEST(the_first_set_that_matches)
{
    struct faults_counts counts[2] = { 0 };
    const struct faults_settings of[2] = {
        { .number = 3, .loss_ppm = 1000000, .filter = is_low, .counts = &counts[0], .directions = CAPTURE_IN },
        { .number = 5, .duplicate_ppm = 1000000, .filter = is_odd, .counts = &counts[1], .directions = CAPTURE_IN },
    };
    struct faults *sets[2];

    end(faults_of((struct faults_settings){ 0 }));
    for (unsigned i = 0; i < 2; i++)
        sets[i] = faults_create(&of[i]);
    /* Whichever comes first: the numbers decide. */
    ck_assert_ptr_null(port_faults_set(&queue, 5, sets[1]));
    ck_assert_ptr_null(port_faults_set(&queue, 3, sets[0]));
    ck_assert_uint_eq(port_faults_numbers(&queue), 1 << 2 | 1 << 4);
    for (unsigned fill = 0; fill < 100; fill++) {
        struct rte_mbuf *packets[PORT_BURST] = { packet_of(BYTES, (uint8_t)fill) };
        unsigned out = port_hooks_rx(&queue, packets, 1, PORT_BURST);

        ck_assert_uint_eq(out, fill < 50 ? 0 : fill % 2 ? 2 : 1);
        for (unsigned i = 0; i < out; i++)
            rte_pktmbuf_free(packets[i]);
    }
    ck_assert_uint_eq(counts[0].packets, 50);
    ck_assert_uint_eq(counts[0].lost, 50);
    ck_assert_uint_eq(counts[1].packets, 25);
    ck_assert_uint_eq(counts[1].duplicated, 25);
    ck_assert_uint_eq(counts[1].held, 0);
    ck_assert_uint_eq(stats.drop_rx_injected, 50);

    ck_assert_ptr_null(port_faults_set(&queue, 4, NULL));
    ck_assert_ptr_eq(port_faults_set(&queue, 3, NULL), sets[0]);
    ck_assert_uint_eq(port_faults_numbers(&queue), 1 << 4);
    ck_assert_uint_eq(pass(queue.hooks->faults, 1), 2);
    ck_assert_ptr_eq(port_faults_set(&queue, 5, NULL), sets[1]);
    ck_assert_ptr_null(queue.hooks);
    faults_destroy(sets[0], &queue);
    end(sets[1]);
}
END_TEST

/* What waits in one set is given out with what waits in another. */
START_TEST(each_set_holds_its_own)
{
    struct faults_counts counts[2] = { 0 };
    struct faults *first = NULL, *fast, *slow;

    end(faults_of((struct faults_settings){ 0 }));
    slow = faults_create(&(struct faults_settings){ .number = 1, .delay_us = 60000000, .filter = is_odd,
                                                    .counts = &counts[0], .directions = CAPTURE_IN | CAPTURE_OUT });
    fast = faults_create(&(struct faults_settings){ .number = 2, .delay_us = 20000, .counts = &counts[1],
                                                    .directions = CAPTURE_IN | CAPTURE_OUT });
    faults_replace(&first, 2, fast);
    faults_replace(&first, 1, slow);
    for (unsigned i = 0; i < 10; i++)
        faults_tx(first, &queue, packet_of(BYTES, (uint8_t)i));
    ck_assert_uint_eq(counts[0].held, 5);
    ck_assert_uint_eq(counts[1].held, 5);
    while (queue.pending < 5) {
        ck_assert_uint_ne(faults_due_us(first, &queue), UINT64_MAX);
        faults_flush(first, &queue);
    }
    ck_assert_uint_eq(counts[1].held, 0);
    ck_assert_uint_gt(faults_due_us(first, &queue), clock_now_us() + 30000000);
    ck_assert_ptr_eq(faults_replace(&first, 1, NULL), slow);
    faults_destroy(slow, &queue); /* sends what it held */
    ck_assert_uint_eq(counts[0].held, 0);
    ck_assert_uint_eq(queue.pending, 10);
    for (unsigned i = 0; i < 10; i++)
        rte_pktmbuf_free(queue.tx[i]);
    queue.pending = 0;
    end(fast);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("faults");
    TCase *c = tcase_create("faults");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_same_seed_the_same_fates);
    tcase_add_test(c, what_is_lost_is_counted);
    tcase_add_test(c, duplicates);
    tcase_add_test(c, one_bit_behind_the_ethernet_header_is_flipped);
    tcase_add_test(c, nothing_comes_before_its_delay);
    tcase_add_test(c, no_faster_than_the_rate);
    tcase_add_test(c, a_rate_holds_back_only_so_much);
    tcase_add_test(c, rates_from_the_slowest_to_the_fastest);
    tcase_add_test(c, what_the_device_refuses_is_not_due);
    tcase_add_test(c, only_those_of_the_filter);
    tcase_add_test(c, what_is_held_comes_home_at_the_end);
    tcase_add_test(c, a_burst_that_is_lost_or_held_was_work);
    tcase_add_test(c, the_first_set_that_matches);
    tcase_add_test(c, each_set_holds_its_own);
    suite_add_tcase(s, c);
    return s;
}
