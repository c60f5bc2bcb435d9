// SPDX-License-Identifier: Apache-2.0
// A worker with a stack to itself: a connection and datagrams of this thread, read by rings, sent in
// place, warmed in between. Tells what came of it.

import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import * as dgram from '../../lib/dgram/index.js'
import * as net from '../../lib/net/index.js'

const { host } = workerData as { host: string }
const MESSAGES = 20_000
const DATAGRAMS = 200
const BYTES = 64

async function connection(): Promise<object> {
    const server = net.createServer({ pauseOnConnect: true })
    server.listen(0, host)
    await once(server, 'listening')
    const client = net.connect((server.address() as net.AddressInfo).port, host)
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    if (client.connecting) await once(client, 'connect')
    const family = socket.remoteFamily
    const input = socket.ring()
    const output = client.ring()
    const numbered = output.template(Buffer.alloc(BYTES), { number: { at: 0, type: 'u32' } })
    let seen = 0
    let wrong = 0
    input.onMessage({ bytes: BYTES }, (view, offset) => {
        if (view.getUint32(offset) !== seen++) wrong++
    })
    let warmed = 0
    for (let i = 0; i < MESSAGES; i++) {
        numbered.set.number(i)
        while (!numbered.send(i % 16 !== 15)) await new Promise((resolve) => setImmediate(resolve))
        if (i % 50 === 0)
            output.warm(() => {
                warmed++
                numbered.set.number(0xffffffff)
                numbered.send()
            })
    }
    client.end()
    await once(socket, 'end')
    socket.destroy()
    client.destroy()
    server.close()
    return { seen, wrong, warmed, family }
}

async function datagrams(): Promise<object> {
    const type = host.includes(':') ? 'udp6' : 'udp4'
    const receiver = dgram.createSocket(type)
    receiver.bind(0, host)
    await once(receiver, 'listening')
    const { port } = receiver.address()
    const sender = dgram.createSocket(type)
    sender.bind(0)
    await once(sender, 'listening')
    const output = sender.ring()
    const to = { address: host, port }
    const input = receiver.ring()
    let seen = 0
    let wrong = 0
    input.onMessage({ datagrams: true }, (view, offset, length) => {
        if (length !== 4 || view.getUint32(offset) !== seen) wrong++
        seen++
    })
    const send = (number: number) => {
        const room = output.reserve(4)
        if (!room) return false
        new DataView(room.buffer, room.byteOffset).setUint32(0, number)
        return output.commit(4, false, to)
    }
    for (let i = 0; i < DATAGRAMS; i++) {
        output.warm(() => send(0xffffffff))
        while (!send(i)) await new Promise((resolve) => setImmediate(resolve))
        // One at a time: nothing holds datagrams back.
        while (seen <= i) await new Promise((resolve) => setImmediate(resolve))
    }
    receiver.close()
    sender.close()
    return { seen, wrong }
}

parentPort?.postMessage({ stream: await connection(), datagrams: await datagrams() })
