// SPDX-License-Identifier: Apache-2.0
/* latency of single sockets that are chosen on a live process, Node's callbacks included. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readSegment } from '../../lib/stats/index.js'
import { eventually, json, pronghorn, Target } from './support.js'

interface Row {
    stack: number
    kind: string
    count: number
    max: number
    quantiles: Record<string, number>
    socket?: { id: number; local: string; peer: string; open: boolean }
}

const target = await Target.start({ PRONGHORN_RUNTIME_NAME: 'measured' })
t.teardown(() => target.end('SIGKILL'))
const of = ['--pid', `${target.pid}`]
const folder = t.testdir({})
await target.tell('open 20')
const { own, port, host } = target.hello
/** The two ends of the first connection. */
const ends = `sport ${own} or dport ${own}`
await eventually(
    () => json('show', 'sockets', ends, ...of),
    ({ sockets }) => sockets.length === 2,
)

/** The rows of one end, by kind. */
const rowsOf = (latencies: Row[], local: string) =>
    new Map(latencies.filter(({ socket }) => socket?.local === local).map((row) => [row.kind, row]))
const client = `10.87.0.1:${own}`
const server = `${host}:${port}`

t.test('every read, write and callback of the chosen ones, and of no others', async (t) => {
    t.equal((await pronghorn('latency', ends, '--keep', ...of)).code, 0)
    const sampled = async () =>
        (await json('latency', ...of)).latencies
            .filter(({ kind, socket }: Row) => kind === 'tx_wait_ns' && !socket)
            .reduce((sum: number, { count }: Row) => sum + count, 0)
    const before = await sampled()
    await target.tell('echo 64 320')
    const { latencies } = (await eventually(
        () => json('latency', ...of),
        ({ latencies }) => (rowsOf(latencies, client).get('rx_wait_ns')?.count ?? 0) >= 320,
    )) as { latencies: Row[] }
    t.equal(latencies.filter(({ socket }) => socket).length, 8, 'two sockets, four distributions each')
    for (const local of [client, server]) {
        const rows = rowsOf(latencies, local)
        for (const kind of ['rx_wait_ns', 'tx_wait_ns', 'callback_wait_ns', 'callback_ns']) {
            const { count, quantiles, max } = rows.get(kind)!
            t.equal(count, 320, `${local} ${kind}`)
            t.ok(quantiles.p50! > 0 && quantiles.p50! <= quantiles.p99! && quantiles['p99.99']! <= max)
        }
        const p50 = (kind: string) => rows.get(kind)!.quantiles.p50!
        t.ok(p50('callback_wait_ns') <= p50('rx_wait_ns') * 1.07, 'it is read in its callback')
    }
    const some = (await sampled()) - before
    t.ok(some >= 20 && some <= 60, `of the stacks, ${some} of 640 writes were measured`)
    const { out } = await pronghorn('latency', ...of)
    t.match(out, /^SOCKET +TIME/m)
    t.match(out, new RegExp(`^${client} > ${server} +port to callback +320 `, 'm'))
})

t.test('a delay that is known: what came while nobody read waits so long, on stack and socket', async (t) => {
    const before = join(folder, 'before')
    const svg = join(folder, 'late.svg')
    await json('latency', '--save', before, ...of)
    await target.tell('late 300')
    const { latencies } = (await eventually(
        () => json('latency', '--since', before, ...of),
        ({ latencies }) => (rowsOf(latencies, server).get('rx_wait_ns')?.count ?? 0) >= 1,
    )) as { latencies: Row[] }
    const [ms, rows] = [1e6, rowsOf(latencies, server)]
    const { count, max, quantiles } = rows.get('rx_wait_ns')!
    t.equal(count, 1)
    // (A bucket is 1/16 of its beginning wide; the write itself took its time.)
    t.ok(max >= 280 * ms && quantiles.p50! >= 280 * ms, `the read: ${max} ns after it had come`)
    const callback = rows.get('callback_wait_ns')!
    t.ok(callback.max >= 280 * ms && callback.max <= max * 1.07, 'and its callback')
    const stack = latencies.find((row) => row.kind === 'rx_wait_ns' && !row.socket && row.max >= 280 * ms)
    t.ok(stack, 'the stack has it too')
    await json('latency', '--since', before, '--svg', svg, ...of)
    t.match(readFileSync(svg, 'utf8'), /port to read/)
})

t.test('compared with an earlier moment, and between two', async (t) => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    const svg = join(folder, 'plot.svg')
    await json('latency', '--save', first, ...of)
    await target.tell('echo 64 10')
    const count = async (...args: string[]) => {
        const { latencies } = await json('latency', ...args, ...of)
        return rowsOf(latencies, client).get('tx_wait_ns')!.count
    }
    t.equal(await count('--since', first, '--save', second), 10)
    await target.tell('echo 64 5')
    t.equal(await count('--since', first, '--svg', svg), 15)
    t.equal(await count('--since', first, '--until', second), 10)
    t.equal(await count('--since', second), 5)
})

t.test('once, for as long as it looks', async (t) => {
    const looking = json('latency', ends, '--interval', '2', ...of)
    await eventually(
        () => readSegment(target.pid).chosen,
        (chosen) => chosen.every(({ histograms }) => histograms.rx_wait_ns!.count === 0),
    )
    await target.tell('echo 64 100')
    const { latencies } = await looking
    t.equal(latencies.length, 8, 'these two only')
    t.ok(rowsOf(latencies, client).get('rx_wait_ns')!.count >= 1)
    t.same(readSegment(target.pid).chosen, [], 'and then no more')
    await target.tell('echo 64 10')
    t.same(readSegment(target.pid).chosen, [])
})

t.test('callbacks in a loop of its own', async (t) => {
    await pronghorn('latency', ends, '--keep', ...of)
    await target.tell('polled 10')
    const { latencies } = await json('latency', ...of)
    t.equal(rowsOf(latencies, client).get('callback_ns')!.count, 10)
    t.equal((await pronghorn('latency', '--release', ...of)).code, 0)
})

t.test('at most sixteen; one that has ended is still shown', async (t) => {
    const all = await pronghorn('latency', 'state established', '--keep', ...of)
    t.equal(all.code, 0)
    t.match(all.out, /42 sockets fit, the 16 with the most packets are measured/)
    t.equal(readSegment(target.pid).chosen.length, 16)
    const refused = await pronghorn('latency', 'udp', '--keep', ...of)
    t.match(refused.out, /are not measured: all sets are in use/)
    t.equal((await pronghorn('latency', '--release', ...of)).code, 0)
    t.same(readSegment(target.pid).chosen, [])

    await pronghorn('latency', ends, '--keep', ...of)
    await target.tell('echo 64 7')
    await target.tell('close')
    const { latencies } = await eventually(
        () => json('latency', ...of),
        ({ latencies }) => latencies.every(({ socket }: Row) => socket === undefined || !socket.open),
    )
    t.equal(rowsOf(latencies, client).get('tx_wait_ns')?.count, 7)
    t.match((await pronghorn('latency', ...of)).out, /\(closed\) /)
    t.equal((await pronghorn('latency', '--release', ...of)).code, 0)
    t.same(readSegment(target.pid).chosen, [])
})

t.test('a callback that closes its socket', async (t) => {
    await target.tell('echo 64 50') // it has the most packets
    await pronghorn('latency', 'state established', '--keep', ...of)
    await target.tell('abrupt')
    const { latencies } = (await json('latency', ...of)) as { latencies: Row[] }
    const closed = latencies.filter(({ kind, socket }) => socket?.open === false && kind === 'callback_ns')
    t.ok(
        closed.some(({ count, socket }) => count === 1 && socket!.peer === server),
        JSON.stringify(closed),
    )
    t.equal((await pronghorn('latency', '--release', ...of)).code, 0)
})

t.test('datagrams', async (t) => {
    const { latencies } = await (async () => {
        await pronghorn('latency', `sport ${target.hello.udp}`, '--keep', ...of)
        await target.tell('datagrams 30')
        return json('latency', ...of)
    })()
    const rows = rowsOf(latencies, `${host}:${target.hello.udp}`)
    t.equal(rows.get('rx_wait_ns')!.count, 30)
    t.ok(rows.get('callback_ns')!.count > 0)
})

t.test('what is wrong', async (t) => {
    t.equal((await pronghorn('latency', 'dport', '9', ...of)).code, 1, 'nothing fits')
    t.equal((await pronghorn('latency', 'state', 'strange', ...of)).code, 2)
})
