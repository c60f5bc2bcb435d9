// SPDX-License-Identifier: Apache-2.0
// C programs on both sides of a wire: whoever serves, however the stacks are driven, one or two of them.
import t, { type Test } from 'tap'
import { makeWire } from '../../tools/net/wire.js'
import {
    type Environment,
    type Side,
    serve,
    skipWithoutEnds,
    startClient,
    startEnd,
    type Work,
} from './support/ends.js'

skipWithoutEnds()
const wire = makeWire()
t.teardown(() => wire.close())

const MIB = 1048576
const DATAGRAMS = [0, 1, 64, 1452, 1453, 1472, 1473, 9000, 30000, 65000, 65507]
let port = 7000 // a new one for each server: the kernel keeps TIME_WAIT

const works: Work[] = [
    ...[0, 1, 2, 1459, 1460, 1461, 65536, MIB].map((bytes) => ({ what: 'echo', bytes })),
    { what: 'echo', bytes: 100_000, count: 100, atOnce: 20 },
    { what: 'sink', bytes: 64 * MIB },
    { what: 'source', bytes: 64 * MIB },
    { what: 'deaf', bytes: 8 * MIB, count: 2, atOnce: 2, ms: 500 },
    { what: 'slow', bytes: 8 * MIB, count: 2, atOnce: 2, ms: 500 },
    { what: 'hold', bytes: 1000, count: 3, atOnce: 3, ms: 300 },
    { what: 'reset', count: 50, atOnce: 10 },
    { what: 'unread', count: 5, atOnce: 5 },
    { what: 'abort', bytes: 10_000, count: 100, atOnce: 20 },
    { what: 'echo', bytes: 1000, count: 2000, atOnce: 2000 },
]

async function everything(t: Test, server: Side, env: Environment, family: 4 | 6) {
    const client: Side = server === 'ours' ? 'kernel' : 'ours'
    const to =
        server === 'ours' ? (family === 4 ? wire.our4 : wire.our6) : family === 4 ? wire.peer4 : wire.peer6
    const listening = await serve(wire, server, ++port, env)
    for (const work of works) {
        const { what, count = 1, bytes = 1000 } = work
        const told = await startClient(wire, client, to, port, work, env).told
        t.match(
            told,
            { ok: count, failed: 0, error: '', stderr: '', status: 0 },
            `${what}, ${count} of ${bytes} bytes`,
        )
    }
    const sizes = family === 6 ? DATAGRAMS.map((size) => Math.min(size, 65487)) : DATAGRAMS
    const told = await startEnd(wire, client, ['datagrams', to, port, ...sizes], env).told
    t.match(told, { ok: sizes.length, lost: 0, altered: 0, stderr: '', status: 0 }, 'datagrams')
    t.match(await listening.stop(), { open: 0, stderr: '', status: 0 }, 'no connection is left')
}

for (const drive of ['dedicated', 'inline']) {
    for (const stacks of [1, 2]) {
        const env = { PRONGHORN_STACK_DRIVE: drive, PRONGHORN_STACK_COUNT: String(stacks) }
        const name = `${drive}, ${stacks} ${stacks === 1 ? 'stack' : 'stacks'}`
        // Every combination once; the families in turn.
        const family = stacks === 1 ? 4 : 6
        t.test(`${name}: we serve`, (t) => everything(t, 'ours', env, family))
        t.test(`${name}: the kernel serves`, (t) => everything(t, 'kernel', env, family === 4 ? 6 : 4))
    }
}

t.test('ten thousand connections, one after the other', async (t) => {
    const many = { what: 'echo', bytes: 64, count: 10_000 }
    const ours = await serve(wire, 'ours', ++port)
    t.match(await startClient(wire, 'kernel', wire.our4, port, many).told, { ok: 10_000, failed: 0 }, 'to us')
    t.match(await ours.stop(), { open: 0, stderr: '' })
    const theirs = await serve(wire, 'kernel', ++port)
    const told = await startClient(wire, 'ours', wire.peer6, port, many).told
    t.match(told, { ok: 10_000, failed: 0, stderr: '' }, 'to the kernel')
    await theirs.stop()
})

t.test('nobody listens', async (t) => {
    const told = await startClient(wire, 'ours', wire.peer4, 9, { what: 'echo', count: 3 }).told
    t.match(told, { ok: 0, failed: 3, error: 'ECONNREFUSED', stderr: '' })
})
