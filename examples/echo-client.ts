// SPDX-License-Identifier: Apache-2.0
// Round trips to an echo server, timed. Without arguments both ends run here, on two stacks that are
// joined by a wire within this process: nothing has to be configured, and no privilege is needed.
//
//     npx tsx examples/echo-client.ts [HOST PORT [COUNT]]
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { runtime } from 'pronghorn'
import { connect, createServer } from 'pronghorn/net'

// This thread turns the stacks itself, inside its event loop: no hand-over to another thread, the lowest
// latency. Leave it out, and each stack has a thread of its own.
runtime.start({ stack: { drive: 'inline' } })

const MESSAGE = Buffer.alloc(64, 'ping')
let [host, port] = [process.argv[2], Number(process.argv[3])]
const count = Number(process.argv[4] ?? 10_000)

if (host === undefined) {
    // The second of the two stacks that run when no port is configured.
    host = '10.0.0.2'
    const server = createServer((socket) => socket.pipe(socket)).listen(0, host)
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    server.unref()
}

const socket = connect({ host, port, noDelay: true })
await once(socket, 'connect')
const times: number[] = []
let missing = MESSAGE.length
let sent = performance.now()
socket.on('data', (data) => {
    missing -= data.length
    if (missing > 0) return
    const now = performance.now()
    times.push((now - sent) * 1000)
    if (times.length === count) {
        socket.end()
        return
    }
    missing = MESSAGE.length
    sent = now
    socket.write(MESSAGE)
})
socket.write(MESSAGE)
await once(socket, 'close')

times.sort((a, b) => a - b)
const at = (share: number) => (times[Math.floor(times.length * share)] as number).toFixed(1)
console.log(`${count} round trips of ${MESSAGE.length} bytes to ${host}:${port}`)
console.log(`half of them within ${at(0.5)} us, 99 of 100 within ${at(0.99)} us`)
