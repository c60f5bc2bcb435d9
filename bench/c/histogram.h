/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histogram of nanoseconds: 64 steps per power of two, so a value read back is at most
 * 1.6 % off; up to 2^42 ns (73 minutes). Recording is a shift and an increment.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <string.h>

#define HISTOGRAM_STEP_BITS 6
#define HISTOGRAM_STEPS (1u << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_TOP_BIT 42
#define HISTOGRAM_BUCKETS ((HISTOGRAM_TOP_BIT - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t min;
    uint64_t max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline void histogram_reset(struct histogram *h)
{
    memset(h, 0, sizeof(*h));
    h->min = UINT64_MAX;
}

static inline unsigned histogram_index(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    unsigned index = (shift + 1) * HISTOGRAM_STEPS + (unsigned)((value >> shift) - HISTOGRAM_STEPS);
    return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

/* The smallest value of a bucket; that of the next one ends it. */
static inline uint64_t histogram_low(unsigned index)
{
    if (index < HISTOGRAM_STEPS)
        return index;
    return ((uint64_t)HISTOGRAM_STEPS + index % HISTOGRAM_STEPS) << (index / HISTOGRAM_STEPS - 1);
}

/* The middle of a bucket's range. */
static inline uint64_t histogram_value(unsigned index)
{
    return histogram_low(index) + (histogram_low(index + 1) - histogram_low(index)) / 2;
}

static inline void histogram_record(struct histogram *h, uint64_t value)
{
    h->bucket[histogram_index(value)]++;
    h->count++;
    h->sum += value;
    if (value > h->max)
        h->max = value;
    if (value < h->min)
        h->min = value;
}

/* The value that `share` (0..1) of all recorded values do not exceed; 0 when nothing was recorded. */
static inline uint64_t histogram_percentile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count + 0.5);
    uint64_t seen = 0;

    if (!h->count)
        return 0;
    if (!wanted)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= wanted) {
            uint64_t value = histogram_value(i);
            return value > h->max ? h->max : value < h->min ? h->min : value;
        }
    }
    return h->max;
}

/*
 * The same with what lies below it in its bucket, as if a bucket's values were spread evenly: for medians
 * of so many values that the bucket's width would be most of a difference.
 */
static inline double histogram_quantile(const struct histogram *h, double share)
{
    double wanted = share * (double)h->count, seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double count = (double)h->bucket[i];

        if (count > 0 && seen + count >= wanted) {
            double low = (double)histogram_low(i), next = (double)histogram_low(i + 1);
            return low + (next - low) * (wanted - seen) / count;
        }
        seen += count;
    }
    return (double)h->max;
}

#endif
