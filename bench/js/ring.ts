// SPDX-License-Identifier: Apache-2.0
// 64 B round trips: through rings and templates with pronghorn/net, by data events with node:net.
//     ring.ts server|client MODULE ADDRESS PORT SECONDS WARMUP

import type * as OurNet from '../../lib/net/index.js'
import { command, limitLife, newHistogram, percentiles, tell } from './program.js'

const MESSAGE_BYTES = 64

const { role, moduleName, address, port, seconds, warmup } = command()
// node:net has no rings: what differs is told apart where a connection is set up.
const net = (await import(moduleName)) as typeof OurNet

limitLife()

/** Calls `onMessage` for each whole message; the returned function sends one. */
function converse(socket: OurNet.Socket, onMessage: () => void): () => void {
    const message = Buffer.alloc(MESSAGE_BYTES, 0x55)
    if (typeof socket.ring !== 'function') {
        let missing = MESSAGE_BYTES
        socket.on('data', (data: Buffer) => {
            missing -= data.length
            if (missing > 0) return
            missing += MESSAGE_BYTES
            onMessage()
        })
        return () => void socket.write(message)
    }
    const ring = socket.ring()
    const template = ring.template(message)
    ring.onMessage({ bytes: MESSAGE_BYTES }, onMessage)
    return () => void template.send()
}

function serve(): void {
    const server = net.createServer({ noDelay: true }, (socket) => {
        const send = converse(socket, () => send())
        socket.on('error', () => {})
    })
    process.once('SIGTERM', () => process.exit(0))
    server.listen(port, address, () => process.stdout.write('ready\n'))
}

function measure(socket: OurNet.Socket): void {
    const histogram = newHistogram()
    let sentAt = 0n
    let startedAt = 0n
    let endsAt = process.hrtime.bigint() + BigInt(Math.round(warmup * 1e9))

    const transmit = converse(socket, () => {
        const now = process.hrtime.bigint()
        if (startedAt > 0n) histogram.record(now - sentAt)
        if (now >= endsAt) {
            if (startedAt > 0n) {
                const result = { side: moduleName, bench: 'net.rr', ops: histogram.count }
                tell({ ...result, elapsedNs: Number(now - startedAt), latency_ns: percentiles(histogram) })
                socket.destroy()
                return
            }
            startedAt = now
            endsAt = now + BigInt(Math.round(seconds * 1e9))
        }
        send()
    })
    const send = () => {
        sentAt = process.hrtime.bigint()
        transmit()
    }
    send()
}

function connect(triesLeft: number): void {
    const socket = net.connect({ host: address, port, noDelay: true })
    let connected = false
    socket.once('connect', () => {
        connected = true
        measure(socket)
    })
    socket.on('error', (error) => {
        // A wire between two processes comes up a moment after both ends did.
        if (triesLeft > 0 && !connected) setTimeout(() => connect(triesLeft - 1), 50)
        else throw error
    })
    socket.on('close', (hadError) => {
        if (!hadError) process.exit(0)
    })
}

if (role === 'server') serve()
else connect(100)
