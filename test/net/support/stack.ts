// SPDX-License-Identifier: Apache-2.0
/*
 * One test file against the kernel: a wire, our runtime in this process on its one end, programs of
 * the kernel (peer.mjs) on the other. A process starts the runtime once, so one file has one setting.
 */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type Options, runtime } from '../../../lib/index.js'
import { readSegment } from '../../../lib/stats/index.js'
import { end } from '../../../tools/net/commands.js'
import { makeWire, type Wire, type WireOptions, whyNoWires } from '../../../tools/net/wire.js'

const PEER = fileURLToPath(new URL('peer.mjs', import.meta.url))
const SETTLE_MS = 10_000
/* A thread that sends keeps a bundle of chunks for itself. */
const AT_HAND = { packets_free: 0, chunks_free: 32 }

// tap puts a loader of its own into every Node that is started, by NODE_OPTIONS, however spawn() is
// called. It is not what users have (it handles signals, for one): env(1) takes it out again.
const plainNode = ['-u', 'NODE_OPTIONS', process.execPath]

export interface Peer {
    /* The next line that it says. */
    next(): Promise<Record<string, unknown>>
    end(): Promise<void>
    child: ChildProcess
}

/* Skips the whole file where there are no namespaces; the reason stands in the report. */
export function skipWithoutWires(): void {
    const why = whyNoWires()
    if (why === undefined) return
    t.plan(0, why)
    process.exit(0)
}

export function startStack(options: Options = {}, wireOptions: WireOptions = {}): Wire {
    const wire = makeWire(wireOptions)
    t.teardown(() => {
        runtime.stop()
        wire.close()
    })
    runtime.start({ port: wire.port, ...options })
    return wire
}

/* Starts one part of peer.mjs, or of another script, in the wire's namespace. */
export function peer(wire: Wire, part: string, options: object, script = PEER): Peer {
    const child = wire.spawn('env', [...plainNode, script, part, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: string[] = []
    const waiting: ((line: string | undefined) => void)[] = []
    const input = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    input.on('line', (line) => {
        const first = waiting.shift()
        if (first) first(line)
        else lines.push(line)
    })
    input.on('close', () => {
        for (const one of waiting.splice(0)) one(undefined)
    })
    return {
        child,
        async next() {
            const line =
                lines.shift() ?? (await new Promise<string | undefined>((resolve) => waiting.push(resolve)))
            if (line === undefined) throw new Error(`the peer ended without a word (${part})`)
            return JSON.parse(line)
        },
        end: () => end(child),
    }
}

/* Runs one part to its end: what it said. */
export async function ask(
    wire: Wire,
    part: string,
    options: object,
    script = PEER,
): Promise<Record<string, unknown>> {
    const one = peer(wire, part, options, script)
    try {
        return await one.next()
    } finally {
        await one.end()
    }
}

interface Pools {
    packets_free: number
    chunks_free: number
    memory_used_bytes: number
    sockets_tcp: number
    sockets_udp: number
}

export function pools(): Pools[] {
    return readSegment(process.pid, { sockets: false }).stacks.map(({ gauges }) => ({
        packets_free: gauges.packets_free as number,
        chunks_free: gauges.chunks_free as number,
        memory_used_bytes: gauges.memory_used_bytes as number,
        sockets_tcp: gauges.sockets_tcp as number,
        sockets_udp: gauges.sockets_udp as number,
    }))
}

export function counters(): Record<string, number> {
    const sum: Record<string, number> = {}
    for (const { counters } of readSegment(process.pid, { sockets: false }).stacks) {
        for (const [name, value] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + value
    }
    return sum
}

/*
 * Every packet and chunk is home again, once what TCP still keeps (TIME_WAIT has none) has been let
 * go. `before` is from pools() right after the start.
 */
export async function assertBalanced(t: Test, before: Pools[]): Promise<void> {
    const missing = () => {
        const now = pools()
        return before.flatMap((pool, i) =>
            (['packets_free', 'chunks_free'] as const)
                .filter((name) => (now[i]?.[name] ?? 0) < pool[name] - AT_HAND[name])
                .map((name) => `stack ${i}: ${name} ${now[i]?.[name]} of ${pool[name]}`),
        )
    }
    for (const start = performance.now(); performance.now() - start < SETTLE_MS && missing().length; ) {
        await sleep(50)
    }
    t.strictSame(missing(), [], 'the pools are full again')
}

/* For starts that cannot be made in this process: another Node with this code, on the built package
 * (as users have it; tsx would meddle with signals). */
export function runNode(code: string, env: NodeJS.ProcessEnv = {}, timeoutMs = 30_000) {
    const root = fileURLToPath(new URL('../../..', import.meta.url))
    const { status, signal, stdout, stderr } = spawnSync(
        'env',
        [...plainNode, '--input-type=module', '-e', code],
        { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8', timeout: timeoutMs },
    )
    return { status, signal, stdout, stderr }
}
