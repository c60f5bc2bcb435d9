// SPDX-License-Identifier: Apache-2.0
// af_xdp, whose driver is a plugin: C programs on both sides, one queue and two, killed and again.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { readSegment } from '../../lib/stats/index.js'
import { must } from '../../tools/net/commands.js'
import { makeWire, type Wire } from '../../tools/net/wire.js'
import { program, serve, skipWithoutEnds, startClient, startEnd, type Work } from './support/ends.js'

skipWithoutEnds()
if (!existsSync(program('../libpronghorn-af_xdp.so'))) {
    t.plan(0, 'this build has no driver for af_xdp')
    process.exit(0)
}

const MIB = 1048576
const DATAGRAMS = [0, 1, 64, 1452, 1472, 1473, 9000, 65000]
const works: Work[] = [
    { what: 'echo', bytes: 100_000, count: 100, atOnce: 20 },
    { what: 'echo', bytes: 1000, count: 1000, atOnce: 500 },
    { what: 'sink', bytes: 64 * MIB },
    { what: 'source', bytes: 64 * MIB },
    { what: 'abort', bytes: 10_000, count: 50, atOnce: 10 },
    { what: 'hold', bytes: 1000, count: 3, atOnce: 3, ms: 300 },
]
let port = 7200

const hasProgram = (wire: Wire) => must('ip', '-details', 'link', 'show', wire.device).includes('prog/xdp')

async function everything(t: Test, wire: Wire, server: 'ours' | 'kernel', family: 4 | 6, env = {}) {
    const client = server === 'ours' ? 'kernel' : 'ours'
    const ours = family === 4 ? wire.our4 : wire.our6
    const to = server === 'ours' ? ours : family === 4 ? wire.peer4 : wire.peer6
    const listening = await serve(wire, server, ++port, env)
    for (const work of works) {
        const { what, count = 1, bytes = 1000 } = work
        const told = await startClient(wire, client, to, port, work, env).told
        const expected = { ok: count, failed: 0, error: '', stderr: '', status: 0 }
        t.match(told, expected, `${what}, ${count} of ${bytes} bytes`)
    }
    const told = await startEnd(wire, client, ['datagrams', to, port, ...DATAGRAMS], env).told
    t.match(told, { ok: DATAGRAMS.length, lost: 0, altered: 0, stderr: '', status: 0 }, 'datagrams')
    if (server === 'ours') {
        const { counters, gauges } = readSegment(listening.child.pid as number, { sockets: false })
            .stacks[0] as { counters: Record<string, number>; gauges: Record<string, number> }
        t.ok((counters.wakeups_device as number) > 0, 'it slept, and frames woke it')
        t.ok((gauges.packets_free as number) > 4000, 'no packets run away')
    }
    t.match(await listening.stop(), { open: 0, stderr: '', status: 0 }, 'a clean end')
    t.notOk(hasProgram(wire), 'and no XDP program is left')
}

for (const queues of [1, 2]) {
    t.test(`${queues} ${queues === 1 ? 'queue' : 'queues'}`, async (t) => {
        const wire = makeWire({ driver: 'af_xdp', queues })
        t.teardown(() => wire.close())
        const env = { PRONGHORN_STACK_COUNT: String(queues) }
        // Each family on each side, once.
        const [mine, theirs]: [4 | 6, 4 | 6] = queues === 1 ? [4, 6] : [6, 4]
        await t.test(`we serve, IPv${mine}`, (t) => everything(t, wire, 'ours', mine, env))
        await t.test(`the kernel serves, IPv${theirs}`, (t) => everything(t, wire, 'kernel', theirs, env))
    })
}

t.test('an MTU of 3000, inline, in hugepages if there are any', async (t) => {
    const wire = makeWire({ driver: 'af_xdp', mtu: 3000 })
    t.teardown(() => wire.close())
    await everything(t, wire, 'ours', 4, { PRONGHORN_STACK_DRIVE: 'inline' })
})

t.test('killed, and started again', async (t) => {
    const wire = makeWire({ driver: 'af_xdp' })
    t.teardown(() => wire.close())
    for (let round = 0; round < 3; round++) {
        const server = await serve(wire, 'ours', ++port)
        const told = await startClient(wire, 'kernel', wire.our4, port, { what: 'echo', count: 20 }).told
        t.match(told, { ok: 20, failed: 0 }, `round ${round}`)
        const gone = once(server.child, 'exit')
        server.child.kill('SIGKILL')
        await gone
    }
    t.ok(hasProgram(wire), 'its XDP program stays')
    const server = await serve(wire, 'ours', ++port)
    await server.stop()
    t.notOk(hasProgram(wire), 'until the next clean end')
})
