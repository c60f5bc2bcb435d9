// SPDX-License-Identifier: Apache-2.0
// 64 B datagrams, one way: the client sends what the socket takes, the server counts what arrives.
//     dgram.ts server|client MODULE ADDRESS PORT SECONDS WARMUP
// BENCH_RINGS=off in the environment: ours as node:dgram, with 'message' events and send().

import type * as OurDgram from '../../lib/dgram/index.js'
import { BLOCK_MESSAGES, command, limitLife, newHistogram, percentiles, tell } from './program.js'

const MESSAGE_BYTES = 64
const BURST = 64

const { role, moduleName, address, port, seconds, warmup } = command()
// node:dgram has no rings: what differs is told apart where it is used.
const dgram = (await import(moduleName)) as typeof OurDgram
const socket = dgram.createSocket('udp4')
const rings = typeof socket.ring === 'function' && process.env.BENCH_RINGS !== 'off'

limitLife()

function serve(): void {
    const blocks = newHistogram()
    let count = 0
    let countedAt = 0n
    let blockAt = 0n
    const start = () => {
        count = 0
        countedAt = blockAt = process.hrtime.bigint()
    }
    const endBlock = () => {
        const now = process.hrtime.bigint()
        if (blockAt > 0n) blocks.record(now - blockAt || 1n)
        blockAt = now
    }
    const report = () => {
        const elapsedNs = Number(process.hrtime.bigint() - countedAt)
        const result = { side: moduleName, bench: 'dgram', ops: count, elapsedNs }
        tell({ ...result, latency_ns: percentiles(blocks) }, () => process.exit(0))
    }
    const onFirst = () => {
        setTimeout(start, warmup * 1000)
        setTimeout(report, (warmup + seconds) * 1000)
    }
    socket.bind(port, address, () => {
        let first = true
        const onMessage = () => {
            if (++count % BLOCK_MESSAGES === 0) endBlock()
            if (!first) return
            first = false
            onFirst()
        }
        if (rings) socket.ring().onMessage({ datagrams: true }, onMessage)
        else (socket as OurDgram.Socket).on('message', onMessage)
        process.stdout.write('ready\n')
    })
}

/** Until the server has had enough for its time and some more. */
function send(): void {
    const message = Buffer.alloc(MESSAGE_BYTES, 0x55)
    // Refused: the server has measured and is gone.
    socket.on('error', () => process.exit(0))
    process.once('uncaughtException', () => process.exit(0))
    const until = process.hrtime.bigint() + BigInt(Math.round((warmup + seconds + 1) * 1e9))
    socket.connect(port, address, () => {
        const ring = rings ? socket.ring() : undefined
        const template = ring?.template(message)
        const burst = () => {
            if (process.hrtime.bigint() > until) process.exit(0)
            if (template) {
                for (let i = 1; i < BURST && template.send(true); i++);
                template.send()
                setImmediate(burst)
                return
            }
            // The kernel takes them at once; a callback for the last of each burst keeps the queue short.
            for (let i = 1; i < BURST; i++) socket.send(message)
            socket.send(message, burst)
        }
        burst()
    })
}

if (role === 'server') serve()
else send()
