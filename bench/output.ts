// SPDX-License-Identifier: Apache-2.0
// The table for people and the list for programs.

import Table from 'cli-table3'
import type { Group, Row } from './row.js'
import {
    type Better,
    formatNumber,
    pairedRatioOf,
    ratioOf,
    type Sample,
    type Summary,
    spreadOf,
    summarize,
} from './statistics.js'

export interface Comparison {
    name: string
    unit: string
    better: Better
    ours: Summary
    peer: Summary & { what: string }
    /** Over 1: ours is better. */
    ratio: number
    pairs: number
    setup: string
}

export function compare(row: Row, group: Group, ours: Sample[], theirs: Sample[], setup: string): Comparison {
    const mine = summarize(ours)
    const peer = row.bound === undefined ? summarize(theirs) : summarize([{ value: row.bound, p99: null }])
    return {
        name: row.name,
        unit: row.unit,
        better: row.better,
        ours: mine,
        peer: { what: row.bound === undefined ? group.peer : `a bound: ${row.bound} ${row.unit}`, ...peer },
        ratio: group.together
            ? pairedRatioOf(values(ours), values(theirs), row.better)
            : ratioOf(mine.median, peer.median, row.better),
        pairs: ours.length,
        setup,
    }
}

const values = (samples: readonly Sample[]) => samples.map(({ value }) => value)

const cell = (value: number | null) => (value === null ? '-' : formatNumber(value))

export function formatTable(
    comparisons: readonly Comparison[],
    targets: ReadonlyMap<string, number | null>,
): string {
    const table = new Table({
        head: ['row', 'unit', 'ours', 'p99', 'spread', 'peer', 'p99', 'spread', 'ratio', 'target'],
        colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
        style: { head: [], border: [], compact: true },
    })
    for (const one of comparisons) {
        const target = targets.get(one.name) ?? null
        const met = target === null ? '' : one.ratio >= target ? `${target} met` : `${target} MISSED`
        const spread = (summary: Summary) => `${(spreadOf(summary) * 100).toFixed(0)} %`
        table.push([
            one.name,
            one.unit,
            cell(one.ours.median),
            cell(one.ours.p99),
            spread(one.ours),
            cell(one.peer.median),
            cell(one.peer.p99),
            spread(one.peer),
            formatNumber(one.ratio),
            met,
        ])
    }
    return table.toString()
}
