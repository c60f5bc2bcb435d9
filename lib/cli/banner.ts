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

/** The numbers of the sets of faults that a stack has: bits of a gauge. */
export const faultSets = ({ gauges }: SegmentStats['stacks'][number]): number[] =>
    [...(gauges.faults ?? 0).toString(2)].reverse().flatMap((bit, index) => (bit === '1' ? [index + 1] : []))

/** "0, 1 (set 1, 3)"; where they differ "0 (set 1), 1 (set 1, 3)". */
function faultsText(faulty: SegmentStats['stacks']): string {
    const groups = new Map<string, number[]>()
    for (const stack of faulty) {
        const sets = faultSets(stack).join(', ')
        groups.set(sets, [...(groups.get(sets) ?? []), stack.index])
    }
    return [...groups].map(([sets, stacks]) => `${stacks.join(', ')} (set ${sets})`).join(', ')
}

export function banner(stats: SegmentStats): string | undefined {
    const { process, stacks } = stats
    const { alive, pid } = process
    const lines: string[] = []
    const faulty = faultyStacks(stats)
    if (faulty.length > 0) {
        lines.push(
            `*** FAULTS ARE BEING INJECTED on stack ${faultsText(faulty)}: pronghorn inject shows what, inject off ends it ***`,
        )
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
