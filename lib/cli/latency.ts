// SPDX-License-Identifier: Apache-2.0
// Where the time goes inside the process. The histograms run all the time; a "reset" is a moment that
// is kept in a file, and subtracted later.

import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bucket, Histogram } from '../stats/index.js'
import { EXIT, Failure } from './failure.js'
import { plot } from './latency-plot.js'
import { type Column, dim, nanos, table, whole } from './text.js'
import {
    choosePid,
    headLine,
    processOf,
    readChosen,
    seconds,
    show,
    type ViewOptions,
    viewCommand,
} from './view.js'

/** What can be seen, in the order in which a message meets it. */
const KINDS = [
    [
        'rx_wait_ns',
        'port to read',
        "from the turn that took the data from its port to the application's read",
    ],
    ['tx_wait_ns', 'write to port', "from the application's write to the packet for the device"],
    ['turn_ns', 'turn', 'a turn of the stack that found work'],
] as const

const SHARES = { p50: 0.5, p90: 0.9, p99: 0.99, 'p99.9': 0.999, 'p99.99': 0.9999 }

interface Saved {
    pid: number
    started: string
    at: string
    /** By stack and kind. */
    buckets: Record<string, Bucket[]>
}

interface Options extends ViewOptions {
    interval?: number
    save?: string
    since?: string
    svg?: string
    stack?: number
}

interface Row {
    stack: number
    kind: string
    what: string
    count: number
    max: number
    quantiles: Record<string, number>
    histogram: Histogram
}

const nameOf = (stack: number, kind: string) => `${stack}/${kind}`

function take(options: ViewOptions) {
    const stats = readChosen(options, { sockets: false })
    const histograms = new Map<string, Histogram>()
    for (const { index, histograms: own } of stats.stacks)
        for (const [kind] of KINDS) if (own[kind]) histograms.set(nameOf(index, kind), own[kind])
    return { stats, histograms }
}

function load(file: string): Saved {
    try {
        const saved = JSON.parse(readFileSync(file, 'utf8')) as Saved
        if (typeof saved.pid !== 'number' || typeof saved.buckets !== 'object')
            throw new Error('not saved by --save')
        return saved
    } catch (error) {
        throw new Failure(`${file}: ${(error as Error).message}`, EXIT.usage)
    }
}

function rowsOf(now: ReturnType<typeof take>, before: Record<string, Bucket[]>, stack?: number): Row[] {
    const rows: Row[] = []
    for (const { index } of now.stats.stacks) {
        if (stack !== undefined && stack !== index) continue
        for (const [kind, , what] of KINDS) {
            const all = now.histograms.get(nameOf(index, kind))
            if (!all) continue
            const histogram = all.since(before[nameOf(index, kind)] ?? [])
            const quantiles = Object.fromEntries(
                Object.entries(SHARES).map(([name, share]) => [name, histogram.quantile(share)]),
            )
            rows.push({
                stack: index,
                kind,
                what,
                count: histogram.count,
                max: histogram.max,
                quantiles,
                histogram,
            })
        }
    }
    return rows
}

const columns: Column<Row>[] = [
    { head: 'STACK', value: (row) => row.stack, right: true },
    { head: 'TIME', value: (row) => KINDS.find(([kind]) => kind === row.kind)![1] },
    { head: 'COUNT', value: (row) => whole(row.count), right: true },
    ...Object.keys(SHARES).map(
        (name): Column<Row> => ({
            head: name,
            value: (row) => (row.count ? nanos(row.quantiles[name]!) : '-'),
            right: true,
        }),
    ),
    { head: 'max', value: (row) => (row.count ? nanos(row.max) : '-'), right: true },
]

export const latency = () =>
    viewCommand(
        'latency',
        "where the time goes: port to the application's read, its write to the port, a turn",
    )
        .option('-i, --interval <seconds>', 'only what happens from now on, for so long', seconds)
        .option('-s, --stack <id>', 'one stack only', Number)
        .option('--save <file>', 'keep this moment, to compare with')
        .option('--since <file>', 'only what happened since that moment')
        .option('--svg <file>', 'a plot of the distributions')
        .addHelpText(
            'after',
            `
Examples:
  pronghorn latency --interval 10
  pronghorn latency --save before.json; ...; pronghorn latency --since before.json --svg plot.svg`,
        )
        .action((options: Options) => {
            const fixed = { ...options, pid: `${choosePid(options)}` }
            let head = ''
            return show(options, {
                collect: async () => {
                    let before: Record<string, Bucket[]> = options.since ? load(options.since).buckets : {}
                    if (options.interval) {
                        const first = take(fixed)
                        before = Object.fromEntries(
                            [...first.histograms].map(([name, h]) => [name, h.buckets]),
                        )
                        await delay(options.interval * 1000)
                    }
                    const now = take(fixed)
                    const { startedAt, pid, name } = now.stats.process
                    if (options.since && load(options.since).started !== startedAt.toISOString())
                        throw new Failure(
                            `${options.since}: of another process, or of an earlier run`,
                            EXIT.usage,
                        )
                    if (options.save) {
                        const buckets = Object.fromEntries(
                            [...now.histograms].map(([key, h]) => [key, h.buckets]),
                        )
                        const saved: Saved = {
                            pid,
                            started: startedAt.toISOString(),
                            at: new Date().toISOString(),
                            buckets,
                        }
                        writeFileSync(options.save, JSON.stringify(saved))
                    }
                    const rows = rowsOf(now, before, options.stack)
                    if (options.svg)
                        writeFileSync(
                            options.svg,
                            plot(
                                `${name} (${pid})`,
                                rows.map((row) => ({
                                    name: `stack ${row.stack}: ${KINDS.find(([kind]) => kind === row.kind)![1]}`,
                                    histogram: row.histogram,
                                })),
                            ),
                        )
                    head = headLine(now.stats)
                    return {
                        process: processOf(now.stats),
                        unit: 'ns',
                        latencies: rows.map(({ histogram, ...row }) => ({
                            ...row,
                            buckets: histogram.buckets,
                        })),
                        rows,
                    }
                },
                json: ({ rows: _rows, ...data }) => data,
                text: ({ rows }) =>
                    [
                        head,
                        table(columns, rows),
                        dim(
                            'Reads are measured up to 10,000 a second of each socket, writes and turns one of 16.',
                        ),
                    ].join('\n'),
            })
        })
