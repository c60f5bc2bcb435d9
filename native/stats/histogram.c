/* SPDX-License-Identifier: Apache-2.0 */
#include "stats/histogram.h"

#include "base/compiler.h"

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += __atomic_load_n(&histogram->bucket[i], __ATOMIC_RELAXED);
    return count;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t count = histogram_count(histogram);
    double wanted = share * (double)count;
    uint64_t below = 0;

    if (count == 0)
        return 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        below += __atomic_load_n(&histogram->bucket[i], __ATOMIC_RELAXED);
        if (below == 0 || (double)below < wanted)
            continue;
        uint64_t low = histogram_bucket_low(i), next = histogram_bucket_low(i + 1);
        return min_u64(low + (next - low) / 2, histogram->max);
    }
    return histogram->max;
}
