// SPDX-License-Identifier: Apache-2.0
// What is measured. A group is one measurement of ours and of its peer; most give one row, some
// several (one run of `flat` measures four numbers of connections).

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Context, Side } from './context.js'
import type { VethPair } from './host/netns.js'
import { type Program, type Result, runPair } from './host/program.js'
import type { Better, Sample } from './statistics.js'

export interface Row {
    name: string
    unit: string
    better: Better
    /** The least ratio that we want to see. */
    target: number | null
    /** A fixed bound instead of a peer that runs. */
    bound?: number
}

export interface Group {
    rows: Row[]
    peer: string
    setup: string
    /** Runs of more than the usual number of seconds. */
    slow?: boolean
    ours(context: Context): Promise<Record<string, Sample>>
    /** Absent: the peer is each row's bound. */
    theirs?(context: Context): Promise<Record<string, Sample>>
}

interface Latency {
    p50: number
    p99: number
    max: number
}

const INLINE = { PRONGHORN_STACK_DRIVE: 'inline', PRONGHORN_LOG_LEVEL: 'warning' }

function only(results: Result[], bench: string): Result {
    const result = results.find((one) => one.bench === bench)
    if (!result) throw new Error(`no result of "${bench}" among ${JSON.stringify(results)}`)
    return result
}

const latencyOf = (result: Result) => result.latency_ns as Latency

/** Round trip in microseconds. */
function roundTrip(result: Result): Sample {
    return { value: latencyOf(result).p50 / 1e3, p99: latencyOf(result).p99 / 1e3 }
}

/** Operations per second; the p99 is the rate at which 99 % of the operations went, or faster. */
function rate(result: Result, perOperation = 1, scale = 1): Sample {
    return {
        value: (result.rate as number) * scale,
        p99: (perOperation * scale * 1e9) / latencyOf(result).p99,
    }
}

type Args = Record<string, string | number>

/** Both ends on our stack, in two processes that a wire joins. */
async function onWire(context: Context, name: string, args: Args, limit: number, settings: Args = {}) {
    const ends = context.wire({ ...INLINE, ...(settings as Record<string, string>) })
    const all = { address: ends.addressServer, limit, ...args }
    return runPair(
        context.program(name, 'pronghorn', 'server', all, { env: ends.server }),
        context.program(name, 'pronghorn', 'client', all, { env: ends.client }),
        limit,
    )
}

/** Both ends on the kernel, in two namespaces that a veth joins. */
async function onVeth(context: Context, name: string, args: Args, limit: number, offload = true) {
    const pair = context.veth(offload ? 'plain' : 'bare', { offload, bareA: false })
    const all = { address: pair.addressA, limit, ...args }
    return runPair(
        context.program(name, 'kernel', 'server', all, { namespace: pair.a }),
        context.program(name, 'kernel', 'client', all, { namespace: pair.b }),
        limit,
    )
}

function both(
    row: Row,
    setup: string,
    peer: string,
    name: string,
    args: Args,
    read: (result: Result) => Sample,
    extra: { offload?: boolean; settings?: Args } = {},
): Group {
    const sample = (run: { client: Result[] }) => ({ [row.name]: read(only(run.client, name)) })
    return {
        rows: [row],
        setup,
        peer,
        ours: async (context) => sample(await onWire(context, name, args, 60, extra.settings)),
        theirs: async (context) => sample(await onVeth(context, name, args, 60, extra.offload ?? true)),
    }
}

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

function flat(quick: boolean): Group {
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

/** Two processes with a dedicated adaptive stack each, as by default, that a wire joins; idle. */
async function life(context: Context, hugepages: 'auto' | 'off'): Promise<Result[]> {
    const ends = context.wire({ PRONGHORN_MEMORY_HUGEPAGES: hugepages, PRONGHORN_LOG_LEVEL: 'warning' })
    const { seconds } = context.options
    // The server also sees its peer come; it measures once the peer is there, and ends before it.
    const server = context.program(
        'life',
        'pronghorn',
        'server',
        { limit: 30, warmup: 2 },
        { env: ends.server },
    )
    const times = { limit: 30, warmup: 0.5, seconds: seconds + 2 }
    const client = context.program('life', 'pronghorn', 'client', times, { env: ends.client })
    const run = await runPair(server, client, 30)
    return [only(run.server, 'life'), only(run.client, 'life')]
}

const lifeRow: Group = {
    rows: [
        { name: 'c.start', unit: 'ms', better: 'lower', target: 1, bound: 300 },
        { name: 'c.idle', unit: '% core', better: 'lower', target: 1, bound: 1 },
        { name: 'c.memory', unit: 'MiB', better: 'lower', target: 1, bound: 128 },
        { name: 'c.memory.nohuge', unit: 'MiB', better: 'lower', target: 1, bound: 64 },
    ],
    setup: 'two processes with one dedicated adaptive stack and a listener each, nothing happening; the worse of the two (start: the one that waits for no peer)',
    peer: 'the bound we set ourselves',
    ours: async (context) => {
        const huge = await life(context, 'auto')
        const small = await life(context, 'off')
        const worse = (results: Result[], key: string) =>
            Math.max(...results.map((one) => one[key] as number))
        const sample = (value: number): Sample => ({ value, p99: null })
        return {
            'c.start': sample(huge[0]!.start_ms as number),
            'c.idle': sample(Math.max(worse(huge, 'idle_cpu_percent'), worse(small, 'idle_cpu_percent'))),
            'c.memory': sample(worse(huge, 'memory_bytes') / 2 ** 20),
            'c.memory.nohuge': sample(worse(small, 'memory_bytes') / 2 ** 20),
        }
    },
}

const inBench = (file: string) => fileURLToPath(new URL(file, import.meta.url))
// By path, so that what is measured is what users get, not the sources.
const OUR_NET = inBench('../dist/net.js')
const OUR_DGRAM = inBench('../dist/dgram.js')

/** One of bench/js, as server on the first core or client on the second. */
function nodeProgram(
    context: Context,
    role: 'server' | 'client',
    file: string,
    args: string[],
    where: Pick<Program, 'env' | 'namespace'>,
): Program {
    const core = context.options.cores[role === 'server' ? 0 : 1]
    const { seconds, warmup } = context.options
    const times = [`${seconds}`, `${Math.max(warmup, 0.5)}`]
    const command = ['--pdeathsig', 'KILL', 'taskset', '-c', `${core}`, process.execPath, '--import', 'tsx']
    return { command: 'setpriv', args: [...command, inBench(file), ...args, ...times], ...where }
}

/** Two Node processes: ours over a wire, theirs over a veth. */
function bothNode(
    row: Row,
    setup: string,
    peer: string,
    file: string,
    name: string,
    modules: [ours: string, theirs: string],
    read: (result: Result) => Sample,
    which: 'client' | 'server' = 'client',
): Group {
    return {
        rows: [row],
        setup,
        peer,
        ours: async (context) => {
            const ends = context.wire(INLINE)
            const args = (role: string) => [role, modules[0], ends.addressServer, '7001']
            const run = await runPair(
                nodeProgram(context, 'server', file, args('server'), { env: ends.server }),
                nodeProgram(context, 'client', file, args('client'), { env: ends.client }),
                60,
            )
            return { [row.name]: read(only(run[which], name)) }
        },
        theirs: async (context) => {
            const pair = context.veth('plain', { offload: true, bareA: false })
            const args = (role: string) => [role, modules[1], pair.addressA, '7001']
            const run = await runPair(
                nodeProgram(context, 'server', file, args('server'), { namespace: pair.a }),
                nodeProgram(context, 'client', file, args('client'), { namespace: pair.b }),
                60,
            )
            return { [row.name]: read(only(run[which], name)) }
        },
    }
}

const nodeRows: Group[] = [
    bothNode(
        { name: 'js.net.rr', unit: 'us', better: 'lower', target: 2.5 },
        '64 B TCP round trip between two Node processes with pronghorn/net, stacks inline',
        'the same program with node:net over veth',
        'js/net.ts',
        'net.rr',
        [OUR_NET, 'node:net'],
        roundTrip,
    ),
    bothNode(
        { name: 'js.ring.rr', unit: 'us', better: 'lower', target: 5.5 },
        '64 B TCP round trip between two Node processes, received through rings, sent by templates, stacks inline',
        'the same round trip with node:net over veth',
        'js/ring.ts',
        'net.rr',
        [OUR_NET, 'node:net'],
        roundTrip,
    ),
    bothNode(
        { name: 'js.dgram', unit: 'packets/s', better: 'higher', target: 8 },
        '64 B datagrams one way between two Node processes with pronghorn/dgram and a ring, as received, stacks inline',
        'node:dgram over veth',
        'js/dgram.ts',
        'dgram',
        [OUR_DGRAM, 'node:dgram'],
        (result) => ({ value: result.rate as number, p99: null }),
        'server',
    ),
]

/** The producer is in C. */
const feedRow: Group = {
    rows: [
        { name: 'js.feed', unit: 'msg/s', better: 'higher', target: 1, bound: 14e6 },
        { name: 'js.feed.age', unit: 'us', better: 'lower', target: null, bound: 10_000 },
    ],
    setup: '64 B messages of one TCP connection into a TypeScript callback through a ring, producer in C on the other core, stacks inline; age: from its making to the callback, while the producer is held back by the reader only',
    peer: 'the bound we set ourselves',
    ours: async (context) => {
        const ends = context.wire(INLINE)
        const run = await runPair(
            context.program(
                'feed',
                'pronghorn',
                'server',
                { address: ends.addressServer, limit: 60 },
                { env: ends.server },
            ),
            nodeProgram(context, 'client', 'js/feed.ts', [OUR_NET, ends.addressServer, '7001'], {
                env: ends.client,
            }),
            60,
        )
        const result = only(run.client, 'feed')
        return { 'js.feed': { value: result.rate as number, p99: null }, 'js.feed.age': roundTrip(result) }
    },
}

export function allGroups(quick: boolean): Group[] {
    return [
        ...roundTripRows,
        kernelPeerRow,
        ...streamRows,
        crrRow,
        flat(quick),
        lifeRow,
        ...nodeRows,
        feedRow,
    ]
}
