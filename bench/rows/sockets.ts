// SPDX-License-Identifier: Apache-2.0
// The programs of bench/c on ph_* and on the kernel's calls: round trips, streams, connections.

import type { Context, Side } from '../context.js'
import type { VethPair } from '../host/netns.js'
import { type Result, runPair } from '../host/program.js'
import { both, type Group, INLINE, latencyOf, only, onWire, rate, roundTrip } from '../row.js'
import type { Sample } from '../statistics.js'

const roundTripRows: Group[] = [
    both(
        { name: 'c.rr.spin', unit: 'us', better: 'lower', target: 2.5 },
        '64 B TCP round trip, stacks inline, both ends spin',
        'kernel sockets over veth, both ends spin',
        'rr',
        { wait: 'spin' },
        roundTrip,
    ),
    both(
        { name: 'c.rr.sleep', unit: 'us', better: 'lower', target: 1 },
        '64 B TCP round trip, stacks inline, both ends in epoll_wait, asleep when idle (adaptive: 20 us of looking first)',
        'kernel epoll over veth',
        'rr',
        { wait: 'epoll' },
        roundTrip,
    ),
    both(
        { name: 'c.rr.dedicated', unit: 'us', better: 'lower', target: null },
        '64 B TCP round trip with blocking calls, a thread per stack, which shares the core with its caller',
        'kernel sockets over veth, blocking calls',
        'rr',
        { wait: 'block' },
        roundTrip,
        { settings: { PRONGHORN_STACK_DRIVE: 'dedicated' } },
    ),
    both(
        { name: 'c.rr.interrupt', unit: 'us', better: 'lower', target: null },
        'the same with stack.idle = interrupt: asleep in each direction, every time',
        'kernel epoll over veth',
        'rr',
        { wait: 'epoll' },
        roundTrip,
        { settings: { PRONGHORN_STACK_IDLE: 'interrupt' } },
    ),
]

const SLOTS_SECONDS = 2

/**
 * c.rr.spin against itself without what engineers can see from outside: both at once, in turn on the same
 * cores (bench/c/rr.c), each slot of one beside the next of the other.
 */
async function watched(context: Context, run: number) {
    const ends = (enabled: 'on' | 'off', slot: number) =>
        onWire(
            context,
            'rr',
            { wait: 'spin', slots: 2, slot, seconds: context.options.quick ? 1 : SLOTS_SECONDS },
            60,
            { PRONGHORN_STATS_ENABLED: enabled },
        )
    const medians = ({ client }: { client: Result[] }) =>
        new Map(only(client, 'rr').slots as [number, number][])
    const [on, off] = (await Promise.all([ends('on', run % 2), ends('off', 1 - (run % 2))])).map(medians)
    const sample = (ns: number) => ({ 'stats.cost': { value: ns / 1e3, p99: null } })
    return [...on!].flatMap(([round, ns]) => {
        const other = off!.get(round)
        return other === undefined ? [] : [{ ours: sample(ns), theirs: sample(other) }]
    })
}

const statsRow: Group = {
    rows: [{ name: 'stats.cost', unit: 'us', better: 'lower', target: 0.98 }],
    setup:
        'c.rr.spin with stats.enabled = on: counters and sockets in shared memory, the flight recorder; ' +
        "in slots of 20 ms beside its peer, the ratio is the median of the slots'",
    peer: 'the same with stats.enabled = off',
    together: watched,
}

async function kernelPeer(context: Context, server: Side): Promise<Record<string, Sample>> {
    const ours = server === 'pronghorn'
    const pair: VethPair = ours
        ? context.veth('ours', { offload: true, bareA: true })
        : context.veth('plain', { offload: true, bareA: false })
    const all = { address: pair.addressA, wait: 'spin', limit: 60 }
    const env = { ...INLINE, PRONGHORN_PORT: `af_packet,iface=va,address=${pair.addressA}/24` }
    const run = await runPair(
        context.program(
            'rr',
            server,
            'server',
            all,
            ours ? { namespace: pair.a, env } : { namespace: pair.a },
        ),
        context.program('rr', 'kernel', 'client', all, { namespace: pair.b }),
        60,
    )
    return { 'c.rr.kernel-peer': roundTrip(only(run.client, 'rr')) }
}

const kernelPeerRow: Group = {
    rows: [{ name: 'c.rr.kernel-peer', unit: 'us', better: 'lower', target: null }],
    setup: '64 B TCP round trip of a spinning kernel client with our echo server, inline, over af_packet on a veth',
    peer: 'the same client with a spinning kernel server over veth',
    ours: (context) => kernelPeer(context, 'pronghorn'),
    theirs: (context) => kernelPeer(context, 'kernel'),
}

const gigabits = (result: Result) => {
    const block = (result.block_writes as number) * 16384
    return {
        value: (result.bits_per_second as number) / 1e9,
        p99: (block * 8) / latencyOf(result).p99,
    }
}

const streamRows: Group[] = [
    both(
        { name: 'c.bulk', unit: 'Gbit/s', better: 'higher', target: 1.5 },
        'one way, 16 KB writes, MTU 1500, no segmentation offload on either wire, spinning; p99 per MiB',
        'kernel over veth with tx, sg, tso, gso, gro off',
        'stream',
        { wait: 'spin', size: 16384 },
        gigabits,
        { offload: false },
    ),
    both(
        { name: 'c.bulk.tso', unit: 'Gbit/s', better: 'higher', target: null },
        'the same with segmentation left to the wire on both sides',
        'kernel over veth with all offloads',
        'stream',
        { wait: 'spin', size: 16384 },
        gigabits,
    ),
    both(
        { name: 'c.small', unit: 'msg/s', better: 'higher', target: 4 },
        'one way, 64 B sends with TCP_NODELAY, spinning; p99 per 4096 sends',
        'kernel over veth',
        'stream',
        { wait: 'spin', size: 64 },
        (result) => rate(result, result.block_writes as number),
    ),
]

const crrRow = both(
    { name: 'c.crr', unit: 'conn/s', better: 'higher', target: 4 },
    'connect, 64 B echo, close with RST, one after the other, spinning',
    'kernel over veth',
    'crr',
    { wait: 'spin' },
    (result) => rate(result),
)

export const socketRows: Group[] = [...roundTripRows, statsRow, kernelPeerRow, ...streamRows, crrRow]
