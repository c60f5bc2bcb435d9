// SPDX-License-Identifier: Apache-2.0
// What `pronghorn top` draws: a pure function of two moments and of what the user chose.

import type { SocketStats } from '../stats/index.js'
import { banner } from './banner.js'
import { between, type Moment, type Rates } from './sample.js'
import { age, bold, type Column, dim, micros, nanos, red, short, table, widthOf } from './text.js'

export const SORTS = ['rate', 'rx', 'tx', 'queue', 'rtt', 'retrans'] as const
export type Sort = (typeof SORTS)[number]

export interface Choice {
    sort: Sort
    /** The line under the cursor, and whether its details are shown. */
    line: number
    detail: boolean
    paused: boolean
}

export interface Frame {
    before: Moment
    after: Moment
    /** Port to read, p99, of the last looks. */
    history: number[]
}

interface Row {
    socket: SocketStats
    rx: number
    tx: number
}

/** The process, its latency, two heads, a blank line, a connection or two, the keys. */
const FIXED_LINES = 8
const DETAIL_WIDTH = 26

const SPARKS = '▁▂▃▄▅▆▇█'

export function sparkline(values: number[], width: number): string {
    const last = values.slice(-width)
    const most = Math.max(1, ...last)
    return last.map((value) => SPARKS[Math.min(7, Math.floor((value / most) * 8))]).join('')
}

const number = (socket: SocketStats, name: string) => Number(socket[name] ?? 0)

function rowsOf({ before, after }: Frame): Row[] {
    const time = (after.at - before.at) / 1000
    const known = new Map(before.stats.sockets.map((socket) => [socket.id, socket]))
    return after.stats.sockets
        .filter(({ state }) => state !== 'listening')
        .map((socket) => {
            const old = known.get(socket.id)
            const rate = (name: string) =>
                old ? Math.max(0, number(socket, name) - number(old, name)) / time : 0
            return { socket, rx: rate('rx_bytes'), tx: rate('tx_bytes') }
        })
}

const keys: Record<Sort, (row: Row) => number> = {
    rate: ({ rx, tx }) => rx + tx,
    rx: ({ rx }) => rx,
    tx: ({ tx }) => tx,
    queue: ({ socket }) => socket.recv_queue + socket.send_queue,
    rtt: ({ socket }) => number(socket, 'rtt_us'),
    retrans: ({ socket }) => number(socket, 'retransmits'),
}

const endpoint = (address: unknown, port: unknown) =>
    `${address}`.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** An IPv4 address and a port number always have room. */
const PEER_WIDTH = 21
/** What is left of it when its middle is cut out: the port number at least. */
const PEER_TAIL = 8

const columns = (peerWidth: number): Column<Row>[] => [
    {
        head: 'PEER',
        value: ({ socket }) => {
            const peer = endpoint(socket.peer_address, socket.peer_port)
            if (peer.length <= peerWidth) return peer
            return `${peer.slice(0, peerWidth - PEER_TAIL - 1)}…${peer.slice(-PEER_TAIL)}`
        },
    },
    { head: 'PORT', value: ({ socket }) => socket.local_port, right: true },
    { head: 'STATE', value: ({ socket }) => socket.state },
    { head: 'RX/s', value: ({ rx }) => short(rx, 'B'), right: true },
    { head: 'TX/s', value: ({ tx }) => short(tx, 'B'), right: true },
    { head: 'QUEUE', value: ({ socket }) => short(socket.recv_queue + socket.send_queue, 'B'), right: true },
    { head: 'RTT', value: ({ socket }) => micros(number(socket, 'rtt_us')), right: true },
    { head: 'RETR', value: ({ socket }) => short(number(socket, 'retransmits')), right: true },
]

const stackColumns: Column<{ stack: number; rates: Rates }>[] = [
    { head: 'STACK', value: ({ stack }) => stack, right: true },
    {
        head: 'BUSY',
        value: ({ rates }) =>
            `${'#'.repeat(Math.round(rates.busy_percent! / 10)).padEnd(10, '.')} ${rates.busy_percent!.toFixed(0).padStart(3)}%`,
    },
    { head: 'RX p/s', value: ({ rates }) => short(rates.rx_packets ?? 0), right: true },
    { head: 'TX p/s', value: ({ rates }) => short(rates.tx_packets ?? 0), right: true },
    { head: 'RX', value: ({ rates }) => short((rates.rx_bytes ?? 0) * 8, 'b'), right: true },
    { head: 'TX', value: ({ rates }) => short((rates.tx_bytes ?? 0) * 8, 'b'), right: true },
    { head: 'RETR', value: ({ rates }) => short(rates.tcp_retransmits ?? 0), right: true },
    {
        head: 'DROP',
        value: ({ rates }) => short(rates.drops ?? 0),
        right: true,
        paint: (text, { rates }) => (rates.drops! > 0 ? red(text) : text),
    },
]

const inverse = (text: string) => `\u001b[7m${text}\u001b[27m`

function cut(line: string, width: number): string {
    if (widthOf(line) <= width) return line
    // (Colours end with the line: what is cut is their last letters at most.)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences are ours
    return line.replace(/\u001b\[[0-9;]*m/g, '').slice(0, width)
}

const widest = (lines: string[]) => Math.max(...lines.map(widthOf))

/** A table whose last columns are left out, whole, where they have no room: half a number would be a wrong one. */
function fitted<T>(all: Column<T>[], rows: T[], width: number): string[] {
    for (let count = all.length; ; count--) {
        const lines = table(all.slice(0, count), rows).split('\n')
        if (count === 1 || widest(lines) <= width) return lines
    }
}

/** Long addresses give way first. */
function connections(rows: Row[], width: number): string[] {
    const peers = rows.map(({ socket }) => endpoint(socket.peer_address, socket.peer_port).length)
    const whole = Math.max(PEER_WIDTH, ...peers)
    const excess = Math.max(0, widest(table(columns(whole), rows).split('\n')) - width)
    return fitted(columns(Math.max(PEER_WIDTH, whole - excess)), rows, width)
}

/** Those that fit into half of the screen: the busiest, and how many more there are. */
function stackLines(frame: Frame, width: number, height: number): string[] {
    const all = between(frame.before, frame.after)
    const room = Math.max(1, Math.floor((height - FIXED_LINES) / 2))
    if (all.length <= room) return fitted(stackColumns, all, width)
    const shown = [...all]
        .sort((a, b) => b.rates.busy_percent! - a.rates.busy_percent!)
        .slice(0, Math.max(1, room - 1))
        .sort((a, b) => a.stack - b.stack)
    return [
        ...fitted(stackColumns, shown, width),
        dim(`       ${all.length - shown.length} more that are less busy`),
    ]
}

/** In columns; a long one takes the room of two. */
function details({ socket }: Row, width: number): string[] {
    const lines: string[] = []
    let line = ''
    for (const [name, value] of Object.entries(socket)) {
        const word = `${name} ${value}`
        if (line !== '' && line.length + word.length > width) {
            lines.push(line.trimEnd())
            line = ''
        }
        line += word.padEnd(Math.ceil((word.length + 1) / DETAIL_WIDTH) * DETAIL_WIDTH)
    }
    return [...lines, line.trimEnd()]
}

export const p99 = ({ stats }: Moment, earlier?: Moment) =>
    Math.max(
        0,
        ...stats.stacks.map(
            (stack, i) =>
                stack.histograms.rx_wait_ns
                    ?.since(earlier?.stats.stacks[i]?.histograms.rx_wait_ns?.buckets ?? [])
                    .quantile(0.99) ?? 0,
        ),
    )

export function draw(frame: Frame, choice: Choice, width: number, height: number): string {
    const { stats } = frame.after
    const { name, pid, startedAt } = stats.process
    const rows = rowsOf(frame).sort((a, b) => keys[choice.sort](b) - keys[choice.sort](a))
    const latency = frame.history.at(-1) ?? 0
    const warning = banner(stats)
    const lines = [
        ...(warning?.split('\n') ?? []),
        bold(`${name} (${pid})`) +
            ` up ${age(Date.now() - startedAt.getTime())}, ${rows.length} sockets${choice.paused ? ', PAUSED' : ''}`,
        `port to read p99 ${nanos(latency).padStart(6)} ${sparkline(frame.history, Math.min(40, width - 30))}`,
        ...stackLines(frame, width, height),
        '',
    ]
    const line = Math.min(choice.line, Math.max(0, rows.length - 1))
    if (choice.detail && rows[line]) {
        lines.push(...details(rows[line], width))
    } else {
        const room = Math.max(1, height - lines.length - 2)
        const first = Math.max(0, line - room + 1)
        const [head = '', ...body] = connections(rows.slice(first, first + room), width)
        // (Cut before: cutting takes the colours off.)
        lines.push(head, ...body.map((text, i) => (first + i === line ? inverse(cut(text, width)) : text)))
    }
    while (lines.length < height - 1) lines.push('')
    const help = `q quit  s sort: ${choice.sort}  up/down choose  enter details  p pause  space now`
    return [...lines.slice(0, height - 1), dim(help)].map((text) => cut(text, width)).join('\n')
}
