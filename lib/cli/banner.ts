// SPDX-License-Identifier: Apache-2.0
// What nobody who looks at numbers may overlook: that they are being falsified on purpose, or that
// nobody counts any more.

import type { SegmentStats } from '../stats/index.js'
import { isStopped } from '../stats/life.js'
import { age, red } from './text.js'

/** A turn takes microseconds; who has not come back for so long does not come back. */
const HUNG_MS = 2000

/** How long a stack has been in the same turn, 0: it turns, or sleeps as it should. */
export function hungMs({ gauges }: SegmentStats['stacks'][number]): number {
    const turned = gauges.turned_us ?? 0
    if (turned === 0 || gauges.sleeping) return 0
    // (process.hrtime is the same clock, CLOCK_MONOTONIC.)
    const ms = Number(process.hrtime.bigint() / 1000n - BigInt(turned)) / 1000
    return ms >= HUNG_MS ? Math.round(ms) : 0
}

/** The stacks into which faults are injected. */
export const faultyStacks = ({ stacks }: SegmentStats) =>
    stacks.filter(({ gauges }) => (gauges.faults ?? 0) > 0)

export function banner(stats: SegmentStats): string | undefined {
    const { process, stacks } = stats
    const { alive, pid } = process
    const lines: string[] = []
    const faulty = faultyStacks(stats)
    if (faulty.length > 0) {
        const names = faulty.map(({ index }) => index).join(', ')
        lines.push(`*** FAULTS ARE BEING INJECTED on stack ${names}: pronghorn inject --off ends it ***`)
    }
    if (alive && isStopped(pid)) {
        lines.push(`*** STOPPED (SIGSTOP, or a debugger): kill -CONT ${pid} lets it go on ***`)
    } else if (alive) {
        for (const stack of stacks) {
            const ms = hungMs(stack)
            if (ms > 0)
                lines.push(
                    `*** STACK ${stack.index} HANGS since ${age(ms)}, in one and the same turn: gdb -p ${pid} shows where ***`,
                )
        }
    }
    return lines.length > 0 ? lines.map(red).join('\n') : undefined
}
