// SPDX-License-Identifier: Apache-2.0
// takeover=on: all that the kernel's interface has is ours, and the kernel's again afterwards, whatever
// the end. Our side lives in a namespace of its own, so that no route of the machine is touched.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import t from 'tap'
import { cleanup } from '../../tools/net/cleanup.js'
import { must, tryRun } from '../../tools/net/commands.js'
import { makeWire } from '../../tools/net/wire.js'
import { type End, serve, skipWithoutEnds, startClient, startEnd } from './support/ends.js'

skipWithoutEnds()
const bare = makeWire({ mtu: 1400 })
const home = `${bare.namespace}.home` // swept as the wire's own
const wire = { ...bare, home }
const dropHome = cleanup(() => tryRun('ip', 'netns', 'del', home))
t.teardown(() => {
    wire.close()
    dropHome()
})
must('ip', 'netns', 'add', home)
must('ip', 'link', 'set', wire.device, 'netns', home)
const inHome = (...command: string[]) => must('ip', 'netns', 'exec', home, ...command)
const there = (...command: string[]) => must('ip', 'netns', 'exec', wire.namespace, ...command)
const device = wire.device

/* A static configuration as an administrator makes it. */
inHome('sh', '-c', `echo 0 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`)
inHome('ip', 'link', 'set', 'lo', 'up')
inHome('ip', 'link', 'set', device, 'mtu', '1400', 'up')
inHome('ip', 'addr', 'add', `${wire.our4}/24`, 'dev', device)
inHome('ip', 'addr', 'add', '10.86.0.77/24', 'dev', device)
inHome('ip', '-6', 'addr', 'add', `${wire.our6}/64`, 'dev', device, 'nodad')
inHome('ip', 'route', 'add', 'default', 'via', wire.peer4)
inHome('ip', '-6', 'route', 'add', 'default', 'via', wire.peer6)
inHome('sh', '-c', `echo 1 > /proc/sys/net/ipv4/conf/${device}/forwarding`)
/* Two hosts beyond the gateway. */
const [far4, far6] = ['10.200.0.1', 'fd86:200::1']
there('ip', 'addr', 'add', `${far4}/32`, 'dev', 'lo')
there('ip', '-6', 'addr', 'add', `${far6}/128`, 'dev', 'lo')

/* The interface as the kernel has it, without what goes by itself. */
function state(): string {
    const text = ['addr', 'route', '-6 route'].map((what) => {
        const [first, second] = what.split(' ') as [string, string?]
        const list = second ? [first, second, 'show', 'dev', device] : [first, 'show', 'dev', device]
        const lines = inHome('ip', ...list).split('\n')
        const steady = lines.filter((line) => !/valid_lft|^\d+:|fe80|multicast/.test(line))
        return steady.map((line) => line.trim().replace(/ expires \S+/, '')).sort()
    })
    const forwarding = inHome('cat', `/proc/sys/net/ipv4/conf/${device}/forwarding`)
    return `${text.flat().join('\n')}\nforwarding ${forwarding}`
}

const before = state()
const line = `af_packet,iface=${device},takeover=on`
const env = { PRONGHORN_PORT: line }
const clean = { stderr: '', status: 0 }
let port = 7600

const work = { what: 'echo', count: 20, bytes: 100_000, atOnce: 5 }

/* The peer reaches us at each address, with large transfers, and we it, also beyond the gateway. */
async function traffic(server: End) {
    for (const to of [wire.our4, '10.86.0.77', wire.our6]) {
        t.match(await startClient(wire, 'kernel', to, port, work).told, { ok: 20, failed: 0 }, `TCP to ${to}`)
    }
    for (const to of [wire.our4, wire.our6]) {
        const sink = { what: 'sink', bytes: 16_000_000 }
        t.match(await startClient(wire, 'kernel', to, port, sink).told, { ok: 1, failed: 0 }, `bulk to ${to}`)
        const told = await startEnd(wire, 'kernel', ['datagrams', to, port, 1, 1300, 9000]).told
        t.match(told, { ok: 3, lost: 0 }, `UDP to ${to}`)
        t.equal((await wire.run('ping', ['-c2', '-i0.05', '-W5', to])).status, 0, `${to} answers`)
    }
    const addresses = inHome('ip', 'addr', 'show', 'dev', device)
    t.notMatch(addresses, /inet/, 'the kernel has no address meanwhile')
    const mac = addresses.match(/link\/ether (\S+)/)?.[1] as string
    t.match(there('ip', 'neigh', 'show', wire.our4), mac, "the MAC address is the interface's")
    t.match(await server.stop(), clean, 'a clean end')
}

t.test('taken over, and given back', async () => {
    await traffic(await serve(wire, 'ours', ++port, env))
    t.equal(state(), before, 'the kernel has everything again')
})

t.test('beyond the gateway', async (t) => {
    const kernels = await serve(wire, 'kernel', ++port)
    for (const to of [wire.peer4, far4, wire.peer6, far6]) {
        const told = await startClient(wire, 'ours', to, port, work, env).told
        t.match(told, { ok: 20, failed: 0, ...clean }, `to ${to}`)
        t.equal(state(), before, 'given back')
    }
    await kernels.stop()
})

async function killed() {
    const server = await serve(wire, 'ours', ++port, env)
    const gone = once(server.child, 'exit')
    server.child.kill('SIGKILL')
    await gone
    t.not(state(), before, 'the kernel has still nothing')
}

t.test('killed: the next start takes over again', async () => {
    await killed()
    await traffic(await serve(wire, 'ours', ++port, env))
    t.equal(state(), before, 'and then everything is given back')
})

t.test('killed: any start gives back', async (t) => {
    await killed()
    const other = { PRONGHORN_PORT: 'null,address=10.1.2.3/24' }
    t.match(await (await serve(wire, 'ours', ++port, other)).stop(), { status: 0 })
    t.equal(state(), before)
})

t.test('refused', async (t) => {
    const server = await serve(wire, 'ours', ++port, env)
    inHome('ip', 'addr', 'add', '10.9.9.9/24', 'dev', device) // somebody gives it one meanwhile
    const second = await startEnd(wire, 'ours', ['serve', '::', 7699], env).told
    t.match(second.stderr, /another process has taken it over/)
    inHome('ip', 'addr', 'del', '10.9.9.9/24', 'dev', device)
    const none = await startEnd(wire, 'ours', ['serve', '::', 7699], env).told
    t.match(none.stderr, /has no address.*ip addr add/)
    await server.stop()
    t.equal(state(), before)
    const lost = await startEnd(wire, 'ours', ['serve', '::', 7699], {
        PRONGHORN_PORT: 'af_packet,iface=nope0,takeover=on',
    }).told
    t.match(lost.stderr, /nope0.*there are lo, /)
    const tap = await startEnd(wire, 'ours', ['serve', '::', 7699], {
        PRONGHORN_PORT: `tap,iface=${device},takeover=on`,
    }).told
    t.match(tap.stderr, /makes its interface itself/)
    t.equal(state(), before)
})

t.test('no record is left', async (t) => {
    t.strictSame(
        readdirSync('/run/pronghorn-takeover').filter((name) => name.endsWith(device)),
        [],
    )
})
