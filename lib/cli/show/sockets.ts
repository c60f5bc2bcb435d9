// SPDX-License-Identifier: Apache-2.0
import type { SocketStats } from '../../stats/index.js'
import { type Filter, fieldsOf, filterFrom } from '../filter.js'
import { age, type Column, dim, micros, short, table, yellow } from '../text.js'
import { showStats, type ViewOptions, viewCommand } from '../view.js'
import { threadName } from './stacks.js'

interface Options extends ViewOptions {
    all?: boolean
    tcp?: boolean
    udp?: boolean
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
        if (options.listening && socket.state !== 'listening' && socket.state !== 'unconnected') return false
        return filter(socket)
    }
}

const number = (socket: SocketStats, name: string) => Number(socket[name] ?? 0)

function endpoint(socket: SocketStats, side: 'local' | 'peer'): string {
    const address = `${socket[`${side}_address`]}`
    const port = number(socket, `${side}_port`)
    const any = address === '0.0.0.0' || address === '::'
    const host = any ? '*' : address.includes(':') ? `[${address}]` : address
    return `${host}:${port || '*'}`
}

/** What ss -i shows below each socket: only what is there. */
function info(socket: SocketStats): string {
    const words: string[] = []
    const add = (name: string, value: string | number | false) => {
        if (value !== false && value !== '') words.push(`${name}:${value}`)
    }
    const some = (name: string, print: (value: number) => string = (value) => `${value}`) => {
        const value = number(socket, name)
        return value > 0 && print(value)
    }
    add('rto', some('rto_us', micros))
    add('rtt', some('rtt_us', micros))
    add('mss', some('mss_bytes'))
    add('cwnd', some('cwnd_bytes'))
    const ssthresh = number(socket, 'ssthresh_bytes')
    add('ssthresh', ssthresh > 0 && ssthresh < 0xfffffff && `${ssthresh}`)
    add('snd_wnd', some('send_window_bytes'))
    add('rcv_wnd', some('recv_window_bytes'))
    add('bytes_sent', some('tx_bytes', short))
    add('bytes_received', some('rx_bytes', short))
    add('segs_out', some('tx_packets', short))
    add('segs_in', some('rx_packets', short))
    for (const [name, field] of [
        ['retrans', 'retransmits'],
        ['ooo', 'out_of_order'],
        ['zero_windows', 'zero_windows'],
        ['drops', 'drops'],
    ] as const)
        if (number(socket, field) > 0) words.push(yellow(`${name}:${socket[field]}`))
    add('stack', socket.stack)
    add(
        'age',
        some('created_ms', (ms) => age(Date.now() - ms)),
    )
    return words.join(' ')
}

function columnsFor(options: Options, pid: number): Column<SocketStats>[] {
    const names = new Map<number, string>()
    const owner = (socket: SocketStats) => {
        const thread = number(socket, 'owner')
        if (!names.has(thread)) names.set(thread, threadName(pid, thread))
        return `${names.get(thread)},tid=${thread},fd=${socket.fd}`
    }
    return [
        { head: 'Netid', value: (row) => row.type },
        { head: 'State', value: (row) => row.state },
        { head: 'Recv-Q', value: (row) => row.recv_queue, right: true },
        { head: 'Send-Q', value: (row) => row.send_queue, right: true },
        { head: 'Local Address:Port', value: (row) => endpoint(row, 'local') },
        { head: 'Peer Address:Port', value: (row) => endpoint(row, 'peer') },
        ...(options.processes ? [{ head: 'Owner', value: owner }] : []),
    ]
}

/** The table, with each socket's details on a line of its own below it. */
function text(rows: SocketStats[], options: Options, pid: number): string {
    const lines = table(columnsFor(options, pid), rows).split('\n')
    if (!options.info) return lines.join('\n')
    return lines
        .flatMap((line, i) => (i === 0 ? [line] : [line, dim(`        ${info(rows[i - 1]!)}`)]))
        .join('\n')
}

/** As `ss -s`: how many of what. */
function summaryOf(sockets: SocketStats[]) {
    const summary: Record<string, Record<string, number>> = {}
    for (const { type, state } of sockets) {
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
        .option('-l, --listening', 'listeners, and UDP sockets without a peer')
        .option('-i, --info', 'RTT, windows, retransmissions, ... of each')
        .option('-o, --processes', 'the thread that made or accepted each, and its descriptor')
        .option('-s, --summary', 'only how many')
        .addHelpText(
            'after',
            `
Filters:
  state NAME, exclude NAME      established, listening, time-wait, connected, synchronized, ...
  src, dst ADDRESS[/BITS][:PORT]
  sport, dport [OP] PORT        OP: = != < > <= >=  (eq ne lt gt le ge)
  tcp, udp, stack N, fd N, and every number of docs/stats.md: retransmits > 0
  and (or nothing), or, not, ( )

Examples:
  pronghorn show sockets -i state established dport 443
  pronghorn show sockets 'rtt_us > 1000 or retransmits > 0'
  pronghorn show sockets --json -l | jq '.sockets[].local_port'`,
        )
        .action((words: string[], options: Options) => {
            const filter = wanted(options, filterFrom(words))
            const all = options.json || options.info
            const only = ['recv_queue', 'send_queue', 'stack', 'owner', 'fd', ...fieldsOf(words)]
            return showStats(
                options,
                (stats) => {
                    const rows = stats.sockets.filter(filter)
                    return options.summary ? { summary: summaryOf(rows) } : { sockets: rows }
                },
                (data, stats) =>
                    data.summary
                        ? summaryText(data.summary)
                        : text(data.sockets ?? [], options, stats.process.pid),
                { sockets: all ? true : only },
            )
        })
