// SPDX-License-Identifier: Apache-2.0
// Two multicast feeds with the same messages, A and B, each of which loses some. The handler reads
// both in place, takes the first copy of each message, and counts what each feed missed and what was
// missed on both. Publisher and handler run here, on two stacks joined by a wire within this process.
//
//     npx tsx examples/market-data.ts [MESSAGES]
import { once } from 'node:events'
import { runtime } from 'pronghorn'
import { createSocket } from 'pronghorn/dgram'

runtime.start({ stack: { drive: 'inline' } })

const FEEDS = [
    { name: 'A', group: '239.1.1.1', port: 5001, loses: 50 },
    { name: 'B', group: '239.1.1.2', port: 5002, loses: 30 },
]
const MESSAGE_BYTES = 64
const messages = Number(process.argv[2] ?? 100_000)

// ---- the handler ----------------------------------------------------------------------------------

/** Of a single feed. */
class Line {
    expected = 0
    received = 0
    gaps = 0
    missing = 0

    see(sequence: number): void {
        this.received++
        if (sequence > this.expected) {
            this.gaps++
            this.missing += sequence - this.expected
        }
        this.expected = sequence + 1
    }
}

const seen = new Uint8Array(messages)
let firstCopies = 0
let sum = 0

const sockets = FEEDS.map(({ group, port }) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    socket.bind(port, () => socket.addMembership(group, '10.0.0.2'))
    return socket
})
await Promise.all(sockets.map((socket) => once(socket, 'listening')))
const lines = sockets.map((socket) => {
    const line = new Line()
    socket.ring().onMessage({ datagrams: true }, (view, offset) => {
        const sequence = view.getUint32(offset)
        line.see(sequence)
        if (seen[sequence]) return
        seen[sequence] = 1
        firstCopies++
        sum += view.getUint32(offset + 4)
    })
    return line
})

// ---- the publisher --------------------------------------------------------------------------------

const publisher = createSocket('udp4')
publisher.bind(0, '10.0.0.1')
await once(publisher, 'listening')
publisher.setMulticastInterface('10.0.0.1')
publisher.setMulticastLoopback(false)
const output = publisher.ring()
const copies = FEEDS.map(({ group, port, loses }) => ({
    loses,
    template: output.template(
        Buffer.alloc(MESSAGE_BYTES),
        { sequence: { at: 0, type: 'u32' }, price: { at: 4, type: 'u32' } },
        { address: group, port },
    ),
}))
const started = process.hrtime.bigint()
for (let sequence = 0; sequence < messages; sequence++) {
    copies.forEach(({ template, loses }, feed) => {
        if (sequence % loses === loses - 1 - feed) return
        template.set.sequence(sequence)
        template.set.price(sequence % 1000)
        template.send()
    })
    // The handler is in this same thread: it has its turn.
    if (sequence % 16 === 15) await new Promise((resolve) => setImmediate(resolve))
}
const last = firstCopies
await new Promise((resolve) => setTimeout(resolve, 100))
const seconds = Number(process.hrtime.bigint() - started) / 1e9
for (const socket of [...sockets, publisher]) socket.close()

FEEDS.forEach(({ name }, i) => {
    const { received, gaps, missing } = lines[i] as Line
    console.log(`feed ${name}: ${received} received, ${missing} missing in ${gaps} gaps`)
})
console.log(
    `first copies: ${firstCopies} of ${messages}, ${messages - firstCopies} missed on both (checksum ${sum})`,
)
console.log(`${Math.round(last / seconds)} messages a second, publisher and handler in one thread`)
