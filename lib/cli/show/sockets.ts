// SPDX-License-Identifier: Apache-2.0
import type { SegmentStats, SocketStats } from '../../stats/index.js'
import { readSegmentTable } from '../../stats/segment.js'
import type { SocketTable } from '../../stats/sockets.js'
import { type Filter, filterFrom } from '../filter.js'
import { serviceNames } from '../services.js'
import { age, type Column, dim, micros, remembered, short, tableLines, yellow } from '../text.js'
import { headLine, processOf, readOf, show, type ViewOptions, viewCommand } from '../view.js'
import { socketsJson } from './socket-json.js'
import { threadName } from './stacks.js'

/** Characters of a piece of output. */
const PIECE = 1 << 18

interface Options extends ViewOptions {
    all?: boolean
    tcp?: boolean
    udp?: boolean
    ipv4?: boolean
    ipv6?: boolean
    numeric?: boolean
    listening?: boolean
    info?: boolean
    processes?: boolean
    summary?: boolean
}

function wanted(options: Options, filter: Filter): Filter {
    return (socket) => {
        if (
            (options.tcp || options.udp) &&
            !(options.tcp && socket.type === 'tcp') &&
            !(options.udp && socket.type === 'udp')
        )
            return false
        if (
            (options.ipv4 || options.ipv6) &&
            !(options.ipv4 && socket.family === 'ipv4') &&
            !(options.ipv6 && socket.family === 'ipv6')
        )
            return false
        if (options.listening && socket.state !== 'listening' && socket.state !== 'unconnected') return false
        return filter(socket)
    }
}

const number = (socket: SocketStats, name: string) => Number(socket[name] ?? 0)
const inMicros = remembered(micros)
const inShort = remembered((value: number) => short(value))

const hostOf = remembered((address: string) =>
    address === '0.0.0.0' || address === '::' ? '*' : address.includes(':') ? `[${address}]` : address,
)

/** The names of services, but for port numbers that are given out at random: nobody chose those for their name. */
function servicesOf({ facts }: SegmentStats): Map<string, string> {
    const range = facts.settings.find(({ key }) => key === 'tcp.local_ports')?.value ?? ''
    const [low = 32768, high = 60999] = range.match(/\d+/g)?.map(Number) ?? []
    const chosen = (at: string) => Number.parseInt(at, 10) < low || Number.parseInt(at, 10) > high
    return new Map([...serviceNames()].filter(([at]) => chosen(at)))
}

/** With the service's name, as ss does, or its number. */
function endpointOf(side: 'local' | 'peer', services?: Map<string, string>): (socket: SocketStats) => string {
    const [addressName, portName] = [`${side}_address`, `${side}_port`]
    return (socket) => {
        const port = number(socket, portName)
        const name = port === 0 ? '*' : (services?.get(`${port}/${socket.type}`) ?? port)
        return `${hostOf(`${socket[addressName]}`)}:${name}`
    }
}

type Detail = [label: string, field: string, print: (value: number) => string | number]
const plain = (value: number) => value
const DETAILS: Detail[] = [
    ['rto', 'rto_us', inMicros],
    ['rtt', 'rtt_us', inMicros],
    ['mss', 'mss_bytes', plain],
    ['cwnd', 'cwnd_bytes', plain],
    // (As large as it can be: there was no loss yet.)
    ['ssthresh', 'ssthresh_bytes', (value) => (value < 0xfffffff ? value : '')],
    ['snd_wnd', 'send_window_bytes', plain],
    ['rcv_wnd', 'recv_window_bytes', plain],
    ['bytes_sent', 'tx_bytes', inShort],
    ['bytes_received', 'rx_bytes', inShort],
    ['segs_out', 'tx_packets', inShort],
    ['segs_in', 'rx_packets', inShort],
]
const TROUBLES: Detail[] = [
    ['retrans', 'retransmits', plain],
    ['ooo', 'out_of_order', plain],
    ['zero_windows', 'zero_windows', plain],
    ['nagle_holds', 'nagle_holds', plain],
    ['delayed_acks', 'delayed_acks', plain],
    ['drops', 'drops', plain],
]

/** What ss -i shows below each socket: only what is there. */
function infoOf({ members }: SocketTable): () => string {
    const readerOf = (field: string) => members.find(({ name }) => name === field)?.read ?? (() => 0)
    const words = (atZero: RegExp, details: Detail[], paint: (word: string) => string) =>
        details.map(([label, field, print]) => ({
            read: readerOf(field),
            word: remembered((value: number) => {
                const printed = value > 0 || atZero.test(label) ? print(value) : ''
                return printed === '' ? '' : paint(`${label}:${printed} `)
            }),
        }))
    const now = Date.now()
    const last: Detail[] = [
        ['stack', 'stack', String],
        ['age', 'created_ms', (created) => age(now - created)],
    ]
    const listOf = (atZero: RegExp) => [
        ...words(atZero, DETAILS, String),
        ...words(atZero, TROUBLES, yellow),
        ...words(atZero, last, String),
    ]
    // (Of what is zero nothing is said, but of a closed window: that is what one looks for.)
    const [all, connected] = [listOf(/^stack$/), listOf(/^stack$|^(snd|rcv)_wnd$/)]
    const mss = readerOf('mss_bytes')
    return () => {
        let text = '        '
        const list = mss() === 0 ? all : connected
        for (let i = 0; i < list.length; i++) text += list[i]!.word(Number(list[i]!.read()))
        return dim(text.trimEnd())
    }
}

function columnsFor(options: Options, stats: SegmentStats): Column<SocketStats>[] {
    const services = options.numeric ? undefined : servicesOf(stats)
    const nameOf = remembered((thread: number) => threadName(stats.process.pid, thread))
    const owner = (socket: SocketStats) => {
        const thread = number(socket, 'owner')
        return `${nameOf(thread)},tid=${thread},fd=${socket.fd}`
    }
    return [
        { head: 'Netid', value: (row) => row.type },
        { head: 'State', value: (row) => row.state },
        { head: 'Recv-Q', value: (row) => row.recv_queue, right: true },
        { head: 'Send-Q', value: (row) => row.send_queue, right: true },
        { head: 'Local Address:Port', value: endpointOf('local', services) },
        { head: 'Peer Address:Port', value: endpointOf('peer', services) },
        ...(options.processes ? [{ head: 'Owner', value: owner }] : []),
    ]
}

interface Found {
    stats: SegmentStats
    table: SocketTable
    /** The rows that the filter lets through. */
    chosen: number[]
}

function find(options: Options, filter: Filter): Found {
    const { stats, table } = readOf(options, readSegmentTable)
    const chosen: number[] = []
    for (let index = 0; index < table.size; index++) if (filter(table.at(index))) chosen.push(index)
    return { stats, table, chosen }
}

/** Lines joined to pieces: a write for each line would take longer than to make it. */
function* text({ stats, table, chosen }: Found, options: Options): Generator<string> {
    const info = options.info && infoOf(table)
    const lines = tableLines(columnsFor(options, stats), chosen.length, (n) => table.at(chosen[n]!))
    let piece = headLine(stats)
    let row = -1
    for (const line of lines) {
        piece += `\n${line}`
        if (info && row >= 0) {
            table.at(chosen[row]!)
            piece += `\n${info()}`
        }
        row++
        if (piece.length < PIECE) continue
        yield piece
        piece = ''
    }
    yield piece
}

function* json({ stats, table, chosen }: Found, indent: number): Generator<string | Uint8Array> {
    const about = JSON.stringify({ process: processOf(stats) }, null, indent)
    yield about.slice(0, indent ? -2 : -1)
    yield indent ? `,\n${' '.repeat(indent)}"sockets": ` : ',"sockets":'
    yield* socketsJson(table, chosen, indent)
    yield indent ? '\n}' : '}'
}

/** As `ss -s`: how many of what. */
function summaryOf({ table, chosen }: Found) {
    const summary: Record<string, Record<string, number>> = {}
    for (const index of chosen) {
        const { type, state } = table.at(index)
        summary[type] ??= { total: 0 }
        const counts = summary[type]
        counts.total = counts.total! + 1
        counts[state] = (counts[state] ?? 0) + 1
    }
    return summary
}

const summaryText = (summary: ReturnType<typeof summaryOf>) =>
    Object.entries(summary)
        .map(([type, { total, ...states }]) => {
            const parts = Object.entries(states).map(([state, count]) => `${state} ${count}`)
            return `${type.toUpperCase()}: ${total} (${parts.join(', ')})`
        })
        .join('\n') || 'No sockets.'

export const sockets = () =>
    viewCommand('sockets', 'the sockets, as ss shows them')
        .alias('ss')
        .argument('[filter...]', "as ss's: state established dport 443, dst 10.0.0.0/8, retransmits > 0")
        .option('-t, --tcp', 'TCP only')
        .option('-u, --udp', 'UDP only')
        .option('-4, --ipv4', 'IPv4 only')
        .option('-6, --ipv6', 'IPv6 only')
        .option('-n, --numeric', 'port numbers instead of the names of services')
        .option('-l, --listening', 'listeners, and UDP sockets without a peer')
        .option('-i, --info', 'RTT, windows, retransmissions, ... of each')
        .option('-o, --processes', 'the thread that made or accepted each, and its descriptor')
        .option('-s, --summary', 'only how many')
        .addHelpText(
            'after',
            `
Filters:
  state NAME, exclude NAME      established, listening, time-wait, connected, synchronized, ...;
                                several at the beginning add up, as with ss
  src, dst [= !=] ADDRESS[/BITS][:PORT]
  sport, dport [OP] PORT        OP: = != < > <= >=  (eq ne lt gt le ge); a service's name, or 8000-8099
  tcp, udp, stack N, fd N, and every number of docs/stats.md: retransmits > 0
  and (or nothing), or, not, ( )

Examples:
  pronghorn show sockets -i state established dport 443
  pronghorn show sockets 'rtt_us > 1000 or retransmits > 0'
  pronghorn show sockets --json -l | jq '.sockets[].local_port'`,
        )
        .action((words: string[], options: Options) => {
            const filter = wanted(options, filterFrom(words))
            const collect = () => find(options, filter)
            if (options.summary)
                return show(options, {
                    collect,
                    text: (found) => `${headLine(found.stats)}\n${summaryText(summaryOf(found))}`,
                    json: (found) => ({ process: processOf(found.stats), summary: summaryOf(found) }),
                })
            return show(options, { collect, text: (found) => text(found, options), jsonPieces: json })
        })
