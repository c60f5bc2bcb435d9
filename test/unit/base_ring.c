/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "main.h"

#define STRESS_NS 300000000u

static struct ring *ring;

static void make(uint32_t slots)
{
    ring = aligned_alloc(CACHE_LINE, ring_bytes(slots));
    ck_assert_ptr_nonnull(ring);
    ring_init(ring, slots);
}

static void tear_down(void) { free(ring); }

static void *number(uintptr_t n) { return (void *)n; }

START_TEST(full_and_empty)
{
    make(4);
    ck_assert_ptr_null(ring_pop(ring));
    ck_assert_ptr_null(ring_peek(ring));
    ck_assert_uint_eq(ring_space(ring), 4);
    for (uintptr_t i = 1; i <= 4; i++)
        ck_assert(ring_push(ring, number(i)));
    ck_assert(!ring_push(ring, number(5)));
    ck_assert_uint_eq(ring_count(ring), 4);
    ck_assert_uint_eq(ring_space(ring), 0);
    ck_assert_ptr_eq(ring_peek(ring), number(1));
    ck_assert_ptr_eq(ring_pop(ring), number(1));
    ck_assert(ring_push(ring, number(5)));
    ck_assert(!ring_push(ring, number(6)));
    for (uintptr_t i = 2; i <= 5; i++)
        ck_assert_ptr_eq(ring_pop(ring), number(i));
    ck_assert_ptr_null(ring_pop(ring));
    ck_assert(ring_is_empty(ring));
}
END_TEST

START_TEST(one_slot)
{
    make(1);
    for (uintptr_t i = 1; i < 10; i++) {
        ck_assert(ring_push(ring, number(i)));
        ck_assert(!ring_push(ring, number(99)));
        ck_assert_ptr_eq(ring_pop(ring), number(i));
    }
}
END_TEST

START_TEST(indices_wrap)
{
    make(8);
    /* Two short of 2^32 on both sides. */
    atomic_store(&ring->head, UINT32_MAX - 1);
    atomic_store(&ring->tail, UINT32_MAX - 1);
    ring->tail_seen = ring->head_seen = UINT32_MAX - 1;
    for (uintptr_t round = 0; round < 3; round++) {
        for (uintptr_t i = 1; i <= 8; i++)
            ck_assert(ring_push(ring, number(i)));
        ck_assert(!ring_push(ring, number(9)));
        ck_assert_uint_eq(ring_count(ring), 8);
        for (uintptr_t i = 1; i <= 8; i++)
            ck_assert_ptr_eq(ring_pop(ring), number(i));
        ck_assert_ptr_null(ring_pop(ring));
    }
}
END_TEST

/* What the producer wrote before the push must be visible to whoever pops: each item carries a
 * number written with a plain store. */
struct item {
    uint64_t number;
};

static struct item pool[64];
static uint64_t produced;

static void *produce(void *unused)
{
    uint64_t until = clock_now_ns() + STRESS_NS;

    for (uint64_t n = 1;; n++) {
        /* More items than slots, so that none is written while it is still in the ring. */
        struct item *item = &pool[n % ARRAY_SIZE(pool)];

        while (ring_space(ring) == 0)
            cpu_relax();
        item->number = n;
        ck_assert(ring_push(ring, item));
        if (n % 1024 == 0 && clock_now_ns() > until) {
            __atomic_store_n(&produced, n, __ATOMIC_RELEASE);
            return unused;
        }
    }
}

START_TEST(two_threads)
{
    pthread_t producer;
    uint64_t expected = 1, last;

    make(32);
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, NULL), 0);
    do {
        struct item *item = ring_pop(ring);

        last = item ? 0 : __atomic_load_n(&produced, __ATOMIC_ACQUIRE);
        if (item)
            ck_assert_uint_eq(item->number, expected++);
        else
            cpu_relax();
        ck_assert_uint_le(ring_count(ring), 32);
    } while (last == 0 || expected <= last);
    pthread_join(producer, NULL);
    ck_assert_uint_eq(expected, produced + 1);
    ck_assert_uint_gt(expected, 1024);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("base_ring");
    TCase *tests = tcase_create("ring");

    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, full_and_empty);
    tcase_add_test(tests, one_slot);
    tcase_add_test(tests, indices_wrap);
    tcase_add_test(tests, two_threads);
    suite_add_tcase(suite, tests);
    return suite;
}
