// SPDX-License-Identifier: Apache-2.0
// Nothing grows and nothing stays: connections by the thousand, workers that end at any moment, bundles, the
// permission model. PRONGHORN_TEST_CONNECTIONS and PRONGHORN_TEST_WORKERS make it long (npm run test:long).

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Worker } from 'node:worker_threads'
import { buildSync } from 'esbuild'
import t, { type Test } from 'tap'
import net from '../../lib/net/index.js'
import { readSegment } from '../../lib/stats/index.js'
import { host, settings, startStack } from './stack.js'

const CONNECTIONS = Number(process.env.PRONGHORN_TEST_CONNECTIONS ?? 20_000)
const WORKERS = Number(process.env.PRONGHORN_TEST_WORKERS ?? 60)
const SETTLE_MS = 20_000
/* A thread that sends keeps a bundle of chunks for itself. */
const CHUNKS_AT_HAND = 32
/* Code that V8 compiled and counted meanwhile; no connection is alive when it is measured. */
const HEAP_NOISE_BYTES = 3 << 20
/* The slab that is received into may be exchanged. */
const EXTERNAL_NOISE_BYTES = 4 << 20

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

// A closed connection keeps its port for as long.
process.env.PRONGHORN_TCP_TIME_WAIT_MS = '20'
startStack()
const folder = mkdtempSync(join(fileURLToPath(new URL('../../build', import.meta.url)), 'lifetime-'))
t.teardown(() => rmSync(folder, { recursive: true }))

const program = fileURLToPath(new URL('lifetime-program.ts', import.meta.url))
function bundle(format: 'esm' | 'cjs'): string {
    const outfile = join(folder, format === 'esm' ? 'program.mjs' : 'program.cjs')
    const cjs = format === 'cjs'
    const define: Record<string, string> = cjs ? { 'import.meta.url': '__bundle_url' } : {}
    const js = cjs ? 'const __bundle_url = require("node:url").pathToFileURL(__filename).href' : ''
    buildSync({
        entryPoints: [program],
        outfile,
        bundle: true,
        platform: 'node',
        format,
        define,
        banner: { js },
    })
    return outfile
}

const gauges = () => readSegment(process.pid, { sockets: false }).stacks.map(({ gauges }) => gauges)
const before = gauges()

/** All sockets are gone, and what they had is back in the pools; without any finalizer's help. */
async function settled(t: Test): Promise<void> {
    const missing = () =>
        gauges().flatMap((now, i) => {
            const first = before[i] ?? {}
            const list = []
            if ((now.packets_free ?? 0) < (first.packets_free ?? 0)) list.push(`packets ${now.packets_free}`)
            if ((now.chunks_free ?? 0) < (first.chunks_free ?? 0) - CHUNKS_AT_HAND)
                list.push(`chunks ${now.chunks_free}`)
            for (const name of ['sockets_tcp', 'sockets_udp'])
                if ((now[name] ?? 0) > 0) list.push(`${name} ${now[name]}`)
            return list.map((what) => `stack ${i}: ${what} of ${JSON.stringify(first)}`)
        })
    for (const start = performance.now(); missing().length && performance.now() - start < SETTLE_MS; )
        await sleep(50)
    t.same(missing(), [], 'everything is back')
}

t.test(`${CONNECTIONS} connections leave nothing`, async (t) => {
    const server = net.createServer((socket) => {
        socket.on('error', () => {})
        socket.pipe(socket)
    })
    server.listen(0, host, 1000)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    let left = CONNECTIONS
    const line = async (until: number) => {
        while (left > until) {
            left--
            const socket = net.connect(port, host)
            socket.end('a few bytes')
            socket.resume()
            await once(socket, 'close')
        }
    }
    const measure = async () => {
        await sleep(100)
        collect()
        collect()
        const { heapUsed, external, arrayBuffers } = process.memoryUsage()
        return {
            heapUsed,
            external: external + arrayBuffers,
            memory: gauges().map((g) => g.memory_used_bytes ?? 0),
        }
    }
    const steps = 5
    const seen = []
    for (let step = 1; step <= steps; step++) {
        const until = Math.round((CONNECTIONS * (steps - step)) / steps)
        await Promise.all(Array.from({ length: 50 }, () => line(until)))
        seen.push(await measure())
    }
    const [first, last] = [seen[0], seen[steps - 1]]
    if (!first || !last) throw new Error('nothing was measured')
    t.ok(last.heapUsed - first.heapUsed < HEAP_NOISE_BYTES, 'the heap is flat', { seen })
    t.ok(last.external - first.external < EXTERNAL_NOISE_BYTES, 'external memory is flat', { seen })
    server.close()
    await once(server, 'close')
    await settled(t)
})

t.test(`${WORKERS} workers, ended at any moment`, async (t) => {
    const file = bundle('esm')
    let seed = Number(process.env.PRONGHORN_TEST_SEED ?? 1)
    const random = () => {
        seed = (seed * 1103515245 + 12345) % 2 ** 31
        return seed / 2 ** 31
    }
    let rounds = 0
    const one = async (i: number) => {
        const forEver = i % 4 !== 0
        const worker = new Worker(file, { workerData: { host, forEver }, execArgv: [], env: process.env })
        worker.on('message', () => rounds++)
        const failed: unknown[] = []
        worker.on('error', (error) => failed.push(error))
        const gone = once(worker, 'exit').catch(() => {})
        if (forEver) {
            await sleep(random() * 150)
            await worker.terminate()
        }
        await gone
        t.same(failed, []) || t.bailout()
    }
    for (let i = 0; i < WORKERS; i += 2) await Promise.all([one(i), one(i + 1)])
    t.ok(rounds >= WORKERS / 4, `${rounds} rounds were played`)
    await settled(t)
})

const node = (...args: string[]) =>
    // (tap's loader comes by NODE_OPTIONS: users have none.)
    spawnSync('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args, JSON.stringify({ host })], {
        env: { ...process.env, ...settings, PRONGHORN_TEST_ADDON: addon() },
        encoding: 'utf8',
        timeout: 60_000,
    })
/** A bundle stands elsewhere than the package; users leave the package outside or copy the addon. */
function addon(): string {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    return process.env.PRONGHORN_TEST_ADDON ?? join(root, 'build', 'release', 'pronghorn.node')
}

for (const format of ['esm', 'cjs'] as const)
    t.test(`bundled as ${format}, alone and under the permission model`, async (t) => {
        const file = bundle(format)
        const plain = node(file)
        t.equal(plain.stdout, '10000\n', plain.stderr)
        const major = Number(process.versions.node.split('.')[0])
        const model = major >= 24 ? '--permission' : '--experimental-permission'
        const allowed = node(model, '--allow-addons', '--allow-fs-read=*', '--allow-fs-write=*', file)
        t.equal(allowed.stdout, '10000\n', allowed.stderr)
        const refused = node(model, '--allow-fs-read=*', '--allow-fs-write=*', file)
        t.not(refused.status, 0)
        t.match(refused.stderr, /ERR_DLOPEN_DISABLED|ERR_DLOPEN_FAILED/, 'without addons it says so')
    })
