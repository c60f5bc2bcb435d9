// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's side of the UDP echo: sends datagrams of several sizes, one at a time, and checks that
 * each comes back as it went. Plain JavaScript on node:dgram, so that it starts quickly.
 *
 *     node udp-peer.mjs ADDRESS PORT COUNT        prints one line of JSON
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'

const [address, port, count] = process.argv.slice(2)
const WAIT_MS = 1000
const sizes = [1, 64, 512, 1400]
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
const times = []
let same = 0

function roundTrip(data) {
    return new Promise((resolve) => {
        const start = performance.now()
        const timer = setTimeout(() => finish(undefined), WAIT_MS)
        const finish = (reply) => {
            clearTimeout(timer)
            socket.removeAllListeners('message')
            resolve({ reply, us: (performance.now() - start) * 1000 })
        }
        socket.on('message', finish)
        socket.send(data, Number(port), address)
    })
}

for (let i = 0; i < Number(count); i++) {
    const data = randomBytes(sizes[i % sizes.length])
    const { reply, us } = await roundTrip(data)
    if (reply?.equals(data)) {
        same++
        times.push(us)
    }
}
socket.close()
times.sort((a, b) => a - b)
const at = (part) => Math.round(times[Math.floor((times.length - 1) * part)] ?? 0)
console.log(JSON.stringify({ sent: Number(count), same, p50_us: at(0.5), p99_us: at(0.99) }))
