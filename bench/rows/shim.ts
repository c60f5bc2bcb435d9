// SPDX-License-Identifier: Apache-2.0
// Unmodified programs, both ends under the shim and joined by a wire, beside the same programs on the
// kernel's sockets over a veth.

import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Context } from '../context.js'
import { type Result, runAlone, runPair } from '../host/program.js'
import { type Group, INLINE, only, type Row, roundTrip } from '../row.js'
import {
    CONNECTIONS,
    type Command,
    LIMIT_SECONDS,
    loopRate,
    pinned,
    readRedis,
    wrk,
    wrkSample,
} from './programs.js'

/** How a program is run at either end; `address` is where the server listens. */
interface Ends {
    server(address: string): Command
    client(address: string): Command
}

async function underShim(context: Context, ends: Ends) {
    const wire = context.wire({ ...INLINE, LD_PRELOAD: context.shim })
    return runPair(
        pinned(context, 0, ends.server(wire.addressServer), { env: wire.server }),
        pinned(context, 1, ends.client(wire.addressServer), { env: wire.client }),
        LIMIT_SECONDS,
    )
}

async function onKernel(context: Context, ends: Ends) {
    const pair = context.veth('plain', { offload: true, bareA: false })
    return runPair(
        pinned(context, 0, ends.server(pair.addressA), { namespace: pair.a }),
        pinned(context, 1, ends.client(pair.addressA), { namespace: pair.b }),
        LIMIT_SECONDS,
    )
}

const REDIS_PORT = 7379

function redis(pipeline: number, perSecond: number, target: number): Group {
    const name = `redis.p${pipeline}`
    const ends = (context: Context): Ends => {
        const requests = Math.round(perSecond * context.options.seconds)
        const load = ['-t', 'set,get', '-n', requests, '-c', CONNECTIONS, '-P', pipeline, '--csv']
        const basic = ['--port', REDIS_PORT, '--save', '', '--protected-mode', 'no']
        return {
            server: (address) => ({
                command: 'redis-server',
                args: [...basic, '--bind', address],
                ready: /Ready to accept connections/,
            }),
            client: (address) => ({
                command: 'redis-benchmark',
                args: ['-h', address, '-p', REDIS_PORT, ...load],
                read: readRedis,
            }),
        }
    }
    const samples = (run: { client: Result[] }) =>
        Object.fromEntries(
            ['GET', 'SET'].map((command) => [
                `${name}.${command.toLowerCase()}`,
                loopRate(only(run.client, command), CONNECTIONS * pipeline),
            ]),
        )
    return {
        rows: ['get', 'set'].map((command): Row => {
            return { name: `${name}.${command}`, unit: 'req/s', better: 'higher', target }
        }),
        setup: `redis-server and redis-benchmark, ${CONNECTIONS} connections, pipeline ${pipeline}, both under the shim, stacks inline`,
        peer: 'the same programs on the kernel over veth',
        ours: async (context) => samples(await underShim(context, ends(context))),
        theirs: async (context) => samples(await onKernel(context, ends(context))),
    }
}

const NGINX_PORT = 7480
const FILE_BYTES = 612

/** One process: a worker whose master is killed would stay. */
function nginx(context: Context, address: string): Command {
    const folder = context.folder('nginx')
    writeFileSync(join(folder, 'index.html'), 'x'.repeat(FILE_BYTES))
    const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const temporary = kinds.map((kind) => `${kind}_temp_path ${folder};`).join(' ')
    const path = join(folder, `${address}.conf`)
    writeFileSync(
        path,
        `daemon off; master_process off; pid ${folder}/${address}.pid; error_log stderr notice;
        events { worker_connections 256; }
        http { access_log off; sendfile on; keepalive_requests 1000000000; ${temporary}
        server { listen ${address}:${NGINX_PORT}; root ${folder}; } }`,
    )
    // The last thing that it says before it serves.
    return { command: 'nginx', args: ['-c', path, '-e', 'stderr'], ready: /getrlimit\(RLIMIT_NOFILE\)/ }
}

const nginxRow: Group = {
    rows: [{ name: 'nginx.keep', unit: 'req/s', better: 'higher', target: 1.5 }],
    setup: `nginx (one process, sendfile) and wrk, ${CONNECTIONS} connections kept alive, a file of ${FILE_BYTES} B, both under the shim, stacks inline`,
    peer: 'the same programs on the kernel over veth',
    ours: async (context) => ({ 'nginx.keep': wrkSample(await underShim(context, nginxEnds(context))) }),
    theirs: async (context) => ({ 'nginx.keep': wrkSample(await onKernel(context, nginxEnds(context))) }),
}

function nginxEnds(context: Context): Ends {
    return {
        server: (address) => nginx(context, address),
        client: (address) => wrk(context, `http://${address}:${NGINX_PORT}/index.html`),
    }
}

/** bench/c's round trip: built for the kernel's calls under the shim, beside the one built for ours. */
async function roundTrips(context: Context, side: 'kernel' | 'pronghorn') {
    const wire = context.wire({ ...INLINE, ...(side === 'kernel' ? { LD_PRELOAD: context.shim } : {}) })
    const args = { address: wire.addressServer, wait: 'spin', limit: LIMIT_SECONDS }
    const run = await runPair(
        context.program('rr', side, 'server', args, { env: wire.server }),
        context.program('rr', side, 'client', args, { env: wire.client }),
        LIMIT_SECONDS,
    )
    return { 'shim.rr': roundTrip(only(run.client, 'rr')) }
}

const roundTripRow: Group = {
    // Within 15 %.
    rows: [{ name: 'shim.rr', unit: 'us', better: 'lower', target: 0.87 }],
    setup: '64 B TCP round trip through plain recv() and send() under the shim, stacks inline, both ends spin',
    peer: 'the same through ph_recv() and ph_send()',
    ours: (context) => roundTrips(context, 'kernel'),
    theirs: (context) => roundTrips(context, 'pronghorn'),
}

/** test/preload/calls.c, with a connection of ours open beside it. */
const passRow: Group = {
    rows: [{ name: 'shim.pass', unit: 'ns', better: 'lower', target: 1, bound: 20 }],
    setup: 'read() of an eventfd under the shim, less what it costs in libc; stacks run',
    peer: 'the bound we set ourselves',
    ours: async (context) => {
        const env = {
            ...INLINE,
            PRONGHORN_ROUTE: 'ours,address=127.0.0.0/8',
            PRONGHORN_MEMORY_HUGEPAGES: 'off',
            LD_PRELOAD: context.shim,
        }
        const command = join(dirname(context.shim), 'net', 'calls')
        const results = await runAlone({ command, args: ['cost'], env }, LIMIT_SECONDS)
        return { 'shim.pass': { value: only(results, 'cost').more_ns as number, p99: null } }
    },
}

export const shimRows: Group[] = [
    roundTripRow,
    passRow,
    redis(1, 150_000, 2),
    redis(16, 800_000, 1.2),
    nginxRow,
]
