// SPDX-License-Identifier: Apache-2.0
// What the workers and child processes of lifetime.test.ts run, bundled: a server, clients, a ring, datagrams,
// until it is through (once) or somebody ends it.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import dgram from '../../lib/dgram/index.js'
import net from '../../lib/net/index.js'

const { host, forEver } = (workerData ?? JSON.parse(process.argv[2] ?? '{}')) as {
    host: string
    forEver?: boolean
}

async function round(): Promise<number> {
    const server = net.createServer((socket) => {
        socket.on('error', () => {})
        socket.pipe(socket)
    })
    server.listen(0, host)
    await once(server, 'listening')
    const socket = net.connect((server.address() as AddressInfo).port, host)
    await once(socket, 'connect')
    const ring = socket.ring()
    let bytes = 0
    const all = new Promise<void>((resolve) => {
        ring.onBatch((segments) => {
            for (let i = 0; i < segments; i++) bytes += ring.batch.bytes(i)
            // (A worker that is ended meanwhile holds what it did not release.)
            if (!forEver || bytes % 2 === 0) ring.release()
            if (bytes >= 10_000) resolve()
        })
    })
    socket.write(Buffer.alloc(10_000, 1))
    await all
    const udp = dgram.createSocket('udp4')
    udp.bind(0, host)
    await once(udp, 'listening')
    udp.send('x', udp.address().port, host)
    await once(udp, 'message')
    udp.close()
    socket.destroy()
    server.close()
    await once(server, 'close')
    return bytes
}

async function main(): Promise<void> {
    do {
        const bytes = await round()
        if (parentPort) parentPort.postMessage(bytes)
        else console.log(bytes)
    } while (forEver)
}
main()
