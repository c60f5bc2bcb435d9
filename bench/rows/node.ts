// SPDX-License-Identifier: Apache-2.0
// Two Node processes: our modules beside Node's.

import { fileURLToPath } from 'node:url'
import type { Context } from '../context.js'
import { type Program, type Result, runPair } from '../host/program.js'
import { BLOCK_MESSAGES } from '../js/program.js'
import { type Group, INLINE, only, type Row, rate, roundTrip } from '../row.js'
import type { Sample } from '../statistics.js'
import { CONNECTIONS, pinned, wrk, wrkSample } from './programs.js'

const inBench = (file: string) => fileURLToPath(new URL(`../${file}`, import.meta.url))
// By path, so that what is measured is what users get, not the sources.
const OUR_NET = inBench('../dist/net.js')
const OUR_DGRAM = inBench('../dist/dgram.js')
const OUR_HTTP = inBench('../dist/http.js')

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
    extra: { which?: 'client' | 'server'; settings?: Record<string, string> } = {},
): Group {
    const which = extra.which ?? 'client'
    return {
        rows: [row],
        setup,
        peer,
        ours: async (context) => {
            const ends = context.wire({ ...INLINE, ...extra.settings })
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

const pairRows: Group[] = [
    bothNode(
        { name: 'js.net.rr', unit: 'us', better: 'lower', target: 4 },
        '64 B TCP round trip between two Node processes with pronghorn/net, stacks inline',
        'the same program with node:net over veth',
        'js/net.ts',
        'net.rr',
        [OUR_NET, 'node:net'],
        roundTrip,
    ),
    bothNode(
        { name: 'js.net.sleep', unit: 'us', better: 'lower', target: 1 },
        'the same with poller.spin_us = 1: each event loop sleeps in the kernel as soon as nothing is there, in each direction, every time',
        'the same program with node:net over veth',
        'js/net.ts',
        'net.rr',
        [OUR_NET, 'node:net'],
        roundTrip,
        { settings: { PRONGHORN_POLLER_SPIN_US: '1' } },
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
        (result) => rate(result, BLOCK_MESSAGES),
        { which: 'server' },
    ),
    bothNode(
        { name: 'js.dgram.events', unit: 'packets/s', better: 'higher', target: 8 },
        "the same as node:dgram has it, without rings: 'message' events and send()",
        'node:dgram over veth',
        'js/dgram.ts',
        'dgram',
        [OUR_DGRAM, 'node:dgram'],
        (result) => rate(result, BLOCK_MESSAGES),
        { which: 'server', settings: { BENCH_RINGS: 'off' } },
    ),
]

/**
 * The client is wrk: ours under the shim. It knows no warm-up, so it runs twice: for its first quarter of a second
 * a server in JavaScript is not compiled yet, and does a tenth of what it does then.
 */
const httpRow: Group = {
    rows: [{ name: 'js.http', unit: 'req/s', better: 'higher', target: 1.5 }],
    setup: `a server on pronghorn/http that has served for a second, stack inline; wrk under the shim, ${CONNECTIONS} connections kept alive, 47 B answers`,
    peer: 'the same server on node:http over veth, wrk on the kernel',
    ours: async (context) => {
        const ends = context.wire(INLINE)
        const { addressServer: address } = ends
        const env = { ...ends.client, LD_PRELOAD: context.shim }
        const client = pinned(context, 1, wrk(context, `http://${address}:7001/`), { env })
        const run = await runPair(
            nodeProgram(context, 'server', 'js/http.ts', ['server', OUR_HTTP, address, '7001'], {
                env: ends.server,
            }),
            client,
            60,
            { ...client },
        )
        return { 'js.http': wrkSample(run) }
    },
    theirs: async (context) => {
        const { a, b, addressA: address } = context.veth('plain', { offload: true, bareA: false })
        const client = pinned(context, 1, wrk(context, `http://${address}:7001/`), { namespace: b })
        const run = await runPair(
            nodeProgram(context, 'server', 'js/http.ts', ['server', 'node:http', address, '7001'], {
                namespace: a,
            }),
            client,
            60,
            { ...client },
        )
        return { 'js.http': wrkSample(run) }
    },
}

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
        return {
            'js.feed': rate(result, BLOCK_MESSAGES),
            'js.feed.age': roundTrip({ ...result, latency_ns: result.age_ns }),
        }
    },
}

export const nodeRows: Group[] = [...pairRows, httpRow, feedRow]
