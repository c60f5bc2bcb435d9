// SPDX-License-Identifier: Apache-2.0
// A distribution as the stack keeps it: log-linear, native/stats/histogram.h.

export interface Bucket {
    /** The smallest number in it; that of the next bucket ends it. */
    low: number
    high: number
    count: number
}

export class Histogram {
    readonly count: number
    readonly sum: number
    readonly max: number
    /** Those that hold something, smallest numbers first. */
    readonly buckets: Bucket[] = []

    /** `bytes` begins with sum and max; each power of two has 2^stepBits buckets. */
    constructor(bytes: Buffer, stepBits: number) {
        const word = (index: number) => Number(bytes.readBigUInt64LE(index * 8))
        this.sum = word(0)
        this.max = word(1)
        let count = 0
        for (let i = 0; i < bytes.length / 8 - 2; i++) {
            const inBucket = word(i + 2)
            if (inBucket === 0) continue
            count += inBucket
            this.buckets.push({ low: lowOf(i, stepBits), high: lowOf(i + 1, stepBits), count: inBucket })
        }
        this.count = count
    }

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

    toJSON() {
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
