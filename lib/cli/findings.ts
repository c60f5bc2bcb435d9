// SPDX-License-Identifier: Apache-2.0
// Why something is slow: what the numbers of one second, and of the process's life, point to, each with
// the setting or the command that mends it.

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { SegmentStats } from '../stats/index.js'
import { isStopped } from '../stats/life.js'
import { hungMs } from './banner.js'
import { REMEDIES } from './drops.js'
import { namesIn, textOf } from './machine.js'
import { between, type Moment, momentOf, type Rates } from './sample.js'
import { age, cyan, green, micros, short, yellow } from './text.js'
import type { ViewOptions } from './view.js'

export interface Finding {
    about: string
    what: string
    remedy: string
}

/** How often the kernel took the core away from a thread that wanted to go on. */
function preemptions(pid: number, thread: number): number {
    try {
        const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
        return Number(status.match(/^nonvoluntary_ctxt_switches:\s*(\d+)/m)?.[1] ?? 0)
    } catch {
        return 0
    }
}

const setting = (stats: SegmentStats, key: string) =>
    stats.facts.settings.find((row) => row.key === key)?.value

function ofStack(stats: SegmentStats, stack: number, rates: Rates, preempted: number): Finding[] {
    const found: Finding[] = []
    const { counters, gauges } = stats.stacks[stack]!
    const fact = stats.facts.stacks.find(({ id }) => id === stack)
    const add = (what: string, remedy: string) => found.push({ about: `stack ${stack}`, what, remedy })

    const hung = stats.process.alive && !isStopped(stats.process.pid) ? hungMs(stats.stacks[stack]!) : 0
    if (hung > 0)
        add(
            `it hangs since ${age(hung)}, in one and the same turn`,
            `gdb -p ${stats.process.pid} shows where, pronghorn flight what came before`,
        )
    if ((gauges.faults ?? 0) > 0) add('faults are injected on purpose', 'pronghorn inject --off')
    if (preempted > 20)
        add(
            `the kernel took the core from its thread ${short(preempted)} times a second: something else runs there` +
                (gauges.core ? ` (core ${gauges.core - 1})` : ''),
            'give it a core of its own (stack.cores, taskset for the others, isolcpus), or stack.idle = adaptive',
        )
    const sent = rates.tcp_segments_out ?? 0
    const again = rates.tcp_retransmits ?? 0
    if (again > 1 && again > sent / 1000)
        add(
            `${((100 * again) / sent).toFixed(2)} % of its segments are sent again: packets get lost on the way, or at the peer`,
            'pronghorn drops here and at the peer; pronghorn record --trigger retransmission',
        )
    if ((rates.tcp_zero_window_out ?? 0) > 0)
        add(
            'it closes its window: the application reads more slowly than its peers send',
            "pronghorn show sockets 'recv_queue > 65536'; read more often, or raise tcp.receive_buffer_max_bytes",
        )
    if ((rates.tx_refused ?? 0) > 10)
        add('its device often has no room for packets', 'raise tx_slots= of the port; or the link is full')
    if (fact?.packets && (gauges.packets_free ?? 0) < fact.packets / 4)
        add(
            `only ${gauges.packets_free} of ${fact.packets} packet buffers are free: what waits for slow readers is copied`,
            'raise memory.packets, or see who does not read: show sockets',
        )
    if (fact?.chunks && (gauges.chunks_free ?? 0) < fact.chunks / 4)
        add(
            `only ${gauges.chunks_free} of ${fact.chunks} send chunks are free: writers must wait`,
            'raise memory.chunks, or lower tcp.send_buffer_max_bytes',
        )
    if ((rates.turns_caretaker ?? 0) > 10)
        add(
            'its application stays away, and a helper thread turns it every stack.caretaker_ms',
            'call into the stack more often, or stack.drive = dedicated',
        )
    const rung = rates.wakeups_doorbell ?? 0
    if (rung > 5 && rung > ((rates.tcp_segments_out ?? 0) + (rates.udp_out ?? 0)) / 4)
        add(
            `cold sends: ${short(rung)} times a second a call of the application finds it asleep, with cold caches`,
            'pronghorn set stack.spin_us 200, or stack.idle = poll; warm() between sends (docs/zero-copy.md)',
        )
    if ((rates.rx_handed_over ?? 0) > 100)
        add(
            `${short(rates.rx_handed_over!)} packets a second came in on the queue of another stack: a hop from core to core each`,
            'one stack, or a card with RSS (pronghorn show nic)',
        )
    const sleeps = rates.sleeps ?? 0
    if (sleeps > 1000 && setting(stats, 'stack.idle') !== 'poll')
        add(
            `it falls asleep ${short(sleeps)} times a second, and each wake-up costs 6 us or more`,
            'pronghorn set stack.spin_us 50, or stack.idle = poll if a core can be spared',
        )
    for (const [name, value] of Object.entries(rates))
        if (
            name.startsWith('drop_') &&
            value > 0 &&
            name !== 'drop_rx_tcp_window' &&
            name !== 'drop_rx_not_ours'
        )
            add(`${short(value)} packets a second are dropped: ${name}`, REMEDIES[name] ?? 'pronghorn drops')
    if (
        (counters.tx_copied_bytes ?? 0) > 1e9 &&
        (counters.tx_copied_bytes ?? 0) > 2 * (counters.tx_referenced_bytes ?? 0)
    )
        add(
            'most of what it sends is copied once more on the way to the device',
            'larger writes, or a port that takes packets in pieces (tx-scatter in show ports)',
        )
    return found
}

function ofProcess(stats: SegmentStats): Finding[] {
    const found: Finding[] = []
    const { facts, stacks } = stats
    if (stacks.length >= availableParallelism() && facts.stacks.some(({ drive }) => drive === 'dedicated'))
        found.push({
            about: 'process',
            what: `${stacks.length} dedicated stacks on ${availableParallelism()} cores: they and the application take turns on a core`,
            remedy: 'fewer stacks, or stack.drive = inline',
        })
    if (setting(stats, 'tcp.nodelay') === 'off')
        found.push({
            about: 'process',
            what: 'tcp.nodelay is off: small writes wait for an acknowledgement (Nagle)',
            remedy: 'tcp.nodelay = on',
        })
    for (const port of facts.ports) {
        if (port.queues > 1 && port.offloads_missing.includes('rx-rss'))
            found.push({
                about: port.name,
                what: 'it does not spread flows by itself: packets cross from stack to stack in software',
                remedy: 'one stack, or a card with RSS',
            })
        if (port.offloads_missing.includes('tx-scatter'))
            found.push({
                about: port.name,
                what: 'it takes packets in one piece only: each is copied',
                remedy: 'a device with tx-scatter (pronghorn show ports)',
            })
    }
    return found
}

const SLOW_READER_BYTES = 65536
const SMALL_WINDOW_BYTES = 131072

/** The node that a core belongs to; 0 on a machine without nodes. */
const nodeOf = (core: number) =>
    Number(
        namesIn(`/sys/devices/system/cpu/cpu${core}`)
            .find((name) => /^node\d+$/.test(name))
            ?.slice(4) ?? 0,
    )

/** Where a thread ran last: field 39 of its stat. */
function coreOf(pid: number, thread: number): number | undefined {
    const fields = textOf(`/proc/${pid}/task/${thread}/stat`)
        ?.replace(/^.*\) /s, '')
        .split(' ')
    return fields ? Number(fields[36]) : undefined
}

/** From the application's core to the stack's and back, with each call; of one descriptor only. */
function hopsOf(stats: SegmentStats, fd: number): Finding[] {
    const socket = stats.sockets.find((row) => row.fd === fd)
    const fact = stats.facts.stacks.find(({ id }) => id === socket?.stack)
    const thread = stats.stacks[socket?.stack ?? 0]?.gauges.thread ?? 0
    if (!socket || fact?.drive !== 'dedicated' || thread === 0) return []
    const { pid } = stats.process
    const [here, there] = [coreOf(pid, Number(socket.owner)), coreOf(pid, thread)]
    if (here === undefined || there === undefined) return []
    const nodes = nodeOf(here) === nodeOf(there) ? '' : `, and from node ${nodeOf(here)} to ${nodeOf(there)}`
    return [
        {
            about: `fd ${fd}`,
            what:
                here === there
                    ? `its thread and its stack share core ${here}: one waits for the other`
                    : `each call hops from core ${here} to its stack's core ${there}${nodes}`,
            remedy: nodes
                ? "threads on the node of the stack's core (stack.cores, numactl)"
                : 'stack.drive = inline: the thread turns the stack itself',
        },
    ]
}

function ofSockets(stats: SegmentStats, fd?: number): Finding[] {
    const found: Finding[] = []
    for (const socket of stats.sockets) {
        if (fd !== undefined && socket.fd !== fd) continue
        const about = `fd ${socket.fd} ${socket.local_address}:${socket.local_port} > ${socket.peer_address}:${socket.peer_port}`
        const add = (what: string, remedy: string) => found.push({ about, what, remedy })
        const n = (name: string) => Number(socket[name] ?? 0)
        if (socket.state === 'listening') {
            if (n('recv_queue') >= n('send_queue') && n('send_queue') > 0)
                add(
                    `${n('recv_queue')} connections wait to be accepted: its queue is full`,
                    'accept() more often, or a larger backlog',
                )
            continue
        }
        if (n('recv_queue') > SLOW_READER_BYTES)
            add(`${short(n('recv_queue'), 'B')} wait to be read`, 'a slow reader: see what its thread does')
        if (socket.type !== 'tcp') continue
        const window = n('send_window_bytes')
        const narrow = window >= n('mss_bytes') && window < n('cwnd_bytes') && window < n('send_queue')
        if (narrow && window < SMALL_WINDOW_BYTES)
            add(
                `its peer's window of ${short(window, 'B')} is all that it sends in a round trip (${micros(n('rtt_us'))})`,
                'a larger receive buffer at the peer: SO_RCVBUF, or tcp.receive_buffer_default_bytes there',
            )
        if (n('send_window_bytes') < n('mss_bytes') && n('send_queue') > 0)
            add(
                `its peer's window is closed, ${short(n('send_queue'), 'B')} wait`,
                'the peer reads too slowly',
            )
        else if (n('send_queue') > n('cwnd_bytes') && n('retransmits') > 10)
            add(
                `loss keeps it at ${short(n('cwnd_bytes'), 'B')} in flight (RTT ${micros(n('rtt_us'))}, ${n('retransmits')} sent again)`,
                'pronghorn record --trigger retransmission; tcp.congestion = cubic',
            )
    }
    return found.slice(0, 20)
}

function look(before: Moment, after: Moment, held: number[], fd?: number) {
    const { stats } = after
    const time = (after.at - before.at) / 1000
    const stacks = between(before, after).flatMap(({ stack, rates }, i) => {
        const thread = stats.stacks[i]!.gauges.thread ?? 0
        const preempted = thread ? (preemptions(stats.process.pid, thread) - held[i]!) / time : 0
        return ofStack(stats, stack, rates, preempted)
    })
    return [
        ...(fd === undefined ? [...ofProcess(stats), ...stacks] : hopsOf(stats, fd)),
        ...ofSockets(stats, fd),
    ]
}

/** What hinders a process, or one descriptor of it; none when its numbers cannot be read. */
export async function findingsOf(options: ViewOptions, interval: number, fd?: number): Promise<Finding[]> {
    const before = momentOf(options)
    const held = before.stats.stacks.map(({ gauges }) =>
        gauges.thread ? preemptions(before.stats.process.pid, gauges.thread) : 0,
    )
    await delay(interval * 1000)
    return look(before, momentOf(options, { sockets: true }), held, fd)
}

export const findingsText = (findings: Finding[]) =>
    findings.length === 0
        ? green('Nothing is in its way.')
        : findings
              .map(({ about, what, remedy }) => `${yellow(about)}: ${what}\n    ${cyan(`-> ${remedy}`)}`)
              .join('\n')
