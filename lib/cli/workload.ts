// SPDX-License-Identifier: Apache-2.0
// Traffic between two ends of one process, over any module that looks like node:net: what demo shows
// and bench compares.

import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'

/** What of node:net is used. */
export interface Net {
    createServer(onConnection: (socket: Socket) => void): Server
    connect(options: { host: string; port: number; localAddress?: string }): Socket
}

export interface Ends {
    net: Net
    host: string
    localAddress?: string
}

export interface Result {
    name: string
    unit: string
    better: 'lower' | 'higher'
    value: number
}

/** Echoes what begins with an "e", eats all else. */
export async function serve({ net, host }: Ends): Promise<Server> {
    const server = net.createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', (first: Buffer) => {
            if (first[0] !== 0x65) {
                socket.resume()
                return
            }
            socket.write(first)
            socket.pipe(socket)
        })
    })
    server.listen(0, host)
    await once(server, 'listening')
    return server
}

async function open(ends: Ends, server: Server): Promise<Socket> {
    const { host, localAddress } = ends
    const { port } = server.address() as AddressInfo
    const socket = ends.net.connect({ host, port, ...(localAddress && { localAddress }) })
    socket.setNoDelay(true)
    await once(socket, 'connect')
    return socket
}

/** Round trips of 64 bytes, one at a time, for so long; each in microseconds. */
async function roundTrips(socket: Socket, ms: number): Promise<number[]> {
    const message = Buffer.alloc(64, 'e')
    const times: number[] = []
    const end = performance.now() + ms
    await new Promise<void>((resolve, reject) => {
        let sent = performance.now()
        let left = message.length
        socket.on('error', reject)
        socket.on('data', (data: Buffer) => {
            left -= data.length
            if (left > 0) return
            const now = performance.now()
            times.push((now - sent) * 1000)
            if (now >= end) {
                socket.removeAllListeners('data')
                resolve()
                return
            }
            left = message.length
            sent = now
            socket.write(message)
        })
        socket.write(message)
    })
    return times.sort((a, b) => a - b)
}

/** Bytes a second one way, in writes of 64 KiB. */
async function stream(socket: Socket, ms: number): Promise<number> {
    const piece = Buffer.alloc(65536, 'x')
    const start = performance.now()
    let bytes = 0
    while (performance.now() - start < ms) {
        if (!socket.write(piece)) await once(socket, 'drain')
        else await new Promise<void>((resolve) => setImmediate(resolve))
        bytes += piece.length
    }
    return (bytes / (performance.now() - start)) * 1000
}

async function connections(ends: Ends, server: Server, ms: number): Promise<number> {
    const start = performance.now()
    let count = 0
    while (performance.now() - start < ms) {
        const socket = await open(ends, server)
        socket.write('e')
        await once(socket, 'data')
        socket.resetAndDestroy() // none is left in TIME_WAIT, here or there
        count++
    }
    return (count / (performance.now() - start)) * 1000
}

/** All of it; each part takes `ms`. */
export async function measure(ends: Ends, ms: number): Promise<Result[]> {
    const server = await serve(ends)
    const echo = await open(ends, server)
    await roundTrips(echo, ms / 10) // warm
    const times = await roundTrips(echo, ms)
    echo.destroy()
    const eater = await open(ends, server)
    const rate = await stream(eater, ms)
    eater.destroy()
    const opened = await connections(ends, server, ms)
    server.close()
    const at = (share: number) => times[Math.floor((times.length - 1) * share)]!
    return [
        { name: '64 B round trip, p50', unit: 'us', better: 'lower', value: at(0.5) },
        { name: '64 B round trip, p99', unit: 'us', better: 'lower', value: at(0.99) },
        { name: 'stream', unit: 'Gbit/s', better: 'higher', value: (rate * 8) / 1e9 },
        { name: 'connect, echo, reset', unit: '/s', better: 'higher', value: opened },
    ]
}
