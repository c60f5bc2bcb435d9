// SPDX-License-Identifier: Apache-2.0
// TCP segments that a router cut, where several stacks serve a port: only the whole says which stack's it is.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { end, must, tryRun } from '../../tools/net/commands.js'
import { makeWire } from '../../tools/net/wire.js'
import { program, serve, skipWithoutEnds, startClient, startEnd } from './support/ends.js'

skipWithoutEnds()
const good = { failed: 0, error: '', stderr: '', status: 0 }
const CUT = 600 // a full segment becomes three fragments
const CONNECTIONS = 12 // of which chance would spare one third
const PORT = 7000

const wire = makeWire()
// Our port stands on a second pair; the relay joins its other end with the wire.
const [near, far] = [`${wire.device}n`, `${wire.device}f`]
t.teardown(() => {
    tryRun('ip', 'link', 'del', near)
    wire.close()
})
must('ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', far)
for (const device of [near, far]) {
    must('sh', '-c', `echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`)
    must('ip', 'link', 'set', device, 'up')
}
const relay = spawn(program('relay'), [far, wire.device, '0', '0', '0', '0', '1', String(CUT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
})
t.teardown(() => end(relay))
await once(relay.stdout, 'data')
const ours = { PRONGHORN_PORT: wire.port.replace(wire.device, near), PRONGHORN_STACK_COUNT: '3' }

for (const [name, our, their] of [
    ['IPv4', wire.our4, wire.peer4],
    ['IPv6', wire.our6, wire.peer6],
] as const) {
    const work = { what: 'echo', bytes: 20_000, count: CONNECTIONS, atOnce: CONNECTIONS }

    t.test(`${name}: we serve`, async (t) => {
        const server = await serve(wire, 'ours', PORT, ours)
        const told = await startClient(wire, 'kernel', our, PORT, work).told
        t.match(told, { ok: CONNECTIONS, ...good })
        t.match(await server.stop(), { open: 0, stderr: '', status: 0 })
    })

    t.test(`${name}: datagrams, whichever stack puts them together`, async (t) => {
        const server = await serve(wire, 'ours', PORT, ours)
        const sizes = [1453, 1473, 8000, 30_000, 65_000, 2000, 3000, 4000]
        const told = await startEnd(wire, 'kernel', ['datagrams', our, PORT, ...sizes]).told
        t.match(told, { ok: sizes.length, lost: 0, altered: 0 })
        t.match(await server.stop(), { stderr: '', status: 0 })
    })

    t.test(`${name}: we connect`, async (t) => {
        const server = await serve(wire, 'kernel', PORT)
        const told = await startClient(wire, 'ours', their, PORT, work, ours).told
        t.match(told, { ok: CONNECTIONS, ...good })
        await server.stop()
    })
}
