// SPDX-License-Identifier: Apache-2.0
/* What `pronghorn show` says of a live process, as text and as JSON. */
import t from 'tap'
import { eventually, json, pronghorn, Target } from './support.js'

const target = await Target.start({ PRONGHORN_RUNTIME_NAME: 'shown', PRONGHORN_TCP_RETRIES: '9' })
t.teardown(() => target.end('SIGKILL'))
const { pid, hello } = target
const of = ['--pid', `${pid}`]
await target.tell('echo 100000')
await target.tell('open 3')

t.test('help and version', async (t) => {
    const help = await pronghorn('--help')
    t.equal(help.code, 0)
    t.match(help.out, /Exit codes:/)
    t.match((await pronghorn('show', 'sockets', '--help')).out, /Filters:/)
    const versions = await json('version')
    t.match(versions.version, /^\d+\.\d+\.\d+/)
    t.match(versions.core, /DPDK \d.*lwIP \d/)
    t.match(versions.devices, { af_packet: 'net_af_packet', vhost: 'net_vhost' })
    t.match((await pronghorn('version')).out, /^devices .*tap \(net_tap\)/m)
    const wrong = await pronghorn('shwo')
    t.equal(wrong.code, 2)
    t.match(wrong.err, /Did you mean show/)
    t.equal((await pronghorn('show', 'stacks', '--watch', 'often')).code, 2)
})

t.test('processes', async (t) => {
    const { processes } = await json('show', 'processes')
    const own = processes.find((row: { pid: number }) => row.pid === pid)
    t.match(own, { name: 'shown', alive: true, stacks: 2, user: process.getuid!() })
    t.match(own.product, /DPDK .*lwIP/)
    t.match((await pronghorn('show', 'processes')).out, new RegExp(`^ *${pid}  shown`, 'm'))
})

t.test('a process by its name, or none', async (t) => {
    t.equal((await json('show', 'stacks', '--pid', 'shown')).process.pid, pid)
    const none = await pronghorn('show', 'stacks', '--pid', 'nobody')
    t.equal(none.code, 3)
    t.match(none.err, /no process of Pronghorn is named "nobody"/)
    t.equal((await pronghorn('show', 'stacks', '--pid', '1')).code, 3)
})

t.test('stacks', async (t) => {
    const { stacks } = await json('show', 'stacks', ...of)
    t.equal(stacks.length, 2)
    for (const [index, stack] of stacks.entries()) {
        t.match(stack, { stack: index, drive: 'dedicated', numa_node: Number, ports: [Number] })
        t.ok(stack.packets >= stack.packets_free && stack.packets_free > 0)
        t.ok(stack.rx_packets > 0)
    }
    t.match((await pronghorn('show', 'stacks', ...of)).out, /STACK {2}DRIVE/)
})

t.test('ports', async (t) => {
    const { ports } = await json('show', 'ports', ...of)
    t.equal(ports.length, 2)
    t.match(ports[1], { addresses: [`${hello.host}/24`], mtu: Number, queues: 1, device: 'wire' })
    t.match((await pronghorn('show', 'ports', ...of)).out, new RegExp(`inet ${hello.host}/24`))
})

t.test('settings and where they came from', async (t) => {
    const { settings } = await json('show', 'settings', ...of)
    const setting = (key: string) => settings.find((row: { key: string }) => row.key === key)
    t.match(setting('tcp.retries'), { value: '9', source: 'PRONGHORN_TCP_RETRIES' })
    t.match(setting('stack.spin_us'), { value: '20', source: 'default' })
    t.equal((await json('show', 'settings', 'tcp.retries', ...of)).settings.length, 1)
    const changed = await pronghorn('show', 'settings', '--changed', ...of)
    t.match(changed.out, /^tcp\.retries +9 +PRONGHORN_TCP_RETRIES$/m)
    t.notMatch(changed.out, /default/)
})

t.test('sockets', async (t) => {
    const ask = async (...filter: string[]) => (await json('show', 'sockets', ...of, ...filter)).sockets
    const established = await eventually(
        () => ask('state', 'established', 'sport', `${hello.port}`),
        (rows) => rows.length === 4,
    )
    t.equal(established.length, 4)
    t.equal((await ask('-l', '-t')).length, 2)
    t.equal((await ask('-u', 'sport', '=', `:${hello.udp}`)).length, 1)
    t.equal((await ask('sport', `${hello.own}`, 'and', 'dst', `${hello.host}:${hello.port}`)).length, 1)
    t.equal((await ask('not', 'tcp', 'and', '(', 'sport', '!=', `${hello.udp}`, ')', 'stack', '0')).length, 0)
    t.ok((await ask('rx_bytes >= 100000')).length >= 2)

    const { out } = await pronghorn('show', 'sockets', ...of, '-i', '-o', 'sport', `${hello.own}`)
    t.match(out, new RegExp(`tcp +established +0 +0 +[\\d.]+:${hello.own} +${hello.host}:${hello.port} `))
    t.match(out, /rto:\S+ rtt:\S+ mss:\d+ cwnd:\d+/)
    const summary = await pronghorn('show', 'sockets', ...of, '--summary')
    t.match(summary.out, /^TCP: \d+ \(.*established 8/m)

    for (const [filter, reason] of [
        ['state wide', /there is no state "wide"/],
        ['dport no-such-service', /neither a port number, a range/],
        ['fd = https', /"https" is not a number/],
        ['dst nowhere', /no IP address/],
        ['( tcp', /lacks a "\)"|ends where/],
        ['tcp )', /too many/],
        ['colour = 3', /sockets have no "colour"/],
        ['dst 10.0.0.0/40', /0 to 32 bits/],
    ] as const) {
        const wrong = await pronghorn('show', 'sockets', ...of, filter)
        t.equal(wrong.code, 2, filter)
        t.match(wrong.err, reason)
    }
})

t.test('the process ends: its last numbers when it was killed, then none', async (t) => {
    await target.end('SIGKILL')
    const { processes } = await json('show', 'processes', '--all')
    t.match(
        processes.find((row: { pid: number }) => row.pid === pid),
        { alive: false },
    )
    t.match((await pronghorn('show', 'stacks', ...of)).out, /DEAD: its last numbers/)
})
