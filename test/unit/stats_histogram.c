/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/histogram.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "main.h"

static struct histogram histogram;

static void set_up(void) { memset(&histogram, 0, sizeof(histogram)); }

/* Each bucket begins where the one before ends, and a number falls between low and next low. */
START_TEST(buckets_join)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t low = histogram_bucket_low(i);

        ck_assert_uint_eq(histogram_bucket(low), i);
        if (i > 0)
            ck_assert_uint_eq(histogram_bucket(low - 1), i - 1);
        if (i >= HISTOGRAM_STEPS && i + 1 < HISTOGRAM_BUCKETS)
            ck_assert_uint_le((histogram_bucket_low(i + 1) - low) * HISTOGRAM_STEPS, low);
    }
    ck_assert_uint_eq(histogram_bucket((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1),
                      HISTOGRAM_BUCKETS - 1);
    ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(small_numbers_are_exact)
{
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t i = 1; i <= 9; i++)
        histogram_add(&histogram, i);
    ck_assert_uint_eq(histogram_count(&histogram), 9);
    ck_assert_uint_eq(histogram.sum, 45);
    ck_assert_uint_eq(histogram.max, 9);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0), 1);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 5);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), 9);
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Beside the exact answer: numbers of all magnitudes, seeded. */
START_TEST(quantiles_within_a_bucket)
{
    enum { COUNT = 10000 };
    static const double shares[] = {0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    static uint64_t numbers[COUNT];
    unsigned seed = 7;

    for (int i = 0; i < COUNT; i++) {
        numbers[i] = ((uint64_t)rand_r(&seed) << 8 | (unsigned)rand_r(&seed) % 256) >>
                     (rand_r(&seed) % 39);
        histogram_add(&histogram, numbers[i]);
    }
    qsort(numbers, COUNT, sizeof(numbers[0]), compare);
    ck_assert_uint_eq(histogram_count(&histogram), COUNT);
    ck_assert_uint_eq(histogram.max, numbers[COUNT - 1]);
    for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
        int place = (int)(shares[i] * COUNT + 0.999999) - 1;
        double exact = (double)numbers[place > 0 ? place : 0];
        double told = (double)histogram_quantile(&histogram, shares[i]);
        ck_assert_msg(told >= exact * 0.96 - 1 && told <= exact * 1.04 + 1, "%g: %g, not %g",
                      shares[i], told, exact);
    }
}
END_TEST

START_TEST(beyond_the_end)
{
    histogram_add(&histogram, UINT64_MAX / 2);
    histogram_add(&histogram, 1);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), UINT64_MAX / 2);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("stats_histogram");
    TCase *tests = tcase_create("histogram");

    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, buckets_join);
    tcase_add_test(tests, small_numbers_are_exact);
    tcase_add_test(tests, quantiles_within_a_bucket);
    tcase_add_test(tests, beyond_the_end);
    suite_add_tcase(suite, tests);
    return suite;
}
