// SPDX-License-Identifier: Apache-2.0
// Rings on connections: order, completeness, messages that span segments, release, the end.

import { once } from 'node:events'
import t from 'tap'
import type * as net from '../../lib/net/index.js'
import type { Ring } from '../../lib/ring/index.js'
import { pair } from './pair.js'
import { startStack } from './stack.js'

startStack()

const byteAt = (at: number) => (Math.imul(at, 2654435761) >>> 13) & 0xff

function pattern(from: number, bytes: number): Buffer {
    const out = Buffer.alloc(bytes)
    for (let i = 0; i < bytes; i++) out[i] = byteAt(from + i)
    return out
}

function checkPattern(ring: Ring, segment: number, at: number): number {
    const offset = ring.batch.offset(segment)
    const bytes = ring.batch.bytes(segment)
    for (let i = 0; i < bytes; i++)
        if (ring.bytes[offset + i] !== byteAt(at + i)) throw new Error(`byte ${at + i} is wrong`)
    return at + bytes
}

function sendPattern(socket: net.Socket, total: number): void {
    let at = 0
    const go = () => {
        while (at < total) {
            const bytes = Math.min(total - at, 1 + Math.floor(Math.random() * 20000))
            at += bytes
            if (!socket.write(pattern(at - bytes, bytes))) {
                socket.once('drain', go)
                return
            }
        }
        socket.end()
    }
    go()
}

const TOTAL = 1_000_000

t.test('batches by a listener: all of it, in order, with times', async (t) => {
    const [client, socket, close] = await pair()
    const ring = socket.ring()
    let at = 0
    let last = 0
    let ordered = true
    ring.onBatch((segments) => {
        for (let i = 0; i < segments; i++) {
            at = checkPattern(ring, i, at)
            ordered &&= ring.batch.time(i) >= last
            last = ring.batch.time(i)
        }
        ring.release()
    })
    sendPattern(client, TOTAL)
    await once(socket, 'end')
    t.equal(at, TOTAL)
    t.equal(ring.ended, true)
    t.equal(ordered, true)
    t.ok(Math.abs(Number(process.hrtime.bigint()) - last) < 60e9, 'the clock of process.hrtime()')
    close()
})

t.test('for await', async (t) => {
    const [client, socket, close] = await pair()
    const ring = socket.ring({ segments: 64 })
    let at = 0
    sendPattern(client, TOTAL)
    for await (const batch of ring) {
        for (let i = 0; i < batch.length; i++) at = checkPattern(ring, i, at)
        if (Math.random() < 0.3) ring.release(Math.floor(batch.length / 2))
    }
    t.equal(at, TOTAL)
    t.equal(ring.held, 0)
    t.throws(() => socket.ring(), { code: 'ERR_PRONGHORN_RING' })
    close()
})

t.test('take() and release() in a loop of the owner', async (t) => {
    const [client, socket, close] = await pair()
    const ring = socket.ring()
    let at = 0
    sendPattern(client, TOTAL)
    const kept: number[] = []
    const step = (): boolean => {
        const segments = ring.take()
        for (let i = 0; i < segments; i++) at = checkPattern(ring, i, at)
        if (segments > 0) kept.push(segments)
        if (kept.length > 3) ring.release(kept.shift())
        // Nothing more comes while all is held: give way.
        if (segments === 0) for (const one of kept.splice(0)) ring.release(one)
        return segments >= 0
    }
    while (step()) await new Promise((resolve) => setImmediate(resolve))
    t.equal(at, TOTAL)
    close()
})

for (const size of [1, 7, 64, 1000, 4000]) {
    t.test(`messages of ${size} bytes, however they are cut`, async (t) => {
        const [client, socket, close] = await pair()
        const ring = socket.ring()
        const total = TOTAL - (TOTAL % size)
        let at = 0
        let wrong = 0
        ring.onMessage({ bytes: size }, (view, offset, length) => {
            if (length !== size || view.getUint8(offset) !== byteAt(at)) wrong++
            if (view.getUint8(offset + size - 1) !== byteAt(at + size - 1)) wrong++
            at += size
        })
        sendPattern(client, total)
        await once(socket, 'end')
        t.equal(at, total)
        t.equal(wrong, 0)
        close()
    })
}

t.test('messages with a length in front', async (t) => {
    for (const layout of [
        { prefix: 2 as const },
        { prefix: 4 as const, at: 2, littleEndian: true, plus: 0 },
        { prefix: 1 as const, at: 3 },
    ]) {
        const [client, socket, close] = await pair()
        const ring = socket.ring()
        const head = (layout.at ?? 0) + layout.prefix
        const seen: number[] = []
        const sent: number[] = []
        let wrong = 0
        ring.onMessage(layout, (view, offset, length) => {
            for (let i = head; i < length; i++) if (view.getUint8(offset + i) !== (length & 0xff)) wrong++
            seen.push(length)
        })
        for (let i = 0; i < 3000; i++) {
            const most = layout.prefix === 1 ? 250 : Math.random() < 0.1 ? 20000 : 300
            const length = head + Math.floor(Math.random() * most)
            const message = Buffer.alloc(length, length & 0xff)
            const value = length - (layout.plus ?? head)
            if (layout.prefix === 1) message.writeUInt8(value, layout.at ?? 0)
            else if (layout.prefix === 2) message.writeUInt16BE(value, layout.at ?? 0)
            else message.writeUInt32LE(value, layout.at ?? 0)
            sent.push(length)
            client.write(message)
        }
        client.end()
        await once(socket, 'end')
        t.same(seen, sent)
        t.equal(wrong, 0)
        close()
    }
})

t.test('what is no message ends the connection with an error', async (t) => {
    const [client, socket, close] = await pair()
    const ring = socket.ring()
    let messages = 0
    ring.onMessage({ prefix: 4, max: 100 }, () => messages++)
    client.write(Buffer.from([0, 0, 0, 1, 7, 1, 0, 0, 0, 9, 9]))
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    t.equal(error.code, 'ERR_PRONGHORN_MESSAGE')
    t.equal(messages, 1)
    close()
})

t.test('a listener that throws misses no other message', async (t) => {
    const [client, socket, close] = await pair()
    const ring = socket.ring()
    const errors: unknown[] = []
    const seen: number[] = []
    const previous = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => errors.push(error))
    ring.onMessage({ bytes: 4 }, (view, offset) => {
        const number = view.getUint32(offset)
        seen.push(number)
        if (number % 1000 === 7) throw new Error(`at ${number}`)
    })
    const all = Buffer.alloc(4 * 10_000)
    for (let i = 0; i < 10_000; i++) all.writeUInt32BE(i, 4 * i)
    client.end(all)
    await once(socket, 'end')
    await new Promise((resolve) => setImmediate(resolve))
    process.removeAllListeners('uncaughtException')
    for (const one of previous) process.on('uncaughtException', one)
    t.equal(seen.length, 10_000)
    t.ok(seen.every((number, i) => number === i))
    t.equal(errors.length, 10)
    close()
})
