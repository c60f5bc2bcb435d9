// SPDX-License-Identifier: Apache-2.0
// Multicast against the kernel: its bridge is the router that our reports go to (it shows what it learnt of
// groups and sources), its sockets send to us and receive from us.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import dgram from '../../lib/dgram/index.js'
import { runtime } from '../../lib/index.js'
import { makeWire } from '../../tools/net/wire.js'
import { ask, assertBalanced, peer, pools, skipWithoutWires } from './support/stack.js'

skipWithoutWires()
const wire = makeWire()
const BRIDGE = 'br0'
/* How long the kernel may take to learn or to forget. */
const PATIENCE_MS = 15_000
t.teardown(() => {
    runtime.stop()
    wire.close()
})

async function ip(...args: string[]): Promise<void> {
    const { status, stderr } = await wire.run('ip', args)
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}
const setBridge = (...options: string[]) => ip('link', 'set', BRIDGE, 'type', 'bridge', ...options)

await ip('link', 'add', BRIDGE, 'type', 'bridge', 'mcast_snooping', '1', 'mcast_querier', '1')
await setBridge('mcast_stats_enabled', '1')
// Hundredths of a second; that the kernel asks for a last member before it forgets takes two.
await setBridge('mcast_igmp_version', '3', 'mcast_mld_version', '2', 'mcast_query_response_interval', '50')
await setBridge('mcast_last_member_interval', '20', 'mcast_startup_query_interval', '100')
await setBridge('mcast_startup_query_count', '10')
await ip('addr', 'flush', 'dev', wire.peerDevice)
await ip('link', 'set', wire.peerDevice, 'master', BRIDGE)
await ip('addr', 'add', `${wire.peer4}/24`, 'dev', BRIDGE)
await ip('addr', 'add', `${wire.peer6}/64`, 'dev', BRIDGE, 'nodad')
await ip('link', 'set', BRIDGE, 'up')
runtime.start({ port: wire.port })
const before = pools()

/* What the router knows of us: groups with "exclude", with sources, or "all" in the old version, which knows no
 * filters. (Not: solicited nodes.) */
async function learnt(): Promise<string[]> {
    const { stdout } = await wire.run('bridge', ['-d', '-j', 'mdb', 'show', 'dev', BRIDGE])
    const [{ mdb = [] } = {}] = JSON.parse(stdout || '[]')
    return mdb
        .filter((one: Entry) => one.port === wire.peerDevice && !one.src && !one.grp.startsWith('ff02::1:ff'))
        .map((one: Entry) => {
            const sources = (one.source_list ?? []).map(({ address }) => address).sort()
            return `${one.grp} ${one.filter_mode ?? 'all'}${sources.length ? ` ${sources}` : ''}`
        })
        .sort()
}
/* The router forgets everything, and asks everybody. (Its IPv6 address does not survive it.) */
async function restart(): Promise<void> {
    await ip('link', 'set', BRIDGE, 'down')
    await ip('link', 'set', BRIDGE, 'up')
    await ip('addr', 'replace', `${wire.peer6}/64`, 'dev', BRIDGE, 'nodad')
}
/* Reports of the old version that came from us. */
async function oldReports(type: string): Promise<number> {
    const { stdout } = await wire.run('ip', [
        '-j',
        'link',
        'xstats',
        'type',
        'bridge_slave',
        'dev',
        wire.peerDevice,
    ])
    const { multicast } = JSON.parse(stdout).find((one: { ifname: string }) => one.ifname === wire.peerDevice)
    return type === 'udp4' ? multicast.igmp_reports.rx_v2 : multicast.mld_reports.rx_v1
}

interface Entry {
    port: string
    grp: string
    src?: string
    filter_mode: string
    source_list?: { address: string }[]
}

async function eventually(look: () => Promise<unknown>, wanted: unknown): Promise<unknown> {
    let found: unknown
    for (const start = performance.now(); performance.now() - start < PATIENCE_MS; await sleep(100)) {
        found = await look()
        if (JSON.stringify(found) === JSON.stringify(wanted)) break
    }
    return found
}

const FAMILIES = [
    {
        type: 'udp4' as const,
        our: wire.our4,
        their: wire.peer4,
        theirPlace: wire.peer4,
        stranger: '10.99.0.9',
        any: '239.1.2.3',
        ssm: '232.1.1.1',
        other: '232.1.1.2',
    },
    {
        type: 'udp6' as const,
        our: wire.our6,
        their: wire.peer6,
        theirPlace: `::%${BRIDGE}`,
        stranger: 'fd99::9',
        any: 'ff15::1',
        ssm: 'ff35::1',
        other: 'ff35::2',
    },
]

async function bound(type: 'udp4' | 'udp6', port = 0) {
    const socket = dgram.createSocket({ type, reuseAddr: true })
    socket.bind(port)
    await once(socket, 'listening')
    return socket
}

for (const { type, our, their, theirPlace, stranger, any, ssm, other } of FAMILIES) {
    t.test(`${type}: reports with sources, and their filter`, async (t) => {
        const socket = await bound(type)
        const heard: string[] = []
        socket.on('message', (data) => heard.push(String(data)))
        socket.addMembership(any)
        socket.addSourceSpecificMembership(their, ssm)
        socket.addSourceSpecificMembership(stranger, other)
        const joined = [`${any} exclude`, `${ssm} include ${their}`, `${other} include ${stranger}`].sort()
        t.same(await eventually(learnt, joined), joined, 'the router knows groups and sources')
        const { port } = socket.address()
        const groups = [other, ssm, any]
        await ask(wire, 'groupSend', { type, at: theirPlace, port, groups })
        t.same(await eventually(async () => heard, [ssm, any]), [ssm, any], 'not from the wrong source')

        const second = await bound(type, port)
        second.addSourceSpecificMembership(their, other)
        const both = [`${any} exclude`, `${ssm} include ${their}`]
        both.push(`${other} include ${[stranger, their].sort()}`)
        t.same(await eventually(learnt, both.sort()), both, 'what two sockets want together')
        second.close()
        t.same(await eventually(learnt, joined), joined, 'a closed socket leaves')
        socket.dropSourceSpecificMembership(their, ssm)
        socket.dropMembership(any)
        const rest = [`${other} include ${stranger}`]
        t.same(await eventually(learnt, rest), rest)
        socket.close()
        t.same(await eventually(learnt, []), [])
    })

    t.test(`${type}: the kernel receives from us, from the source that it wants`, async (t) => {
        const port = type === 'udp4' ? 7100 : 7101
        const at = type === 'udp4' ? wire.peer4 : `::%${BRIDGE}`
        const groups = [
            { group: any, at },
            { group: ssm, source: our, at },
            { group: other, source: stranger, at },
        ]
        const there = peer(wire, 'groupListen', { type, port, groups })
        await there.next()
        const socket = await bound(type)
        if (type === 'udp4') socket.setMulticastInterface(our)
        // Again and again: a bridge that has just come up does not pass on to its own host at once.
        const again = setInterval(() => {
            for (const group of [other, ssm, any]) socket.send(group, port, group)
        }, 200)
        const heard = new Set<string>()
        while (heard.size < 2) heard.add(JSON.stringify(await there.next()))
        clearInterval(again)
        const wanted = [ssm, any].map((text) => JSON.stringify({ text, from: our }))
        t.same([...heard].sort(), wanted.sort(), 'and from no other')
        await there.end()
        socket.close()
    })

    t.test(`${type}: how far, and back to ourselves`, async (t) => {
        const socket = await bound(type)
        const heard: string[] = []
        socket.on('message', (data) => heard.push(String(data)))
        socket.addMembership(any)
        const { port } = socket.address()
        socket.setMulticastLoopback(false)
        socket.send('not to myself', port, any)
        socket.setMulticastLoopback(true)
        socket.send('to myself', port, any)
        t.same(await eventually(async () => heard, ['to myself']), ['to myself'])
        // The hops that are left when it comes to the kernel.
        const code = `
import socket, struct, sys
six = sys.argv[1] == 'udp6'
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 7200))
if six:
    s.setsockopt(41, 51, 1)
    s.setsockopt(41, 20, socket.inet_pton(socket.AF_INET6, sys.argv[2]) + struct.pack('I', socket.if_nametoindex('${BRIDGE}')))
else:
    s.setsockopt(0, 12, 1)
    s.setsockopt(0, 35, socket.inet_aton(sys.argv[2]) + socket.inet_aton(sys.argv[3]))
print('ready', flush=True)
seen = 0
while seen != 17:
    data, more, _, _ = s.recvmsg(100, 100)
    hops = struct.unpack('i', more[0][2])[0]
    if hops != seen:
        print(hops, flush=True)
    seen = hops`
        const child = wire.spawn('python3', ['-c', code, type, any, their], {
            stdio: ['ignore', 'pipe', 'inherit'],
        })
        let said = ''
        child.stdout?.on('data', (data) => {
            said += data
        })
        await eventually(async () => said, 'ready\n')
        const send = setInterval(() => socket.send('x', 7200, any), 100)
        await eventually(async () => said, 'ready\n1\n')
        socket.setMulticastTTL(17)
        t.equal(await eventually(async () => said, 'ready\n1\n17\n'), 'ready\n1\n17\n')
        clearInterval(send)
        child.kill()
        socket.close()
    })

    t.test(`${type}: a ring of a group`, async (t) => {
        const socket = await bound(type)
        socket.addSourceSpecificMembership(their, ssm)
        const ring = socket.ring()
        const seen: unknown[] = []
        ring.onBatch((segments) => {
            for (let i = 0; i < segments; i++) {
                const { address } = ring.target(i) ?? {}
                seen.push([ring.batch.copy(i).toString(), ring.sender(i)?.address, address])
            }
            ring.release()
        })
        const { port } = socket.address()
        await ask(wire, 'groupSend', { type, at: theirPlace, port, groups: [ssm, other, ssm] })
        const one = [ssm, their, ssm]
        t.same(await eventually(async () => seen, [one, one]), [one, one])
        socket.close()
    })

    t.test(`${type}: a router that asks is answered; one of the old version in its version`, async (t) => {
        const socket = await bound(type)
        socket.addSourceSpecificMembership(their, ssm)
        socket.addMembership(any)
        const joined = [`${any} exclude`, `${ssm} include ${their}`].sort()
        t.same(await eventually(learnt, joined), joined)
        await restart()
        t.same(await eventually(learnt, joined), joined, 'answered with sources')
        const old = type === 'udp4' ? ['mcast_igmp_version', '2'] : ['mcast_mld_version', '1']
        await setBridge(...old)
        await restart()
        t.equal(await eventually(async () => (await oldReports(type)) > 0, true), true, 'in the old version')
        const plain = [`${any} all`, `${ssm} all`].sort()
        t.same(await eventually(learnt, plain), plain, 'no sources in the old version')
        socket.addSourceSpecificMembership(their, other)
        const all = [...plain, `${other} all`].sort()
        t.same(await eventually(learnt, all), all, 'nor with what comes later')
        socket.close()
        t.same(await eventually(learnt, []), [], 'and it leaves in the old version')
    })
}

t.test('nothing is kept', (t) => assertBalanced(t, before))
