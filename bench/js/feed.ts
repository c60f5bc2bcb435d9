// SPDX-License-Identifier: Apache-2.0
// Reads a feed of 64-byte messages (bench/c/feed.c) into a callback, and checks that none is missing.
//     feed.ts MODULE ADDRESS PORT SECONDS WARMUP
// pronghorn/net reads through a ring, node:net takes its chunks apart.

import type * as NodeNet from 'node:net'
import type * as OurNet from '../../lib/net/index.js'
import { BLOCK_MESSAGES, limitLife, newHistogram, percentiles, tell } from './program.js'

const MESSAGE_BYTES = 64

const [moduleName, address, port, seconds, warmup] = process.argv.slice(2) as [
    string,
    string,
    string,
    string,
    string,
]

limitLife()

const ages = newHistogram()
const blocks = newHistogram()
let expected = 0
let counted = 0
let wrong = 0
let measuring = false
let startedAt = 0n
let blockAt = 0n

function onMessage(view: DataView, offset: number): void {
    const sequence = view.getUint32(offset, true)
    if (sequence !== expected) wrong++
    expected = (sequence + 1) >>> 0
    if (sequence % BLOCK_MESSAGES === 0 && measuring) endBlock(view.getBigUint64(offset + 8, true))
}

function endBlock(madeAt: bigint): void {
    const now = process.hrtime.bigint()
    ages.record(now - madeAt || 1n)
    if (blockAt > 0n) blocks.record(now - blockAt || 1n)
    blockAt = now
}

function start(): void {
    measuring = true
    counted = expected
    startedAt = process.hrtime.bigint()
}

function finish(): void {
    const elapsedNs = Number(process.hrtime.bigint() - startedAt)
    const ops = (expected - counted) >>> 0
    if (wrong > 0) throw new Error(`${wrong} messages were not the next ones`)
    const more = { latency_ns: percentiles(blocks), age_ns: percentiles(ages) }
    tell({ side: moduleName, bench: 'feed', ops, elapsedNs, ...more }, () => process.exit(0))
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
