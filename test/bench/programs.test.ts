// SPDX-License-Identifier: Apache-2.0
// The C programs do what they say, on the kernel's loopback: figures are not judged, only shapes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Program, type Result, runPair } from '../../bench/host/program.js'

const folder = fileURLToPath(new URL('../../build/release/bench', import.meta.url))
const skip = existsSync(join(folder, 'rr.kernel')) ? false : 'not built (npm run bench builds them)'

let port = 17_000 + (process.pid % 4000) * 10

function ends(name: string, ...args: string[]): [Program, Program] {
    port += 3
    const all = [...args, '--port', `${port}`, '--seconds', '0.05', '--warmup', '0.01', '--limit', '20']
    const program = (role: string): Program => ({
        command: join(folder, `${name}.kernel`),
        args: [role, ...all],
    })
    return [program('server'), program('client')]
}

async function measured(
    name: string,
    ...args: string[]
): Promise<{ client: Result; server: Result; all: Result[] }> {
    const run = await runPair(...ends(name, ...args), 20)
    return { client: run.client[0]!, server: run.server[0]!, all: run.client }
}

function checkLatency(test: Pick<typeof t, 'ok'>, result: Result): void {
    const { p50, p99, max } = result.latency_ns as { p50: number; p99: number; max: number }
    test.ok(p50 > 0 && p50 <= p99 && p99 <= max, `0 < p50 ${p50} <= p99 ${p99} <= max ${max}`)
}

t.test('round trips, in each way to wait', { skip }, async (t) => {
    for (const wait of ['spin', 'block', 'epoll']) {
        const { client, server } = await measured('rr', '--wait', wait)
        t.ok((client.ops as number) > 0)
        t.ok((server.ops as number) >= (client.ops as number), 'the server saw them all, and the warm-up')
        checkLatency(t, client)
    }
})

t.test('round trips in slots, beside another pair', { skip }, async (t) => {
    const runs = await Promise.all(
        ['0', '1'].map((slot) => measured('rr', '--slots', '2', '--slot', slot, '--slot-ms', '5')),
    )
    for (const { client } of runs) {
        const slots = client.slots as [number, number][] // one may have been slept through
        t.ok(slots.every(([round, ns]) => Number.isInteger(round) && ns > 0))
        t.equal(new Set(slots.map(([round]) => round)).size, slots.length)
        t.ok((client.ops as number) > 0)
    }
})

t.test('streams: all bytes arrive', { skip }, async (t) => {
    for (const size of ['64', '16384']) {
        const { client, server } = await measured('stream', '--size', size)
        t.ok((server.bytes as number) >= (client.bytes as number))
        t.equal(client.bytes, (client.ops as number) * Number(size))
        checkLatency(t, client)
    }
})

t.test('connections one after the other', { skip }, async (t) => {
    const { client, server } = await measured('crr')
    t.ok((server.ops as number) > (client.ops as number))
    checkLatency(t, client)
})

t.test('a fixed number of operations', { skip }, async (t) => {
    const { client } = await measured('rr', '--count', '10', '--seconds', '20')
    t.equal(client.ops, 10)
})

t.test('many connections, in steps', { skip }, async (t) => {
    const { all } = await measured('flat', '--connections', '300', '--ports', '3')
    t.same(
        all.map((result) => result.connections),
        [100, 300],
    )
    for (const result of all) checkLatency(t, result)
})

t.test('many sockets in one process, for those who look at it', { skip }, async (t) => {
    const [server] = ends('sockets', '--connections', '30', '--ports', '3')
    const { server: results } = await runPair(server, { command: 'true', args: [] }, 20)
    t.match(results, [{ bench: 'sockets', ops: 30 }])
})

t.test('nobody there: a plain message', { skip }, async (t) => {
    const [server, client] = ends('rr', '--address', '203.0.113.7')
    await t.rejects(runPair(server, client, 20), { message: /bind to 203.0.113.7:\d+: / })
})
