// SPDX-License-Identifier: Apache-2.0
/* The live counters of a process, read from its statistics segment in shared memory. */
import { type Field, readSegment } from '../../lib/stats/index.js'
import type { Report } from './report.js'

const number = new Intl.NumberFormat('en')
const PER_LINE = 3
const COLUMN = 36

/* Prints what is not zero, stack by stack; returns a summary. */
export async function printCounters(pid: number, report: Report): Promise<string> {
    const { process: about, stacks, sockets, fields } = readSegment(pid)
    for (const stack of stacks) {
        const shown = fields.stack
            .filter(({ kind }) => kind === 'counter' || kind === 'gauge')
            .map((field: Field) => ({
                field,
                value: (stack.counters[field.name] ?? stack.gauges[field.name]) as number,
            }))
            .filter(({ value }) => value > 0)
            .map(({ field, value }) => `${field.name} ${number.format(value)}`.padEnd(COLUMN))
        for (let i = 0; i < shown.length; i += PER_LINE) {
            const head = i === 0 ? `stack ${stack.index}: ` : '         '
            report.note(
                head +
                    shown
                        .slice(i, i + PER_LINE)
                        .join('')
                        .trimEnd(),
            )
        }
    }
    const nothing = stacks.every((stack) => Object.values(stack.counters).every((value) => value === 0))
    if (nothing) throw new Error('every counter is zero')
    return `process ${about.pid} (${about.name}), ${stacks.length} stacks, ${sockets.length} sockets`
}
