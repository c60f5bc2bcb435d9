// SPDX-License-Identifier: Apache-2.0
// Two moments of a process, and what happened between them.

import type { SegmentStats, StackStats } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import { readChosen, type ViewOptions } from './view.js'

export interface Moment {
    stats: SegmentStats
    /** performance.now() */
    at: number
}

export function momentOf(options: ViewOptions, what: { sockets?: boolean } = { sockets: false }): Moment {
    return { stats: readChosen(options, what), at: performance.now() }
}

/** Everything a stack counts, per second. */
export type Rates = Record<string, number>

function ratesOf(before: StackStats | undefined, after: StackStats, secondsBetween: number): Rates {
    const rates: Rates = {}
    for (const [name, value] of Object.entries(after.counters))
        rates[name] = Math.max(0, value - (before?.counters[name] ?? 0)) / secondsBetween
    rates.drops = sumOf(rates, /^drop_/)
    rates.busy_percent = busyPercent(before, after, secondsBetween)
    return rates
}

/** One working turn of so many is measured (native/loop/loop.c). */
const MEASURED_EVERY = 16

/** How much of the time went into turns that found work. */
export function busyPercent(
    before: StackStats | undefined,
    after: StackStats,
    secondsBetween: number,
): number {
    const sum = (stack?: StackStats) => stack?.histograms.turn_ns?.sum ?? 0
    const share = ((sum(after) - sum(before)) * MEASURED_EVERY) / (secondsBetween * 1e9)
    return Math.min(100, Math.max(0, share * 100))
}

export function sumOf(numbers: Record<string, number>, names: RegExp): number {
    return Object.entries(numbers).reduce((sum, [name, value]) => sum + (names.test(name) ? value : 0), 0)
}

export function between(before: Moment, after: Moment): { stack: number; rates: Rates }[] {
    if (after.stats.process.pid !== before.stats.process.pid)
        throw new Failure('the process ended meanwhile', EXIT.noProcess)
    const secondsBetween = (after.at - before.at) / 1000
    return after.stats.stacks.map((stack, i) => ({
        stack: stack.index,
        rates: ratesOf(before.stats.stacks[i], stack, secondsBetween),
    }))
}
