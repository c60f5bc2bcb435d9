// SPDX-License-Identifier: Apache-2.0
// What hinders single sockets: their windows and queues, and the way from their threads to their stack.

import type { SegmentStats, SocketStats } from '../stats/index.js'
import { type Cause, type Cores, type Finding, setting } from './finding.js'
import { micros, short } from './text.js'

const SLOW_READER_BYTES = 65536
const SMALL_WINDOW_BYTES = 131072
const MOST = 20

/** From the application's core to the stack's and back, with each call; of one descriptor only. */
export function hopsOf(stats: SegmentStats, fd: number, cores: Cores): Finding[] {
    const socket = stats.sockets.find((row) => row.fd === fd)
    const fact = stats.facts.stacks.find(({ id }) => id === socket?.stack)
    const thread = stats.stacks[socket?.stack ?? 0]?.gauges.thread ?? 0
    if (!socket || fact?.drive !== 'dedicated' || thread === 0) return []
    const { pid } = stats.process
    const [here, there] = [cores.ofThread(pid, Number(socket.owner)), cores.ofThread(pid, thread)]
    if (here === undefined || there === undefined) return []
    const [ours, its] = [cores.nodeOf(here), cores.nodeOf(there)]
    const about = `fd ${fd}`
    if (here === there)
        return [
            {
                cause: 'shared-core',
                about,
                what: `its thread and its stack share core ${here}: one waits for the other`,
                remedy: 'stack.drive = inline: the thread turns the stack itself',
            },
        ]
    const hop = `each call hops from core ${here} to its stack's core ${there}`
    return [
        ours === its
            ? {
                  cause: 'hops',
                  about,
                  what: hop,
                  remedy: 'stack.drive = inline: the thread turns the stack itself',
              }
            : {
                  cause: 'nodes',
                  about,
                  what: `${hop}, and from node ${ours} to ${its}`,
                  remedy: "threads on the node of the stack's core (stack.cores, numactl)",
              },
    ]
}

/** Between nodes: stacks and their cards, threads and the stacks of their sockets. */
export function nodesOf(stats: SegmentStats, cores: Cores): Finding[] {
    const found: Finding[] = []
    const { facts, process, sockets } = stats
    for (const stack of facts.stacks) {
        for (const port of facts.ports)
            if (
                stack.ports.includes(port.id) &&
                port.numa_node >= 0 &&
                stack.numa_node >= 0 &&
                port.numa_node !== stack.numa_node
            )
                found.push({
                    cause: 'nodes',
                    about: `stack ${stack.id}`,
                    what: `it is on node ${stack.numa_node}, its port ${port.name} on node ${port.numa_node}: each packet crosses`,
                    remedy: `cores of node ${port.numa_node} in stack.cores (lscpu, pronghorn doctor)`,
                })
        const threads = new Map<number, number>()
        for (const { stack: own, owner } of sockets)
            if (own === stack.id && owner !== 0)
                threads.set(Number(owner), (threads.get(Number(owner)) ?? 0) + 1)
        for (const [thread, count] of threads) {
            const core = cores.ofThread(process.pid, thread)
            if (core === undefined || stack.numa_node < 0 || cores.nodeOf(core) === stack.numa_node) continue
            found.push({
                cause: 'nodes',
                about: `stack ${stack.id}`,
                what: `it is on node ${stack.numa_node}, thread ${thread} with ${count} of its sockets on node ${cores.nodeOf(core)}: each call crosses`,
                remedy: "threads on the node of the stack's core (stack.cores, numactl)",
            })
        }
    }
    return found.slice(0, MOST)
}

function ofListener(n: (name: string) => number, add: Add): void {
    if (n('recv_queue') >= n('send_queue') && n('send_queue') > 0)
        add(
            'accept-queue',
            `${n('recv_queue')} connections wait to be accepted: its queue is full`,
            'accept() more often, or a larger backlog (listen(), tcp.backlog_max)',
        )
}

type Add = (cause: Cause, what: string, remedy: string) => void

/** `now`: what the stacks suffer from at the moment, so that of a past trouble nobody hears. */
function ofSocket(
    socket: SocketStats,
    congestion: string,
    now: (cause: Cause) => boolean,
    late: boolean,
    add: Add,
): void {
    const n = (name: string) => Number(socket[name] ?? 0)
    if (socket.state === 'listening') {
        ofListener(n, add)
        return
    }
    if (n('recv_queue') > SLOW_READER_BYTES)
        add(
            'slow-reader',
            `${short(n('recv_queue'), 'B')} wait to be read`,
            `a slow reader: see what its thread ${socket.owner} does (top -H, perf top -t)`,
        )
    if (socket.type !== 'tcp') return
    const window = n('send_window_bytes')
    const narrow = window >= n('mss_bytes') && window < n('cwnd_bytes') && window < n('send_queue')
    if (narrow && window < SMALL_WINDOW_BYTES)
        add(
            'small-window',
            `its peer's window of ${short(window, 'B')} is all that it sends in a round trip (${micros(n('rtt_us'))})`,
            'a larger receive buffer at the peer: SO_RCVBUF, or tcp.receive_buffer_default_bytes there',
        )
    if (window < n('mss_bytes') && n('send_queue') > 0)
        add(
            'slow-reader',
            `its peer's window is closed, ${short(n('send_queue'), 'B')} wait`,
            'the peer reads too slowly: pronghorn explain, or ss -tinm, there',
        )
    else if (n('send_queue') > n('cwnd_bytes') && n('retransmits') > 10)
        add(
            'loss',
            `loss keeps it at ${short(n('cwnd_bytes'), 'B')} in flight (RTT ${micros(n('rtt_us'))}, ${n('retransmits')} sent again)`,
            `pronghorn record --trigger retransmission${congestion === 'cubic' ? '' : '; tcp.congestion = cubic'}`,
        )
    if (now('nagle') && n('nagle_holds') > 10 && n('nagle_holds') > n('tx_packets') / 20)
        add(
            'nagle',
            `${n('nagle_holds')} of its small writes waited for an acknowledgement (Nagle)`,
            'TCP_NODELAY on it (tcp.nodelay = on is the default), or each message in one write',
        )
    if (late && n('delayed_acks') > 10)
        add(
            'delayed-ack',
            `${n('delayed_acks')} of its acknowledgements waited in vain for data to ride on: it costs time if its peer has Nagle's algorithm`,
            'TCP_QUICKACK on it, tcp.delayed_ack_ms = 1, or TCP_NODELAY at the peer',
        )
}

/** `late`: those whose late acknowledgements somebody may have waited for (late-acks.ts). */
export function ofSockets(
    stats: SegmentStats,
    now: Set<Cause>,
    late: ReadonlyMap<number, number>,
    fd?: number,
): Finding[] {
    const found: Finding[] = []
    const congestion = setting(stats, 'tcp.congestion') ?? ''
    for (const socket of stats.sockets) {
        if (fd !== undefined && socket.fd !== fd) continue
        const about = `fd ${socket.fd} ${socket.local_address}:${socket.local_port} > ${socket.peer_address}:${socket.peer_port}`
        ofSocket(
            socket,
            congestion,
            (cause) => fd !== undefined || now.has(cause),
            late.has(socket.id) && (fd !== undefined || now.has('delayed-ack')),
            (cause, what, remedy) => found.push({ cause, about, what, remedy }),
        )
        if (found.length >= MOST) break
    }
    return found
}
