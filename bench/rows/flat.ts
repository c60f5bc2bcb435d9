// SPDX-License-Identifier: Apache-2.0
// What a packet and an idle connection cost, from few connections to many.

import { readFileSync } from 'node:fs'
import type { Side } from '../context.js'
import type { Result } from '../host/program.js'
import { type Group, onVeth, onWire, type Row } from '../row.js'
import type { Sample } from '../statistics.js'

const FLAT_STEPS = [100, 1000, 10_000, 100_000]
const FLAT_COST_TARGET = 1
const FILES_TO_SPARE = 1024

/** The most descriptors that one of our programs can have: root may raise the limit, if it is let. */
function mostOpenFiles(): number {
    const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    // Bit 24 is CAP_SYS_RESOURCE.
    const effective = /^CapEff:\s+(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))
    if ((BigInt(`0x${effective![1]}`) >> 24n) & 1n)
        return Number(readFileSync('/proc/sys/fs/nr_open', 'utf8'))
    return hard ? Number(hard[1]) : Number.POSITIVE_INFINITY
}

function flatSamples(results: Result[], side: Side): Record<string, Sample> {
    const samples: Record<string, Sample> = {}
    const cost = new Map<number, number>()
    for (const result of results.filter((one) => one.bench === 'flat')) {
        const step = result.connections as number
        // A peer whose descriptors ran out stands in for the step above it; its row says so.
        const connections = FLAT_STEPS.find((n) => n >= step) ?? step
        const perPacket = 1e9 / (result.rate as number) / 2
        cost.set(connections, perPacket)
        // Latency here is a matter of how many are in flight: no p99 of a cost.
        samples[`c.flat.${connections}`] = { value: perPacket, p99: null }
        // The kernel keeps both ends of each connection in one and the same slab.
        const process = result.process_growth_bytes as number
        const slab = side === 'kernel' ? (result.slab_growth_bytes as number) / 2 : 0
        if (connections >= 10_000) samples['c.flat.memory'] = { value: (process + slab) / step, p99: null }
    }
    const few = cost.get(1000)
    const many = cost.get(100_000)
    if (few && many) samples['c.flat.growth'] = { value: many / few, p99: null }
    return samples
}

export function flat(quick: boolean): Group {
    const steps = quick ? FLAT_STEPS.slice(0, 3) : FLAT_STEPS
    const connections = steps.at(-1)!
    const args = { wait: 'spin', connections, ports: Math.max(1, connections / 10_000), limit: 120 }
    const theirMost = Math.min(connections, mostOpenFiles() - FILES_TO_SPARE)
    const theirArgs = { ...args, connections: theirMost }
    const settings = {
        PRONGHORN_FD_NUMBERS: 'virtual', // not bound by the process's limit of open files
        PRONGHORN_MEMORY_HUGEPAGES: 'off', // so that the resident size shows what connections touch
        PRONGHORN_MEMORY_LIMIT_MIB: '1024',
    }
    return {
        rows: [
            ...steps.map(
                (n): Row => ({
                    name: `c.flat.${n}`,
                    unit: 'ns/packet',
                    better: 'lower',
                    target: FLAT_COST_TARGET,
                }),
            ),
            ...(quick
                ? []
                : [{ name: 'c.flat.growth', unit: 'x', better: 'lower' as const, target: 1, bound: 5 }]),
            { name: 'c.flat.memory', unit: 'B/conn', better: 'lower', target: 1 },
        ],
        setup: 'random access over N connections, 64 B echo, 32 in flight, spinning; growth: 100,000 over 1,000; memory per idle connection at the client',
        peer:
            'kernel epoll over veth; memory: process and half of the slab growth' +
            (theirMost < connections ? `; at most ${theirMost} connections (limit of open files)` : ''),
        slow: true,
        ours: async (context) =>
            flatSamples((await onWire(context, 'flat', args, 120, settings)).client, 'pronghorn'),
        theirs: async (context) =>
            flatSamples((await onVeth(context, 'flat', theirArgs, 120)).client, 'kernel'),
    }
}
