// SPDX-License-Identifier: Apache-2.0
// Several IPv4 addresses on one port, and IPv6 networks of other lengths than /64.
import t from 'tap'
import { must } from '../../tools/net/commands.js'
import { makeWire } from '../../tools/net/wire.js'
import { type Environment, serve, skipWithoutEnds, startClient, startEnd } from './support/ends.js'

skipWithoutEnds()
const wire = makeWire({ ipv6: false })
t.teardown(() => wire.close())
const inside = (...command: string[]) => must('ip', 'netns', 'exec', wire.namespace, ...command)
const clean = { stderr: '', status: 0 }
let port = 7400

/* The same network, another one with a mask of its own, a single address. */
const more = ['10.86.0.200', '172.27.4.9', '172.28.1.1']
const peers = ['10.86.0.2', '172.27.4.10', '172.28.0.2']
const line = `${wire.port},address=10.86.0.200/24,address=172.27.4.9/30,address=172.28.1.1/15`
inside('ip', 'addr', 'add', '172.27.4.10/30', 'dev', wire.peerDevice)
inside('ip', 'addr', 'add', '172.28.0.2/15', 'dev', wire.peerDevice)

for (const stacks of [1, 2]) {
    const env: Environment = { PRONGHORN_PORT: line, PRONGHORN_STACK_COUNT: String(stacks) }
    t.test(`several IPv4 addresses, ${stacks} ${stacks === 1 ? 'stack' : 'stacks'}`, async (t) => {
        const server = await serve(wire, 'ours', ++port, env)
        for (const to of [wire.our4, ...more]) {
            t.equal((await wire.run('ping', ['-c3', '-i0.01', '-W5', to])).status, 0, `${to} answers`)
            const told = await startClient(wire, 'kernel', to, port, { what: 'echo', count: 20, bytes: 9000 })
                .told
            t.match(told, { ok: 20, failed: 0 }, 'TCP')
            // (The answer comes from the network's first address, as the kernel's does.)
            if (to === more[0]) continue
            const datagrams = await startEnd(wire, 'kernel', ['datagrams', to, port, 1, 1400, 9000]).told
            t.match(datagrams, { ok: 3, lost: 0, altered: 0 }, 'UDP, also in fragments')
        }
        t.match(await server.stop(), clean)
        const kernels = await serve(wire, 'kernel', ++port)
        for (const to of peers) {
            const work = { what: 'echo', count: 20, bytes: 9000 }
            const told = await startClient(wire, 'ours', to, port, work, env).told
            t.match(told, { ok: 20, failed: 0, ...clean }, `to ${to}, from an address of its network`)
            const datagrams = await startEnd(wire, 'ours', ['datagrams', to, port, 1, 9000], env).told
            t.match(datagrams, { ok: 2, lost: 0, ...clean }, 'UDP')
        }
        await kernels.stop()
    })
}

t.test('an address of nobody', async (t) => {
    const server = await serve(wire, 'ours', ++port, { PRONGHORN_PORT: line })
    inside('ip', 'neigh', 'flush', 'dev', wire.peerDevice)
    t.not((await wire.run('ping', ['-c2', '-i0.01', '-W1', '10.86.0.201'])).status, 0)
    await server.stop()
})

t.test('IPv6 networks of other lengths', async (t) => {
    const device = wire.peerDevice
    inside('ip', '-6', 'addr', 'add', 'fd86:120::2/120', 'dev', device, 'nodad')
    inside('ip', '-6', 'addr', 'add', 'fd86:127::/127', 'dev', device, 'nodad')
    inside('ip', '-6', 'addr', 'add', 'fd86:48:0:7::2/48', 'dev', device, 'nodad')
    // Behind the peer: in the same /64, but not in the same /120.
    inside('ip', '-6', 'addr', 'add', 'fd86:120::1:5/128', 'dev', 'lo')
    const addresses = ['fd86:120::1/120', 'fd86:127::1/127', 'fd86:48:0:3::1/48']
    const all = addresses.map((address) => `,address=${address}`).join('')
    const env = { PRONGHORN_PORT: `${wire.port}${all},gateway=fd86:120::2` }
    const server = await serve(wire, 'ours', ++port, env)
    for (const address of addresses) {
        const to = address.split('/')[0] as string
        const told = await startClient(wire, 'kernel', to, port, { what: 'echo', count: 5 }).told
        t.match(told, { ok: 5, failed: 0 }, `${address} from its network`)
    }
    t.match(await server.stop(), clean)
    const kernels = await serve(wire, 'kernel', ++port)
    for (const [to, why] of [
        ['fd86:120::2', 'on the link'],
        ['fd86:127::', 'the other of two'],
        ['fd86:48:0:7::2', 'on the link, in another /64'],
        ['fd86:120::1:5', 'by the gateway, though in the same /64'],
    ] as const) {
        const told = await startClient(wire, 'ours', to, port, { what: 'echo', count: 5 }, env).told
        t.match(told, { ok: 5, failed: 0, ...clean }, `${to}: ${why}`)
    }
    await kernels.stop()
})
