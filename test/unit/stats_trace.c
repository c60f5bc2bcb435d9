/* SPDX-License-Identifier: Apache-2.0 */
/* What trace points write, as a reader of their file finds it: nothing when off, and drops by their reasons. */
#include "stats/trace.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main.h"
#include "stats/segment.h"

#define RING_BYTES 16384u

static char err[256];
static struct trace trace;
static struct stats_stack stats;

static void create(void)
{
    struct segment_settings segment = { .name = "trace test", .product = "0.0.0 (test)", .stacks = 2,
                                        .sockets_max = 64, .shared = true };
    struct flight_settings settings = { .file = FLIGHT_FILE_TRACE, .stacks = 2, .ring_bytes = RING_BYTES,
                                        .snap_bytes = TRACE_SNAP };

    ck_assert_msg(segment_create(&segment, err, sizeof(err)) == 0, "%s", err);
    ck_assert_int_eq(flight_create(&settings), 0);
    memset(&trace, 0, sizeof(trace));
    memset(&stats, 0, sizeof(stats));
}

static void end(void)
{
    flight_remove();
    segment_remove();
}

static bool exists(const char *suffix)
{
    char path[64];

    snprintf(path, sizeof(path), "/dev/shm/pronghorn.%d%s", (int)getpid(), suffix);
    return access(path, F_OK) == 0;
}

static uint64_t written(unsigned stack)
{
    return atomic_load(&flight_ring_of(FLIGHT_FILE_TRACE, stack)->head);
}

static const struct trace_note *note(uint64_t number, enum trace_point point)
{
    const struct flight_ring *ring = flight_ring_of(FLIGHT_FILE_TRACE, 1);
    const struct flight_record *record = (const void *)(ring->slot + (number & ring->mask) * ring->slot_bytes);

    ck_assert_uint_gt(written(1), number);
    ck_assert_uint_eq(record->kind, FLIGHT_TRACE);
    ck_assert_uint_eq(record->detail, point);
    ck_assert_uint_eq(record->captured, sizeof(struct trace_note));
    ck_assert_uint_gt(record->time_ns, 0);
    return (const void *)(record + 1);
}

START_TEST(it_has_a_file_of_its_own)
{
    create();
    ck_assert(exists(".trace"));
    ck_assert(!exists(".flight"));
    ck_assert_ptr_null(flight_ring(0));
    ck_assert_uint_eq(flight_header_of(FLIGHT_FILE_TRACE)->slot_bytes, CACHE_LINE);
    ck_assert_uint_eq(flight_header_of(FLIGHT_FILE_TRACE)->slots, RING_BYTES / CACHE_LINE);
    end();
    ck_assert(!exists(".trace"));
    ck_assert_ptr_null(flight_ring_of(FLIGHT_FILE_TRACE, 0));
}
END_TEST

START_TEST(notes_go_round_the_ring)
{
    uint64_t slots;

    create();
    trace_set(&trace, flight_ring_of(FLIGHT_FILE_TRACE, 1), TRACE_BIT(sleep), 0, &stats);
    ck_assert(trace_is_on(&trace, TRACE_BIT(sleep)));
    ck_assert(!trace_is_on(&trace, TRACE_BIT(wake)));
    slots = flight_header_of(FLIGHT_FILE_TRACE)->slots;
    for (uint64_t i = 0; i < slots * 2 + 3; i++) {
        trace_values(&trace, TRACE_sleep, i, ~i);
        ck_assert_uint_eq(note(i, TRACE_sleep)->value[0], i);
        ck_assert_uint_eq(note(i, TRACE_sleep)->value[1], ~i);
    }
    ck_assert_uint_eq(written(0), 0);
    end();
}
END_TEST

START_TEST(drops_are_noted_by_reason_and_only_those_since)
{
    create();
    stats.drop_rx_malformed = 7; /* before anybody asked */
    trace_set(&trace, flight_ring_of(FLIGHT_FILE_TRACE, 1), TRACE_BIT(drop), 0, &stats);
    trace_drops(&trace, &stats);
    ck_assert_uint_eq(written(1), 0);
    stats.drop_rx_malformed += 2;
    stats.drop_tx_link_down += 5;
    stats.rx_packets += 100; /* no drop */
    trace_drops(&trace, &stats);
    ck_assert_uint_eq(written(1), 2);
    ck_assert_uint_eq(note(0, TRACE_drop)->value[0], offsetof(struct stats_stack, drop_rx_malformed));
    ck_assert_uint_eq(note(0, TRACE_drop)->value[1], 2);
    ck_assert_uint_eq(note(1, TRACE_drop)->value[0], offsetof(struct stats_stack, drop_tx_link_down));
    ck_assert_uint_eq(note(1, TRACE_drop)->value[1], 5);
    trace_drops(&trace, &stats);
    ck_assert_uint_eq(written(1), 2);

    /* Another point more loses none; what falls while it is off is forgotten. */
    stats.drop_rx_malformed++;
    trace_set(&trace, trace.ring, TRACE_BIT(drop) | TRACE_BIT(rto), 0, &stats);
    trace_drops(&trace, &stats);
    ck_assert_uint_eq(written(1), 3);
    trace_set(&trace, trace.ring, 0, 0, &stats);
    stats.drop_rx_malformed++;
    trace_set(&trace, trace.ring, TRACE_BIT(drop), 0, &stats);
    trace_drops(&trace, &stats);
    ck_assert_uint_eq(written(1), 3);
    end();
}
END_TEST

START_TEST(without_a_ring_all_stays_off)
{
    memset(&trace, 0, sizeof(trace));
    trace_set(&trace, NULL, TRACE_ALL, 0, &stats);
    ck_assert(!trace_is_on(&trace, TRACE_ALL));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("trace");
    TCase *c = tcase_create("trace");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, it_has_a_file_of_its_own);
    tcase_add_test(c, notes_go_round_the_ring);
    tcase_add_test(c, drops_are_noted_by_reason_and_only_those_since);
    tcase_add_test(c, without_a_ring_all_stays_off);
    suite_add_tcase(s, c);
    return s;
}
