// SPDX-License-Identifier: Apache-2.0
// A distribution as the stack keeps it: log-linear, native/stats/histogram.h.

/** The numbers of one range. */
export interface Bucket {
    /** The smallest number in it; that of the next bucket ends it. */
    low: number
    /** The first number that is not in it any more. */
    high: number
    /** How many there were. */
    count: number
}

/** A distribution: how many numbers were in each of ranges that grow with the numbers. */
export class Histogram {
    /** How many numbers. */
    readonly count: number
    /** Of all of them. */
    readonly sum: number
    /** The largest. */
    readonly max: number
    /** Those that hold something, smallest numbers first. */
    readonly buckets: Bucket[]

    private constructor(buckets: Bucket[], sum: number, max: number) {
        this.buckets = buckets
        this.count = buckets.reduce((count, bucket) => count + bucket.count, 0)
        this.sum = sum
        this.max = max
    }

    /** `bytes` begins with sum and max; each power of two has 2^stepBits buckets. */
    static from(bytes: Buffer, stepBits: number): Histogram {
        const word = (index: number) => Number(bytes.readBigUInt64LE(index * 8))
        const buckets: Bucket[] = []
        for (let i = 0; i < bytes.length / 8 - 2; i++) {
            const count = word(i + 2)
            if (count > 0) buckets.push({ low: lowOf(i, stepBits), high: lowOf(i + 1, stepBits), count })
        }
        return new Histogram(buckets, word(0), word(1))
    }

    /** As it was when its buckets were these: an earlier moment of it. The largest is known to its bucket. */
    at(buckets: Bucket[]): Histogram {
        return this.#made(buckets.map((bucket) => ({ ...bucket })))
    }

    /** What was added since `before`, its earlier buckets. The largest number is known to its bucket only. */
    since(before: Bucket[]): Histogram {
        if (before.length === 0) return this
        const known = new Map(before.map(({ low, count }) => [low, count]))
        const buckets = this.buckets
            .map((bucket) => ({ ...bucket, count: Math.max(0, bucket.count - (known.get(bucket.low) ?? 0)) }))
            .filter(({ count }) => count > 0)
        return this.#made(buckets)
    }

    #made(buckets: Bucket[]): Histogram {
        const middle = ({ low, high }: Bucket) => low + Math.floor((high - low) / 2)
        const sum = buckets.reduce((all, bucket) => all + middle(bucket) * bucket.count, 0)
        return new Histogram(buckets, sum, Math.min(this.max, buckets.at(-1)?.high ?? 0))
    }

    /** Their mean; 0 if there are none. */
    get mean(): number {
        return this.count ? this.sum / this.count : 0
    }

    /** The number that `share` (0.5: the median) of all do not exceed, within half a bucket. */
    quantile(share: number): number {
        let below = 0
        for (const bucket of this.buckets) {
            below += bucket.count
            if (below >= share * this.count)
                return Math.min(bucket.low + Math.floor((bucket.high - bucket.low) / 2), this.max)
        }
        return this.max
    }

    /** Count, mean, max and the usual quantiles. */
    toJSON(): Record<string, number> {
        const quantiles = { p50: 0.5, p90: 0.9, p99: 0.99, 'p99.9': 0.999, 'p99.99': 0.9999 }
        return {
            count: this.count,
            mean: this.mean,
            max: this.max,
            ...Object.fromEntries(
                Object.entries(quantiles).map(([name, share]) => [name, this.quantile(share)]),
            ),
        }
    }
}

function lowOf(bucket: number, stepBits: number): number {
    const steps = 2 ** stepBits
    if (bucket < steps) return bucket
    return (steps + (bucket % steps)) * 2 ** (Math.floor(bucket / steps) - 1)
}
