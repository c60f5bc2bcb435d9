// SPDX-License-Identifier: Apache-2.0
/* The console: what can be asked and changed, faults, and who misuses it. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { eventually, json, pronghorn, Target, tool } from './support.js'

const file = join(t.testdir(), 'messages')
const target = await Target.start({
    PRONGHORN_LOG_FORMAT: 'json',
    PRONGHORN_LOG_FILE: file,
})
t.teardown(() => target.end('SIGKILL'))
const { pid, hello } = target
const of = ['--pid', `${pid}`]
const path = `/dev/shm/pronghorn.${pid}.console`
await target.tell('echo 1000')

t.test('for the owner alone', async (t) => {
    t.equal(statSync(path).mode & 0o777, 0o600)
})

t.test('routes, neighbours, the card', async (t) => {
    const { routes } = await json('show', 'routes', ...of)
    t.match(
        routes.find((row: { stack: number; netif: string }) => row.stack === 1 && row.netif.startsWith('p')),
        { destination: '10.87.0.0/24', source: hello.host, up: true },
    )
    t.notOk(routes.some((row: { destination: string }) => row.destination === '0.0.0.0/0'))
    const { neighbors } = await json('show', 'neighbors', ...of)
    t.match(
        neighbors.find((row: { stack: number }) => row.stack === 0),
        { address: hello.host, state: 'reachable', mac: /^..:..:..:..:..:..$/ },
    )
    const { ports } = await json('show', 'nic', ...of)
    t.match(ports, [{ driver: 'net_ring', link_up: true }, { driver: 'net_ring' }])
    t.ok(ports[0].counters.rx_good_packets > 0)
    t.match((await pronghorn('show', 'nic', ...of)).out, /link up/)
})

t.test('set', async (t) => {
    t.equal((await pronghorn('set', 'stack.spin_us', '77', ...of)).code, 0)
    t.equal((await pronghorn('set', 'log.level', 'info', ...of)).code, 0)
    const { settings } = await json('show', 'settings', ...of)
    const value = (key: string) => settings.find((row: { key: string }) => row.key === key).value
    t.same([value('stack.spin_us'), value('log.level')], ['77', 'info'])
    t.equal((await pronghorn('set', 'stack.idle', 'interrupt', ...of)).code, 0)
    await target.tell('echo 1000 10')
    t.equal((await pronghorn('set', 'stack.idle', 'adaptive', ...of)).code, 0)
    for (const [key, value, reason] of [
        ['stack.idle', 'never', /give one of: poll, adaptive, interrupt/],
        ['tcp.retries', '3', /cannot be changed while the process runs/],
        ['stack.spin', '3', /cannot be changed|did you mean/],
    ] as const) {
        const { code, err } = await pronghorn('set', key, value, ...of)
        t.equal(code, 1)
        t.match(err, reason)
    }
})

t.test('log', async (t) => {
    const { code, out } = await pronghorn('log', ...of)
    t.equal(code, 0)
    t.match(out, /info +log.level is now info \(pronghorn set\)/)
    const { out: lines } = await pronghorn('log', '--json', ...of)
    for (const line of lines.trim().split('\n'))
        t.match(JSON.parse(line), {
            sequence: Number,
            time: /^\d{4}-.*Z$/,
            level: String,
            message: String,
            pid,
        })
    t.equal(readFileSync(file, 'utf8'), lines, 'what the process wrote is the same')
})

t.test('log: a level, and those to come', async (t) => {
    t.equal((await pronghorn('log', '--level', 'warning', ...of)).out, '')
    t.match(await pronghorn('log', '--level', 'loud', ...of), { code: 2, err: /choices are error, warning/ })
    const follow = spawn(process.execPath, [tool, 'log', '-f', '--json', ...of])
    t.teardown(() => follow.kill())
    const lines = createInterface(follow.stdout)[Symbol.asyncIterator]()
    while (!/stack.idle is now adaptive/.test((await lines.next()).value));
    t.equal((await pronghorn('set', 'log.format', 'text', ...of)).code, 0)
    t.match(JSON.parse((await lines.next()).value), { level: 'info', message: /^log.format is now text/ })
    t.match(readFileSync(file, 'utf8'), /\npronghorn: info: log.format is now text \(pronghorn set\)\n$/)
})

t.test('log: to another file, to one that cannot be, to stderr', async (t) => {
    const other = join(t.testdir({}), 'other.log')
    const no = join(t.testdirName, 'no', 'such.log')
    const said = (where: string) => readFileSync(where, 'utf8')
    const before = said(file)
    t.equal((await pronghorn('set', 'log.file', other, ...of)).code, 0)
    t.match(said(other), `pronghorn: info: log.file is now ${other} (pronghorn set)\n`)
    t.equal(said(file), before)
    t.equal((await pronghorn('set', 'log.file', no, ...of)).code, 0)
    const { out } = await pronghorn('log', '--level', 'warning', ...of)
    t.match(out, `log.file: ${no} cannot be opened: No such file or directory; messages go to stderr`)
    t.equal((await pronghorn('set', 'log.file', '', ...of)).code, 0)
    t.equal((await pronghorn('set', 'log.file', file, ...of)).code, 0)
    t.match(said(file), /log.file is now .* \(pronghorn set\)\n$/)
    t.equal(said(other).split('\n').length, 2, 'one line')
})

t.test('faults: counted, announced, ended', async (t) => {
    const sum = async () =>
        (await json('drops', ...of)).drops
            .filter((row: { counter: string }) => /_injected$/.test(row.counter))
            .reduce((all: number, row: { packets: number }) => all + row.packets, 0)
    t.equal(await sum(), 0)
    const args = ['--loss', '1%', '--delay', '1ms', '--jitter', '1ms', '--duplicate', '1%', '--reorder', '1%']
    const { code, out } = await pronghorn('inject', ...args, '--corrupt', '1%', '--seed', '42', ...of)
    t.equal(code, 0)
    t.match(out, /injected on 2 queues/)
    t.match((await pronghorn('show', 'stacks', ...of)).out, /FAULTS ARE BEING INJECTED on stack 0, 1/)
    const shown = ['sockets', 'ports', 'queues', 'pools', 'routes', 'nic'].map((what) => `show ${what}`)
    for (const what of [...shown, 'rate', 'snmp', 'drops', 'latency', 'flight', 'trace'])
        t.match((await pronghorn(...what.split(' '), ...of)).out, /^\*\*\* FAULTS ARE BEING/, what)
    t.match((await pronghorn('show', 'processes')).out, new RegExp(`${pid} .*FAULTS ARE BEING INJECTED`))
    for (const what of ['show sockets', 'flight', 'trace'])
        t.equal((await json(...what.split(' '), ...of)).process.faults, true, what)
    await target.tell('echo 200000 2')
    t.ok((await sum()) > 3, 'and the data came through whole all the same')
    t.equal((await pronghorn('inject', '--off', ...of)).code, 0)
    const before = await eventually(sum, () => true)
    await target.tell('echo 200000')
    t.equal(await sum(), before)
    t.notMatch((await pronghorn('show', 'stacks', ...of)).out, /FAULTS/)
    t.equal((await pronghorn('inject', '--seed', '1', ...of)).code, 2, 'which fault?')
    t.equal((await pronghorn('inject', '--loss', '200%', ...of)).code, 2)
    t.equal((await pronghorn('inject', '--rate', 'fast', ...of)).code, 2)
})

t.test('a rate: no faster, and everything arrives', async (t) => {
    const bytes = 200_000
    t.equal((await pronghorn('inject', '--rate', '16mbit', ...of)).code, 0)
    const begin = performance.now()
    await target.tell(`echo ${bytes}`)
    const seconds = (performance.now() - begin) / 1000
    t.ok(seconds >= (bytes * 8) / 16e6, `${bytes} bytes came back after ${seconds} s`)
    t.equal((await pronghorn('inject', '--off', ...of)).code, 0)
    await target.tell(`echo ${bytes}`)
})

t.test('a flow of its own', async (t) => {
    await pronghorn('inject', '--loss', '100%', '--filter', `udp port ${hello.udp + 1}`, ...of)
    await target.tell('datagrams 20')
    await target.tell('echo 1000 5')
    t.equal((await pronghorn('inject', '--off', ...of)).code, 0)
})

async function raw(request: string | Buffer): Promise<string> {
    const socket = connect(path)
    let text = ''
    socket.on('data', (data) => {
        text += data
    })
    socket.on('error', () => {})
    socket.write(request)
    await new Promise((resolve) => socket.once('close', resolve))
    return text
}

t.test('misuse: an answer or the end of the conversation, and the process goes on', async (t) => {
    t.match(JSON.parse(await raw('no-such-verb\n')), { error: /knows no "no-such-verb"/ })
    t.match(JSON.parse(await raw('ping\tx=1\n')), { error: /ping knows no "x"/ })
    t.match(JSON.parse(await raw('set\tkey\n')), { error: /give name=value/ })
    t.match(JSON.parse(await raw('inject\tloss_ppm=-1\n')), { error: /not a number from 0 to 1000000/ })
    t.match(JSON.parse(await raw('\n')), { error: /knows no ""/ })
    t.match(JSON.parse(await raw(`ping${'\ta=b'.repeat(100)}\n`)), { error: /at most 32/ })
    t.equal(await raw(Buffer.alloc(10_000, 'x')), '', 'a request without an end')
    t.equal(await raw('\0\n'.repeat(3)).then((text) => text.length > 0), true)
    let seed = 1
    for (let round = 0; round < 50; round++) {
        const bytes = Buffer.alloc(200)
        for (let i = 0; i < bytes.length; i++) {
            seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
            bytes[i] = seed >>> 24
        }
        bytes[199] = 10
        await raw(bytes)
    }
    // Silent ones do not keep others out for long, and do not disturb those who are served.
    const silent = Array.from({ length: 20 }, () => connect(path).on('error', () => {}))
    await eventually(
        () => pronghorn('set', 'log.level', 'warning', ...of),
        ({ code }) => code === 0,
    )
    for (const socket of silent) socket.destroy()
    t.equal((await pronghorn('set', 'log.level', 'warning', ...of)).code, 0)
    await target.tell('echo 1000')
})

t.test('gone with its process', async (t) => {
    const clean = await Target.start()
    await clean.end()
    t.notOk(existsSync(`/dev/shm/pronghorn.${clean.pid}.console`))
    const gone = await pronghorn('set', 'log.level', 'info', '--pid', `${clean.pid}`)
    t.equal(gone.code, 3)
    t.match(gone.err, /has no console/)
    await target.end('SIGKILL')
    t.ok(existsSync(path), 'a killed one leaves its name')
    const next = await Target.start()
    t.notOk(existsSync(path), 'until the next start')
    await next.end()
})
