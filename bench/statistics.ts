// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a comparison: medians over runs, their spread, and the ratio.

export type Better = 'lower' | 'higher'

/** What one run of one program measured. */
export interface Sample {
    value: number
    /** 99 % of the operations were as good as this or better, in the row's unit. */
    p99: number | null
}

export interface Summary {
    median: number
    min: number
    max: number
    p99: number | null
}

export function median(values: readonly number[]): number {
    if (values.length === 0) throw new RangeError('the median of no values')
    const sorted = [...values].sort((a, b) => a - b)
    const middle = sorted.length >> 1
    return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The median of the runs' p99: one bad run does not decide it. */
export function summarize(samples: readonly Sample[]): Summary {
    const values = samples.map((sample) => sample.value)
    const tails = samples.flatMap((sample) => (sample.p99 === null ? [] : [sample.p99]))
    return {
        median: median(values),
        min: Math.min(...values),
        max: Math.max(...values),
        p99: tails.length ? median(tails) : null,
    }
}

/** Over 1: ours is better. */
export function ratioOf(ours: number, peer: number, better: Better): number {
    return better === 'higher' ? ours / peer : peer / ours
}

/**
 * The median of the ratios of what was measured side by side: what happened to the machine in between
 * happened to both of a pair, so this tells differences far below the spread of either.
 */
export function pairedRatioOf(ours: readonly number[], peer: readonly number[], better: Better): number {
    if (ours.length !== peer.length) throw new RangeError('pairs have two sides')
    return median(ours.map((value, i) => ratioOf(value, peer[i]!, better)))
}

/** Distance between the worst and the best run, as a share of the median. */
export function spreadOf(summary: Summary): number {
    return summary.median === 0 ? 0 : (summary.max - summary.min) / Math.abs(summary.median)
}

/** Three significant digits are all that such a measurement can carry. */
export function formatNumber(value: number): string {
    if (!Number.isFinite(value)) return '-'
    const size = Math.abs(value)
    if (size === 0) return '0'
    if (size >= 1e9) return `${trim(value / 1e9)} G`
    if (size >= 1e6) return `${trim(value / 1e6)} M`
    if (size >= 1e4) return `${trim(value / 1e3)} k`
    return trim(value)
}

function trim(value: number): string {
    const size = Math.abs(value)
    return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}
