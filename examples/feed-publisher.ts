// SPDX-License-Identifier: Apache-2.0
// One feed, a thousand subscribers: each tick is written in place into the send memory of each of
// them. Who is too slow misses ticks instead of holding up the others, and is told how many.
// Everything runs here, on two stacks joined by a wire within this process.
//
//     npx tsx examples/feed-publisher.ts [SUBSCRIBERS [TICKS]]
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { runtime } from 'pronghorn'
import { connect, createServer, type Socket } from 'pronghorn/net'
import type { Ring } from 'pronghorn/ring'

runtime.start({ stack: { drive: 'inline' } })

const TICK_BYTES = 64 // sequence u32, ticks missed so far u32, price u32, rest
const subscribers = Number(process.argv[2] ?? 1000)
const ticks = Number(process.argv[3] ?? 200)

// ---- the publisher --------------------------------------------------------------------------------

interface Subscriber {
    socket: Socket
    ring: Ring
    missed: number
}

const all = new Set<Subscriber>()
const server = createServer((socket) => {
    const one = { socket, ring: socket.ring({ segments: 64 }), missed: 0 }
    one.ring.onBatch(() => one.ring.release())
    all.add(one)
    socket.on('error', () => {})
    socket.on('close', () => all.delete(one))
}).listen(0, '10.0.0.2', subscribers)
await once(server, 'listening')

function publish(sequence: number, price: number): void {
    for (const one of all) {
        const at = one.ring.reserveAt(TICK_BYTES)
        if (at < 0) {
            one.missed++
            continue
        }
        const { view } = one.ring
        view.setUint32(at, sequence)
        view.setUint32(at + 4, one.missed)
        view.setUint32(at + 8, price)
        one.ring.commit(TICK_BYTES)
    }
}

// ---- the subscribers ------------------------------------------------------------------------------

const { port } = server.address() as AddressInfo
let received = 0
let missed = 0
const clients: Socket[] = []
for (let i = 0; i < subscribers; i++) {
    const socket = connect(port, '10.0.0.2')
    clients.push(socket)
    await once(socket, 'connect')
    let seenMissed = 0
    socket.ring({ segments: 64 }).onMessage({ bytes: TICK_BYTES }, (view, offset) => {
        received++
        const now = view.getUint32(offset + 4)
        missed += now - seenMissed
        seenMissed = now
    })
}
while (all.size < subscribers) await new Promise((resolve) => setImmediate(resolve))

const started = process.hrtime.bigint()
for (let sequence = 0; sequence < ticks; sequence++) {
    publish(sequence, 1000 + (sequence % 10))
    await new Promise((resolve) => setImmediate(resolve))
}
for (const { socket } of all) socket.end()
await Promise.all(clients.map((socket) => once(socket.resume(), 'close')))
const seconds = Number(process.hrtime.bigint() - started) / 1e9
server.close()

console.log(`${ticks} ticks to ${subscribers} subscribers: ${received} messages received, ${missed} missed`)
console.log(`${Math.round(received / seconds)} messages a second, publisher and subscribers in one thread`)
