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

t.test('what a listener puts off comes before the next listener of the same turn', async (t) => {
    const pairs = await Promise.all([pair(), pair(), pair()])
    const order: string[] = []
    const all = pairs.map(({ socket }, i) => {
        socket.on('data', () => {
            order.push(`data ${i}`)
            process.nextTick(() => order.push(`tick ${i}`))
            Promise.resolve().then(() => order.push(`promise ${i}`))
        })
        return once(socket, 'data')
    })
    await new Promise(setImmediate)
    for (const { client } of pairs) client.write('now')
    await Promise.all(all)
    await new Promise(setImmediate)
    const told = order.filter((what) => what.startsWith('data')).map((what) => what.slice(-1))
    t.strictSame(
        order,
        told.flatMap((i) => [`data ${i}`, `tick ${i}`, `promise ${i}`]),
    )
    for (const { close } of pairs) close()
})

t.test('a put-off callback that throws costs no listener its event', async (t) => {
    const pairs = await Promise.all([pair(), pair(), pair()])
    const caught: string[] = []
    const catcher = (error: Error) => caught.push(error.message)
    process.on('uncaughtException', catcher)
    t.teardown(() => process.off('uncaughtException', catcher))
    const all = pairs.map(({ socket }, i) => {
        socket.once('data', () =>
            process.nextTick(() => {
                throw new Error(`${i}`)
            }),
        )
        return once(socket, 'data')
    })
    await new Promise(setImmediate)
    for (const { client } of pairs) client.write('now')
    await Promise.all(all)
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    t.strictSame(caught.sort(), ['0', '1', '2'])
    for (const { close } of pairs) close()
})

t.test('poll() inside a listener runs the rest of the batch first, and loses nothing', async (t) => {
    const pairs = await Promise.all([pair(), pair(), pair()])
    const got = ['', '', '']
    for (const [i, { socket }] of pairs.entries())
        socket.on('data', (chunk: Buffer) => {
            got[i] += chunk
            if (i > 0) return
            pairs[2]?.client.write('third')
            while (got[2] === '') runtime.poll()
        })
    await new Promise(setImmediate)
    pairs[0]?.client.write('first')
    pairs[1]?.client.write('second')
    while (got.includes('')) await new Promise(setImmediate)
    t.strictSame(got, ['first', 'second', 'third'])
    for (const { close } of pairs) close()
})

t.test('a listener that throws out of poll() costs no other listener its event', async (t) => {
    for (const how of ['loop', 'poll()']) {
        const pairs = await Promise.all([pair(), pair(), pair()])
        const got: number[] = []
        for (const [i, { socket }] of pairs.entries())
            socket.on('data', () => {
                got.push(i)
                if (got.length === 1) throw new Error('of the listener')
            })
        await new Promise(setImmediate)
        for (const { client } of pairs) client.write('now')
        t.throws(
            () => {
                for (;;) runtime.poll()
            },
            { message: 'of the listener' },
        )
        while (got.length < pairs.length)
            if (how === 'loop') await new Promise(setImmediate)
            else runtime.poll()
        t.strictSame(got.sort(), [0, 1, 2], how)
        for (const { close } of pairs) close()
    }
})
