/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A distribution of 64-bit numbers in fixed memory. Log-linear: each power of two is cut into
 * HISTOGRAM_STEPS buckets of equal width, so a bucket is at most 1/16 (6 %) as wide as its numbers;
 * numbers below HISTOGRAM_STEPS have a bucket each, those of 2^40 (18 minutes in ns) and more share
 * the last. One writer, plain stores; readers in other processes see each word whole.
 */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 4
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_VALUE_BITS 40
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1))

struct histogram {
    uint64_t sum;
    uint64_t max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    if (value >> HISTOGRAM_VALUE_BITS)
        return HISTOGRAM_BUCKETS - 1;
    /* The highest bit chooses the power of two, the HISTOGRAM_STEP_BITS below it the step. */
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

/* The smallest number of a bucket; that of the next one ends it. */
static inline uint64_t histogram_bucket_low(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << shift;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    uint64_t *bucket = &histogram->bucket[histogram_bucket(value)];

    __atomic_store_n(bucket, *bucket + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&histogram->sum, histogram->sum + value, __ATOMIC_RELAXED);
    if (value > histogram->max)
        __atomic_store_n(&histogram->max, value, __ATOMIC_RELAXED);
}

/*
 * For the busiest places: counts the number only. Whoever does so sets sum and max now and then with
 * histogram_settle(), which knows the sum from elsewhere; no number was larger than `largest`.
 */
static inline void histogram_tally(struct histogram *histogram, uint64_t value)
{
    uint64_t *bucket = &histogram->bucket[histogram_bucket(value)];

    __atomic_store_n(bucket, *bucket + 1, __ATOMIC_RELAXED);
}

static inline void histogram_settle(struct histogram *histogram, uint64_t sum, uint64_t largest)
{
    unsigned bucket = histogram_bucket(largest);

    while (bucket > 0 && histogram->bucket[bucket] == 0)
        bucket--;
    __atomic_store_n(&histogram->sum, sum, __ATOMIC_RELAXED);
    __atomic_store_n(&histogram->max, histogram_bucket_low(bucket), __ATOMIC_RELAXED);
}

uint64_t histogram_count(const struct histogram *histogram);

/*
 * The number that `share` (0.5: the median) of all numbers do not exceed, to the middle of its
 * bucket, and at most the largest number seen; 0 when there are none.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
