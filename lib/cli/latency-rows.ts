// SPDX-License-Identifier: Apache-2.0
// A moment of a process's histograms, kept in a file if need be, and what happened between two of them.

import { readFileSync, writeFileSync } from 'node:fs'
import type { Bucket, Histogram, SegmentStats, SocketStats } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'

/** What can be seen, in the order in which a message meets it. */
const KINDS: Record<string, [name: string, what: string]> = {
    rx_wait_ns: ['port to read', "from the turn that took the data from its port to the application's read"],
    callback_wait_ns: [
        'port to callback',
        "from the turn that took the data from its port to the begin of Node's callback for it",
    ],
    callback_ns: ['callback', "how long Node's callback ran"],
    tx_wait_ns: ['write to port', "from the application's write to the packet for the device"],
    turn_ns: ['turn', 'a turn of the stack that found work'],
}

export const SHARES = { p50: 0.5, p90: 0.9, p99: 0.99, 'p99.9': 0.999, 'p99.99': 0.9999 }

export interface Saved {
    pid: number
    started: string
    at: string
    /** By stack or socket, and kind. */
    buckets: Record<string, Bucket[]>
}

export interface Of {
    stack: number
    /** Of one socket that was chosen; absent: of the stack. */
    socket?: { id: number; fd: number; type: string; local: string; peer: string; open: boolean }
}

export interface Row extends Of {
    kind: string
    what: string
    count: number
    max: number
    quantiles: Record<string, number>
    histogram: Histogram
}

export interface Moment {
    stats: SegmentStats
    of: Map<string, { of: Of; kind: string; histogram: Histogram }>
}

export const timeOf = (kind: string) => KINDS[kind]?.[0] ?? kind

function endpoint(socket: SocketStats, side: 'local' | 'peer'): string {
    const address = `${socket[`${side}_address`]}`
    return `${address.includes(':') ? `[${address}]` : address}:${socket[`${side}_port`] || '*'}`
}

export function momentFrom(stats: SegmentStats): Moment {
    const of: Moment['of'] = new Map()
    const add = (name: string, whose: Of, histograms: Record<string, Histogram>) => {
        for (const kind of Object.keys(KINDS))
            if (histograms[kind]) of.set(`${name}/${kind}`, { of: whose, kind, histogram: histograms[kind] })
    }
    for (const { index, histograms } of stats.stacks) add(`${index}`, { stack: index }, histograms)
    const open = new Set(stats.sockets.map(({ id }) => id))
    for (const { socket, histograms } of stats.chosen)
        add(
            `socket ${socket.id}`,
            {
                stack: socket.stack,
                socket: {
                    id: socket.id,
                    fd: socket.fd,
                    type: socket.type,
                    local: endpoint(socket, 'local'),
                    peer: endpoint(socket, 'peer'),
                    open: open.has(socket.id),
                },
            },
            histograms,
        )
    return { stats, of }
}

export function save(file: string, moment: Moment): void {
    const { pid, startedAt } = moment.stats.process
    const saved: Saved = {
        pid,
        started: startedAt.toISOString(),
        at: new Date().toISOString(),
        buckets: bucketsOf(moment),
    }
    writeFileSync(file, JSON.stringify(saved))
}

export const bucketsOf = (moment: Moment) =>
    Object.fromEntries([...moment.of].map(([name, { histogram }]) => [name, histogram.buckets]))

/** A saved moment of this process. */
export function load(file: string, { process }: SegmentStats): Saved['buckets'] {
    let saved: Saved
    try {
        saved = JSON.parse(readFileSync(file, 'utf8')) as Saved
        if (typeof saved.pid !== 'number' || typeof saved.buckets !== 'object')
            throw new Error('not saved by --save')
    } catch (error) {
        throw new Failure(`${file}: ${(error as Error).message}`, EXIT.usage)
    }
    if (saved.started !== process.startedAt.toISOString())
        throw new Failure(`${file}: of another process, or of an earlier run`, EXIT.usage)
    return saved.buckets
}

/** What happened since `before`, up to now or up to another saved moment. */
export function rowsOf(now: Moment, before: Saved['buckets'], until?: Saved['buckets']): Row[] {
    return [...now.of].map(([name, { of, kind, histogram: all }]) => {
        const histogram = (until ? all.at(until[name] ?? []) : all).since(before[name] ?? [])
        const quantiles = Object.fromEntries(
            Object.entries(SHARES).map(([share, value]) => [share, histogram.quantile(value)]),
        )
        const { count, max } = histogram
        return { ...of, kind, what: KINDS[kind]![1], count, max, quantiles, histogram }
    })
}
