// SPDX-License-Identifier: Apache-2.0
// 64 B round trips over the `net` API: node:net and pronghorn/net run this same program.
//     net.ts server|client MODULE ADDRESS PORT SECONDS WARMUP

import type * as NodeNet from 'node:net'
import { command, limitLife, newHistogram, percentiles, tell } from './program.js'

const MESSAGE_BYTES = 64

const { role, moduleName, address, port, seconds, warmup } = command()
const net = (await import(moduleName)) as typeof NodeNet

limitLife()

function serve(): void {
    const server = net.createServer({ noDelay: true }, (socket) => {
        socket.on('data', (data) => socket.write(data))
        socket.on('error', () => {})
    })
    process.once('SIGTERM', () => process.exit(0))
    server.listen(port, address, () => process.stdout.write('ready\n'))
}

function connectAndDrive(triesLeft: number): void {
    const socket = net.connect({ host: address, port, noDelay: true })
    const message = Buffer.alloc(MESSAGE_BYTES, 0x55)
    const histogram = newHistogram()
    let missing = 0
    let sentAt = 0n
    let startedAt = 0n
    let endsAt = 0n
    let warm = false

    const send = () => {
        missing = MESSAGE_BYTES
        sentAt = process.hrtime.bigint()
        socket.write(message)
    }
    socket.once('connect', () => {
        endsAt = process.hrtime.bigint() + BigInt(Math.round(warmup * 1e9))
        send()
    })
    socket.on('data', (data) => {
        missing -= data.length
        if (missing > 0) return
        const now = process.hrtime.bigint()
        if (warm) histogram.record(now - sentAt)
        if (now >= endsAt) {
            if (warm) {
                const result = { side: moduleName, bench: 'net.rr', ops: histogram.count }
                tell({ ...result, elapsedNs: Number(now - startedAt), latency_ns: percentiles(histogram) })
                socket.end()
                return
            }
            warm = true
            startedAt = now
            endsAt = now + BigInt(Math.round(seconds * 1e9))
        }
        send()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
        // A wire between two processes comes up a moment after both ends did.
        if (triesLeft > 0 && startedAt === 0n) setTimeout(() => connectAndDrive(triesLeft - 1), 50)
        else throw error
    })
    socket.on('close', (hadError) => {
        if (!hadError) process.exit(0)
    })
}

if (role === 'server') serve()
else connectAndDrive(100)
