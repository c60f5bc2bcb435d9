// SPDX-License-Identifier: Apache-2.0
// Messages without end: by ring, by stream, by datagrams; each arrives once and in order, and neither the heap nor
// external memory nor the pools grow. And pools that come back without the help of a garbage collection.
// PRONGHORN_TEST_MESSAGES makes it a day's worth (npm run test:long).

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import dgram from '../../lib/dgram/index.js'
import net, { type Socket } from '../../lib/net/index.js'
import { readSegment } from '../../lib/stats/index.js'
import { host, startStack } from './stack.js'

const MESSAGES = Number(process.env.PRONGHORN_TEST_MESSAGES ?? 500_000)
const BYTES = 64
const STEPS = 5
/** Messages between two looks at the event loop. */
const RUN = 2000
/* Code that V8 compiled and counted meanwhile. */
const HEAP_NOISE_BYTES = 3 << 20
const EXTERNAL_NOISE_BYTES = 4 << 20
/* A thread that sends keeps a bundle of chunks for itself. */
const CHUNKS_AT_HAND = 32
const SETTLE_MS = 20_000

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
startStack()

const gauges = () => readSegment(process.pid, { sockets: false }).stacks.map(({ gauges }) => gauges)
const before = gauges()

function missing(): string[] {
    return gauges().flatMap((now, i) => {
        const first = before[i] ?? {}
        const list = []
        if ((now.packets_free ?? 0) < (first.packets_free ?? 0)) list.push(`packets ${now.packets_free}`)
        if ((now.chunks_free ?? 0) < (first.chunks_free ?? 0) - CHUNKS_AT_HAND)
            list.push(`chunks ${now.chunks_free}`)
        return list.map((what) => `stack ${i}: ${what} of ${JSON.stringify(first)}`)
    })
}

async function settled(t: Test): Promise<void> {
    const start = performance.now()
    while (missing().length > 0 && performance.now() - start < SETTLE_MS) await sleep(20)
    t.same(missing(), [], 'the pools are full again')
}

async function pair(): Promise<{ from: Socket; to: Socket; close(): Promise<void> }> {
    const server = net.createServer().listen(0, host)
    await once(server, 'listening')
    const to = net.connect((server.address() as AddressInfo).port, host)
    const [[from]] = (await Promise.all([once(server, 'connection'), once(to, 'connect')])) as [
        [Socket],
        unknown,
    ]
    const close = async () => {
        to.destroy()
        from.destroy()
        server.close()
        await once(server, 'close')
    }
    return { from, to, close }
}

/** Sends and receives `count` numbered messages from `first` on; how many came out of order. */
type Part = (first: number, count: number) => Promise<number>

async function flat(t: Test, count: number, part: Part): Promise<void> {
    const seen: { heapUsed: number; external: number; used: number[] }[] = []
    let wrong = 0
    const each = Math.ceil(count / STEPS)
    for (let step = 0; step < STEPS; step++) {
        wrong += await part(step * each, each)
        await sleep(50)
        collect()
        collect()
        const { heapUsed, external, arrayBuffers } = process.memoryUsage()
        const used = gauges().map((g) => g.memory_used_bytes ?? 0)
        seen.push({ heapUsed, external: external + arrayBuffers, used })
    }
    const [first, last] = [seen[0], seen[STEPS - 1]]
    if (!first || !last) throw new Error('nothing was measured')
    t.equal(wrong, 0, 'each came once and in order')
    t.ok(last.heapUsed - first.heapUsed < HEAP_NOISE_BYTES, 'the heap is flat', { seen })
    t.ok(last.external - first.external < EXTERNAL_NOISE_BYTES, 'external memory is flat', { seen })
}

t.test(`${MESSAGES} messages by ring`, async (t) => {
    const { from, to, close } = await pair()
    const template = from.ring().template(Buffer.alloc(BYTES), { number: { at: 0, type: 'u64' } })
    let expected = 0
    let end = 0
    let wrong = 0
    let over = () => {}
    to.ring().onMessage({ bytes: BYTES }, (view, offset) => {
        if (view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4) !== expected++) wrong++
        if (expected === end) over()
    })
    await flat(t, MESSAGES, async (first, count) => {
        end = first + count
        wrong = 0
        const all = new Promise<void>((resolve) => {
            over = resolve
        })
        for (let next = first; next < end; await new Promise(setImmediate))
            for (let i = 0; i < RUN && next < end; i++, next++) {
                template.set.number(next)
                if (!template.send(i + 1 < RUN)) break
            }
        await all
        return wrong
    })
    await close()
    await settled(t)
})

t.test(`${Math.ceil(MESSAGES / 20)} messages by stream`, async (t) => {
    const { from, to, close } = await pair()
    let rest = Buffer.alloc(0)
    let expected = 0
    let end = 0
    let wrong = 0
    let over = () => {}
    to.on('data', (chunk: Buffer) => {
        const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
        let at = 0
        for (; at + BYTES <= data.length; at += BYTES)
            if (data.readUInt32BE(at) !== expected++ % 2 ** 32) wrong++
        rest = Buffer.from(data.subarray(at))
        if (expected >= end) over()
    })
    await flat(t, MESSAGES / 20, async (first, count) => {
        end = first + count
        wrong = 0
        const all = new Promise<void>((resolve) => {
            over = resolve
        })
        for (let next = first; next < end; next++) {
            // A Buffer each: what does not fit now is sent later.
            const message = Buffer.alloc(BYTES)
            message.writeUInt32BE(next % 2 ** 32)
            if (!from.write(message)) await once(from, 'drain')
            else if (next % RUN === 0) await new Promise(setImmediate)
        }
        await all
        return wrong
    })
    await close()
    await settled(t)
})

t.test(`${Math.ceil(MESSAGES / 50)} datagrams`, async (t) => {
    const to = dgram.createSocket('udp4')
    to.bind(0, host)
    await once(to, 'listening')
    const { port } = to.address()
    const from = dgram.createSocket('udp4')
    let expected = 0
    let wrong = 0
    let come = () => {}
    to.on('message', (data) => {
        if (data.readUInt32BE(0) !== expected++ % 2 ** 32) wrong++
        come()
    })
    const UNDER_WAY = 64
    await flat(t, MESSAGES / 50, async (first, count) => {
        const end = first + count
        wrong = 0
        for (let next = first; next < end; next++) {
            // A Buffer each: the socket sends in a later turn.
            const message = Buffer.alloc(BYTES)
            message.writeUInt32BE(next % 2 ** 32)
            from.send(message, port, host)
            if (next - expected >= UNDER_WAY)
                await new Promise<void>((resolve) => {
                    come = resolve
                })
        }
        while (expected < end)
            await new Promise<void>((resolve) => {
                come = resolve
            })
        return wrong
    })
    from.close()
    to.close()
    await Promise.all([once(from, 'close'), once(to, 'close')])
    await settled(t)
})

t.test('the pools come back by destroy() alone: no garbage was collected meanwhile', async (t) => {
    collect()
    let collections = 0
    const observer = new PerformanceObserver((list) => {
        collections += list.getEntries().length
    })
    observer.observe({ entryTypes: ['gc'] })
    const kept: unknown[] = []
    for (let i = 0; i < 10; i++) {
        const { from, to, close } = await pair()
        const [sending, receiving] = [from.ring(), to.ring()]
        from.write(Buffer.alloc(50_000, i))
        // Lent and not released, reserved and not committed, prepared and not sent: nobody gives it back.
        while (receiving.take() <= 0) await new Promise(setImmediate)
        t.ok(receiving.held > 0, 'something is lent')
        kept.push(sending.reserve(1000), sending.template(Buffer.alloc(BYTES)), sending, receiving, from, to)
        await close()
    }
    await settled(t)
    // (Its entries come in a later turn.)
    await sleep(50)
    observer.disconnect()
    t.equal(collections, 0, `${kept.length} objects are still there, and nothing was collected`)
})
