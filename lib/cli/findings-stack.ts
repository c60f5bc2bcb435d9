// SPDX-License-Identifier: Apache-2.0
// What hinders one stack, by what it counted in a while.

import type { SegmentStats } from '../stats/index.js'
import { isStopped } from '../stats/life.js'
import { faultSets, hungMs } from './banner.js'
import { EXPECTED_DROPS, REMEDIES } from './drops.js'
import { type Cause, dropCause, type Finding, setting } from './finding.js'
import { type Wait, waitText } from './findings-threads.js'
import type { Rates } from './sample.js'
import { age, short } from './text.js'

/** 1 Gbit/s: below it nobody notices who sums up. */
const MUCH_BYTES = 125e6

type Add = (cause: Cause, what: string, remedy: string) => void

/** What the network does to it. */
function ofNetwork(stats: SegmentStats, stack: number, rates: Rates, late: number, add: Add): void {
    const sent = rates.tcp_segments_out ?? 0
    const again = rates.tcp_retransmits ?? 0
    if (again > 1 && again > sent / 1000)
        add(
            'loss',
            `${((100 * again) / sent).toFixed(2)} % of its segments are sent again: packets get lost on the way, or at the peer`,
            'pronghorn drops here and at the peer; pronghorn record --trigger retransmission',
        )
    if ((rates.tcp_zero_window_out ?? 0) > 0)
        add(
            'slow-reader',
            'it closes its window: the application reads more slowly than its peers send',
            "pronghorn show sockets 'recv_queue > 65536'; read more often, or raise tcp.receive_buffer_max_bytes",
        )
    if ((rates.tcp_nagle_holds ?? 0) > 1)
        add(
            'nagle',
            `${short(rates.tcp_nagle_holds!)} times a second a small write waits for an acknowledgement (Nagle)`,
            setting(stats, 'tcp.nodelay') === 'off'
                ? "tcp.nodelay = on; pronghorn show sockets -i 'nagle_holds > 0' shows whose"
                : "the program takes TCP_NODELAY off: leave it on, or send each message in one piece; pronghorn show sockets -i 'nagle_holds > 0' shows whose",
        )
    if (late > 5)
        add(
            'delayed-ack',
            `${short(Math.round(late))} acknowledgements a second go out only after tcp.delayed_ack_ms (${setting(stats, 'tcp.delayed_ack_ms')}): a peer with Nagle's algorithm keeps its next small write back until then (one that sets TCP_NODELAY loses nothing)`,
            "tcp.delayed_ack_ms = 1, or TCP_QUICKACK; TCP_NODELAY at the peer; pronghorn show sockets -i 'delayed_acks > 0' shows whose",
        )
    for (const [name, value] of Object.entries(rates)) {
        if (!name.startsWith('drop_') || value === 0) continue
        if (EXPECTED_DROPS.test(name) && !/^drop_rx_no_(socket|connection)$/.test(name)) continue
        const help = stats.fields.stack.find((field) => field.name === name)?.help ?? ''
        add(
            dropCause(name),
            `${short(value)} packets a second are dropped: ${help} (${name})`,
            REMEDIES[name] ?? 'pronghorn drops',
        )
    }
    if ((rates.rx_handed_over ?? 0) > 100)
        add(
            'hops',
            `${short(rates.rx_handed_over!)} packets a second came in on the queue of another stack: a hop from core to core each`,
            'one stack (stack.cores), or a card with RSS (pronghorn show nic)',
        )
    const ports = stats.facts.stacks.find(({ id }) => id === stack)?.ports ?? []
    for (const port of stats.facts.ports.filter(({ id }) => ports.includes(id)))
        for (const [bytes, missing, way] of [
            ['tx_bytes', 'tx-tcp-checksum', 'sent'],
            ['rx_bytes', 'rx-l4-checksum', 'received'],
        ] as const)
            if ((rates[bytes] ?? 0) > MUCH_BYTES && port.offloads_missing.includes(missing))
                add(
                    'offloads',
                    `${short(rates[bytes]!, 'B')} a second are ${way}, and ${port.name} leaves their checksums to the stack`,
                    `a device with ${missing} (pronghorn show ports)`,
                )
}

/** Its memory, and the ring of its device. */
function ofBuffers(stats: SegmentStats, stack: number, rates: Rates, add: Add): void {
    const { counters, gauges } = stats.stacks[stack]!
    const fact = stats.facts.stacks.find(({ id }) => id === stack)
    if ((rates.tx_refused ?? 0) > 10)
        add(
            'full-ring',
            `${short(rates.tx_refused!)} times a second its device has no room for packets`,
            'raise tx_slots= of the port (rx_slots= of a wire); or the link is full: pronghorn rate, show nic',
        )
    if (fact?.packets && (gauges.packets_free ?? 0) < fact.packets / 4)
        add(
            'few-buffers',
            `only ${gauges.packets_free} of ${fact.packets} packet buffers are free: what waits for slow readers is copied`,
            'raise memory.packets, or see who does not read: pronghorn show sockets',
        )
    if (fact?.chunks && (gauges.chunks_free ?? 0) < fact.chunks / 4)
        add(
            'few-buffers',
            `only ${gauges.chunks_free} of ${fact.chunks} send chunks are free: writers must wait`,
            'raise memory.chunks, or lower tcp.send_buffer_max_bytes; pronghorn show pools',
        )
    if (
        (counters.tx_copied_bytes ?? 0) > 1e9 &&
        (counters.tx_copied_bytes ?? 0) > 2 * (counters.tx_referenced_bytes ?? 0)
    )
        add(
            'copies',
            'most of what it sends is copied once more on the way to the device',
            'larger writes, or a port that takes packets in pieces (tx-scatter in pronghorn show ports)',
        )
}

/** Who turns it, and how often. */
function ofTurns(stats: SegmentStats, stack: number, rates: Rates, wait: Wait | undefined, add: Add): void {
    const { gauges } = stats.stacks[stack]!
    const hung = stats.process.alive && !isStopped(stats.process.pid) ? hungMs(stats.stacks[stack]!) : 0
    if (hung > 0)
        add(
            'hung',
            `it hangs since ${age(hung)}, in one and the same turn`,
            `gdb -p ${stats.process.pid} shows where, pronghorn flight what came before`,
        )
    const sets = faultSets(stats.stacks[stack]!)
    if (sets.length > 0)
        add(
            'faults',
            `faults are injected on purpose: set ${sets.join(', ')}`,
            'pronghorn inject shows what they do, pronghorn inject off ends them',
        )
    const waits = waitText(wait)
    if (waits)
        add(
            'shared-core',
            `${waits}: something else runs there${gauges.core ? ` (core ${gauges.core - 1})` : ''}`,
            'give it a core of its own (stack.cores, taskset for the others, isolcpus), or stack.idle = adaptive',
        )
    if ((rates.turns_caretaker ?? 0) > 10)
        add(
            'caretaker',
            'its application stays away, and a helper thread turns it every stack.caretaker_ms',
            'call into the stack more often, or stack.drive = dedicated',
        )
    const rung = rates.wakeups_doorbell ?? 0
    if (rung > 5 && rung > ((rates.tcp_segments_out ?? 0) + (rates.udp_out ?? 0)) / 4)
        add(
            'cold-sends',
            `cold sends: ${short(rung)} times a second a call of the application finds it asleep, with cold caches`,
            'pronghorn set stack.spin_us 200, or stack.idle = poll; warm() between sends (docs/zero-copy.md)',
        )
    const sleeps = rates.sleeps ?? 0
    if (sleeps > 1000 && setting(stats, 'stack.idle') !== 'poll')
        add(
            'sleeps',
            `it falls asleep ${short(sleeps)} times a second, and each wake-up costs 6 us or more`,
            'pronghorn set stack.spin_us 50, or stack.idle = poll if a core can be spared',
        )
}

/** `late`: a second, acknowledgements for which somebody may have waited (late-acks.ts). */
export function ofStack(
    stats: SegmentStats,
    stack: number,
    rates: Rates,
    late: number,
    wait?: Wait,
): Finding[] {
    const found: Finding[] = []
    const add: Add = (cause, what, remedy) => found.push({ cause, about: `stack ${stack}`, what, remedy })
    ofTurns(stats, stack, rates, wait, add)
    ofNetwork(stats, stack, rates, late, add)
    ofBuffers(stats, stack, rates, add)
    return found
}
