// SPDX-License-Identifier: Apache-2.0
import type { SegmentStats, SocketStats } from '../../stats/index.js'
import { readSegmentTable } from '../../stats/segment.js'
import type { SocketTable } from '../../stats/sockets.js'
import { type Filter, filterFrom } from '../filter.js'
import { serviceNames } from '../services.js'
import { type Column, remembered, tableLines } from '../text.js'
import { headLine, processOf, readOf, show, type ViewOptions, viewCommand } from '../view.js'
import { INFO_BYTES_MAX, infoOf } from './socket-info.js'
import { socketsJson } from './socket-json.js'
import { threadName } from './stacks.js'

const PIECE_BYTES = 1 << 18
const LINE_FEED = 10

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
    const namesOf = remembered((type: string) =>
        remembered((port: number) => (port === 0 ? '*' : (services?.get(`${port}/${type}`) ?? `${port}`))),
    )
    return (socket) => `${hostOf(`${socket[addressName]}`)}:${namesOf(socket.type)(number(socket, portName))}`
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
function* text({ stats, table, chosen }: Found, options: Options): Generator<string | Uint8Array> {
    const info = options.info && infoOf(table)
    const lines = tableLines(columnsFor(options, stats), chosen.length, (n) => table.at(chosen[n]!))
    let into = Buffer.allocUnsafe(PIECE_BYTES)
    let at = 0
    let row = -1
    yield headLine(stats)
    for (const line of lines) {
        // (No character is longer than three bytes of UTF-8 for each unit of the string.)
        if (at + 3 * line.length + INFO_BYTES_MAX > into.length) {
            yield into.subarray(0, at)
            // The one before may still be on its way.
            into = Buffer.allocUnsafe(Math.max(PIECE_BYTES, 3 * line.length + INFO_BYTES_MAX))
            at = 0
        }
        into[at++] = LINE_FEED
        at += into.write(line, at)
        if (info && row >= 0) {
            table.at(chosen[row]!)
            into[at++] = LINE_FEED
            at = info(into, at)
        }
        row++
    }
    yield into.subarray(0, at)
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
