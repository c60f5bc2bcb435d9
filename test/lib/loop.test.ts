// SPDX-License-Identifier: Apache-2.0
// The event loop is everybody's: timers, files and promises go on under a flood of ours; and a loop of the
// program's own, by runtime.poll().

import { once } from 'node:events'
import { stat } from 'node:fs'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { runtime } from '../../lib/index.js'
import net, { type Socket } from '../../lib/net/index.js'
import { host, startStack } from './stack.js'

t.before(startStack)

async function pair() {
    const server = net.createServer()
    server.listen(0, host)
    await once(server, 'listening')
    const client = net.connect((server.address() as AddressInfo).port, host)
    const [[socket]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
        [Socket],
        unknown,
    ]
    const close = () => {
        client.destroy()
        socket.destroy()
        server.close()
    }
    return { client, socket, close }
}

t.test('a flood starves no other handle', async (t) => {
    const { client, socket, close } = await pair()
    const chunk = Buffer.alloc(65536)
    let events = 0
    socket.on('data', () => events++)
    let over = false
    const feed = () => {
        if (!over) client.write(chunk, feed)
    }
    for (let i = 0; i < 8; i++) feed()
    // Each goes on when the one before has come: 300 of each, however busy the sockets are. (Never: the file's
    // time-out.)
    const counts = { timers: 0, files: 0, immediates: 0 }
    const many = 300
    await Promise.all([
        (async () => {
            for (; counts.timers < many; counts.timers++)
                await new Promise((resolve) => setTimeout(resolve, 0))
        })(),
        (async () => {
            for (; counts.files < many; counts.files++) await new Promise((resolve) => stat('.', resolve))
        })(),
        (async () => {
            for (; counts.immediates < many; counts.immediates++) await new Promise(setImmediate)
        })(),
    ])
    over = true
    t.ok(events > 0, `${events} events beside them`)
    close()
})

t.test('poll() runs what is ready and tells how many sockets were', async (t) => {
    const { client, socket, close } = await pair()
    let data = ''
    socket.on('data', (chunk: Buffer) => {
        data += chunk
    })
    socket.resume()
    await new Promise(setImmediate)
    t.equal(runtime.poll(), 0, 'nothing is ready')
    client.write('now')
    let count = 0
    // No turn of the event loop between: the listeners run inside poll().
    while (count === 0) count = runtime.poll()
    t.equal(count, 1)
    t.equal(data, 'now')
    close()
})
