// SPDX-License-Identifier: Apache-2.0
// Reads a feed of 64-byte messages (bench/c/feed.c) into a callback, and checks that none is missing.
//     feed.ts MODULE ADDRESS PORT SECONDS WARMUP
// pronghorn/net reads through a ring, node:net takes its chunks apart.

import type * as NodeNet from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import type * as OurNet from '../../lib/net/index.js'

const MESSAGE_BYTES = 64
const LIFE_LIMIT_MS = 60_000
/** One message of so many has its age taken. */
const SAMPLE_MASK = 0xfff

const [moduleName, address, port, seconds, warmup] = process.argv.slice(2) as [
    string,
    string,
    string,
    string,
    string,
]

setTimeout(() => {
    process.stderr.write('the time limit was reached\n')
    process.exit(3)
}, LIFE_LIMIT_MS).unref()

const histogram = createHistogram({ lowest: 1, highest: 1e10, figures: 3 })
let expected = 0
let counted = 0
let wrong = 0
let measuring = false
let startedAt = 0n

function onMessage(view: DataView, offset: number): void {
    const sequence = view.getUint32(offset, true)
    if (sequence !== expected) wrong++
    expected = (sequence + 1) >>> 0
    if ((sequence & SAMPLE_MASK) === 0 && measuring)
        histogram.record(process.hrtime.bigint() - view.getBigUint64(offset + 8, true) || 1n)
}

function start(): void {
    measuring = true
    counted = expected
    startedAt = process.hrtime.bigint()
}

function finish(): void {
    const elapsed = Number(process.hrtime.bigint() - startedAt)
    const ops = (expected - counted) >>> 0
    if (wrong > 0) throw new Error(`${wrong} messages were not the next ones`)
    const latency = {
        p50: histogram.percentile(50),
        p99: histogram.percentile(99),
        max: histogram.max,
        mean: histogram.mean,
    }
    const line = {
        side: moduleName,
        bench: 'feed',
        ops,
        seconds: elapsed / 1e9,
        rate: (ops * 1e9) / elapsed,
        latency_ns: latency,
    }
    process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(0))
}

function schedule(): void {
    setTimeout(start, Number(warmup) * 1000)
    setTimeout(finish, (Number(warmup) + Number(seconds)) * 1000)
}

function readOurs(net: typeof OurNet, triesLeft: number): void {
    const socket = net.connect({ host: address, port: Number(port) })
    socket.once('connect', () => {
        socket.ring().onMessage({ bytes: MESSAGE_BYTES }, onMessage)
        schedule()
    })
    socket.on('error', (error) => {
        // A wire between two processes comes up a moment after both ends did.
        if (triesLeft > 0 && expected === 0) setTimeout(() => readOurs(net, triesLeft - 1), 50)
        else throw error
    })
}

function readTheirs(net: typeof NodeNet): void {
    const socket = net.connect({ host: address, port: Number(port) })
    let rest = Buffer.alloc(0)
    socket.once('connect', schedule)
    socket.on('data', (chunk) => {
        const all = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
        const view = new DataView(all.buffer, all.byteOffset, all.length)
        let offset = 0
        for (; offset + MESSAGE_BYTES <= all.length; offset += MESSAGE_BYTES) onMessage(view, offset)
        rest = all.subarray(offset)
    })
}

if (moduleName === 'node:net') readTheirs((await import(moduleName)) as typeof NodeNet)
else readOurs((await import(moduleName)) as typeof OurNet, 100)
