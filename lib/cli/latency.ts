// SPDX-License-Identifier: Apache-2.0
// Where the time goes inside the process. The histograms of the stacks run all the time; a "reset" is a
// moment that is kept in a file, and subtracted later. Single sockets are measured when they are chosen.

import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { ask } from './console.js'
import { EXIT, Failure } from './failure.js'
import { filterFrom } from './filter.js'
import { plot } from './latency-plot.js'
import {
    bucketsOf,
    load,
    momentFrom,
    type Row,
    rowsOf,
    type Saved,
    SHARES,
    save,
    timeOf,
} from './latency-rows.js'
import { type Column, dim, nanos, table, whole, yellow } from './text.js'
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

interface Options extends ViewOptions {
    interval?: number
    keep?: boolean
    release?: boolean
    save?: string
    since?: string
    until?: string
    svg?: string
    stack?: number
}

const take = (options: ViewOptions) => momentFrom(readChosen(options, { sockets: ['id'] }))

/** As many as can be measured at a time; those with the most packets come first. */
const SETS = 16

/** Asks the process to measure those that the filter fits. Their ids, and what is to be said of it. */
async function chooseSockets(
    words: string[],
    options: ViewOptions,
): Promise<{ ids: number[]; notes: string[] }> {
    const filter = filterFrom(words)
    const busy = (row: Record<string, unknown>) => Number(row.rx_packets ?? 0) + Number(row.tx_packets ?? 0)
    const found = readChosen(options)
        .sockets.filter((row) => row.fd >= 0 && filter(row))
        .sort((a, b) => busy(b) - busy(a))
    if (found.length === 0)
        throw new Failure('no open socket fits that (pronghorn show sockets)', EXIT.failed)
    const chosen = found.slice(0, SETS)
    const answer = await ask(options, 'latency', {
        sockets: chosen.map(({ id, fd }) => `${id}:${fd}`).join(','),
    })
    const notes: string[] = []
    if (found.length > chosen.length)
        notes.push(`${found.length} sockets fit, the ${SETS} with the most packets are measured.`)
    if (Number(answer.refused) > 0)
        notes.push(`${answer.refused} are not measured: all sets are in use (pronghorn latency --release).`)
    return { ids: chosen.map(({ id }) => id), notes }
}

const numbers: Column<Row>[] = [
    { head: 'TIME', value: (row) => timeOf(row.kind) },
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
const stackColumns: Column<Row>[] = [{ head: 'STACK', value: (row) => row.stack, right: true }, ...numbers]
const socketColumns: Column<Row>[] = [
    {
        head: 'SOCKET',
        value: ({ socket }) => `${socket!.local} > ${socket!.peer}${socket!.open ? '' : ' (closed)'}`,
    },
    ...numbers,
]

const seriesOf = (row: Row) => ({
    name: `${row.socket ? `${row.socket.local} > ${row.socket.peer}` : `stack ${row.stack}`}: ${timeOf(row.kind)}`,
    histogram: row.histogram,
})

function textOf(rows: Row[], notes: string[]): string {
    const stacks = rows.filter((row) => !row.socket)
    // (A program without callbacks has none of these rows.)
    const sockets = rows.filter((row) => row.socket && (row.count > 0 || !row.kind.startsWith('callback')))
    const lines = stacks.length > 0 ? [table(stackColumns, stacks)] : []
    if (sockets.length > 0) lines.push(table(socketColumns, sockets))
    return [
        ...lines,
        ...notes.map((note) => yellow(note)),
        dim(
            'Of a stack, reads are measured up to 10,000 a second of each socket, writes and turns one of 16; ' +
                'of chosen sockets all.',
        ),
    ].join('\n')
}

export const latency = () =>
    viewCommand(
        'latency',
        "where the time goes: port to the application's read, its write to the port, a turn",
    )
        .argument('[filter...]', 'measure these sockets by themselves, as show sockets names them')
        .option('-i, --interval <seconds>', 'only what happens from now on, for so long', seconds)
        .option('-k, --keep', 'go on measuring the chosen sockets: latency shows them from now on')
        .option('--release', 'measure no socket by itself any more')
        .option('-s, --stack <id>', 'one stack only', Number)
        .option('--save <file>', 'keep this moment, to compare with')
        .option('--since <file>', 'only what happened since that moment')
        .option('--until <file>', 'only what happened until that moment')
        .option('--svg <file>', 'a plot of the distributions')
        .addHelpText(
            'after',
            `
Sockets that are chosen (at most ${SETS} at a time) are measured with each read and write, and with each
callback of Node. Without --keep that ends after the interval (1 second if none is given).

Examples:
  pronghorn latency --interval 10
  pronghorn latency state established dport 443 --interval 10
  pronghorn latency 'recv_queue > 1000' --keep; ...; pronghorn latency --release
  pronghorn latency --save before.json; ...; pronghorn latency --since before.json --svg plot.svg`,
        )
        .action(async (words: string[], options: Options) => {
            const fixed = { ...options, pid: `${choosePid(options)}` }
            if (options.release) {
                await ask(fixed, 'latency', { off: true })
                if (words.length === 0) return
            }
            const { ids, notes } = words.length ? await chooseSockets(words, fixed) : { ids: [], notes: [] }
            const passing = ids.length > 0 && !options.keep
            const interval = options.interval ?? (passing ? 1 : undefined)
            const wanted = (row: Row) =>
                (options.stack === undefined || options.stack === row.stack) &&
                (ids.length === 0 || (row.socket !== undefined && ids.includes(row.socket.id)))
            let head = ''
            try {
                await show(options, {
                    collect: async () => {
                        const first = take(fixed)
                        let before: Saved['buckets'] = options.since ? load(options.since, first.stats) : {}
                        if (interval) {
                            before = bucketsOf(first)
                            await delay(interval * 1000)
                        }
                        const now = interval ? take(fixed) : first
                        const until = options.until ? load(options.until, now.stats) : undefined
                        if (options.save) save(options.save, now)
                        const rows = rowsOf(now, before, until).filter(wanted)
                        const { name, pid } = now.stats.process
                        if (options.svg)
                            writeFileSync(options.svg, plot(`${name} (${pid})`, rows.map(seriesOf)))
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
                    text: ({ rows }) => `${head}\n${textOf(rows, notes)}`,
                })
            } finally {
                if (passing) await ask(fixed, 'latency', { release: ids.join(',') })
            }
        })
