// SPDX-License-Identifier: Apache-2.0
// Many datagrams at once: they are received and sent in batches, and nobody may see that.

import { spawn } from 'node:child_process'
import type { RemoteInfo } from 'node:dgram'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createSocket, type Socket } from '../../lib/dgram/index.js'
import { runtime } from '../../lib/index.js'
import { host, other, settings, startStack } from './stack.js'

startStack()

function bound(address = host, type: 'udp4' | 'udp6' = 'udp4'): Promise<Socket> {
    return new Promise((resolve) => {
        const socket = createSocket(type).bind(0, address, () => resolve(socket))
    })
}

const gone = (socket: Socket): Promise<void> => new Promise((resolve) => void socket.close(resolve))

/** So many of them, numbered in their first four bytes, the rest filled with the number. */
function numbered(i: number, bytes: number): Buffer {
    const message = Buffer.alloc(bytes, i & 255)
    message.writeUInt32LE(i)
    return message
}

t.test('each message keeps its bytes, and its sender, whatever listeners do', async (t) => {
    const server = await bound()
    const client = await bound(other)
    const { port } = server.address()
    const kept: [Buffer, RemoteInfo][] = []
    const COUNT = 4000
    const all = new Promise<void>((resolve) =>
        server.on('message', (message, from) => {
            kept.push([message, { ...from }])
            // What is done to one is not seen in the next.
            from.address = 'changed'
            from.port = -1
            Object.assign(from, { more: true })
            if (kept.length === COUNT) resolve()
        }),
    )
    for (let i = 0; i < COUNT; ) {
        for (let j = 0; j < 50; j++) client.send(numbered(i++, 200), port, host)
        // As much as the socket's buffer bears, so that none is dropped.
        while (kept.length < i) await new Promise(setImmediate)
    }
    await all
    const from = { ...client.address(), size: 200 }
    t.ok(kept.every(([message], i) => message.equals(numbered(i, 200))))
    t.ok(kept.every(([, rinfo]) => JSON.stringify(rinfo) === JSON.stringify(kept[0]![1])))
    t.same(kept[0]![1], from)
    const [one] = kept[0]!
    t.equal(Object.getPrototypeOf(one), Buffer.prototype)
    t.equal(one.constructor, Buffer)
    await gone(client)
    await gone(server)
})

t.test('several senders, of both families', async (t) => {
    const server = await new Promise<Socket>((resolve) => {
        const socket = createSocket('udp6').bind(0, '::', () => resolve(socket))
    })
    const { port } = server.address()
    const four = [await bound('127.0.0.1'), await bound('127.0.0.1')]
    const six = await bound('::1', 'udp6')
    const seen: string[] = []
    const expected: string[] = []
    const all = new Promise<void>((resolve) =>
        server.on('message', (message, from) => {
            seen.push(`${message} ${from.family} ${from.address} ${from.port} ${from.size}`)
            if (seen.length === 30) resolve()
        }),
    )
    for (let i = 10; i < 20; i++) {
        for (const socket of four) {
            socket.send(`${i}`, port, '127.0.0.1')
            expected.push(`${i} IPv6 ::ffff:127.0.0.1 ${socket.address().port} 2`)
        }
        six.send(`${i}`, port, '::1')
        expected.push(`${i} IPv6 ::1 ${six.address().port} 2`)
    }
    await all
    t.same(seen.sort(), expected.sort())
    for (const socket of [...four, six, server]) await gone(socket)
})

t.test(
    'a listener that closes gets no more; one that looks for events itself gets them in order',
    async (t) => {
        const server = await bound()
        const client = await bound(other)
        const { port } = server.address()
        const seen: number[] = []
        const closed = new Promise<void>((resolve) => server.on('close', resolve))
        let depth = 0
        server.on('message', (message) => {
            seen.push(message.readUInt32LE())
            if (seen.length === 20) server.close()
            else if (depth === 0) {
                depth++
                runtime.poll()
                depth--
            }
        })
        for (let i = 0; i < 40; i++) client.send(numbered(i, 64), port, host)
        await closed
        t.same(
            seen,
            Array.from({ length: 20 }, (_, i) => i),
        )
        await gone(client)
    },
)

t.test(
    'more than the socket takes at once: all are sent, in order, and their callbacks called so',
    async (t) => {
        const server = await bound()
        const client = await bound(other)
        const { port } = server.address()
        const told: number[] = []
        let last = -1
        let inOrder = true
        server.on('message', (message) => {
            inOrder &&= message.readUInt32LE() > last
            last = message.readUInt32LE()
        })
        const COUNT = 500
        await new Promise<void>((resolve) => {
            for (let i = 0; i < COUNT; i++)
                client.send(numbered(i, 20_000), port, host, (error, bytes) => {
                    if (!error && bytes === 20_000) told.push(i)
                    if (told.length === COUNT) resolve()
                })
            t.equal(client.getSendQueueCount(), COUNT)
            t.equal(client.getSendQueueSize(), COUNT * 20_000)
        })
        t.same(
            told,
            Array.from({ length: COUNT }, (_, i) => i),
        )
        t.ok(inOrder)
        await gone(client)
        await gone(server)
    },
)

/** Of the program beside this test, in a process of its own. */
function play(way: string, env: Record<string, string> = {}): Promise<string> {
    const program = fileURLToPath(new URL('dgram-bursts-program.ts', import.meta.url))
    return new Promise((resolve) => {
        // Without tap's own hooks in the child, which catch what is thrown.
        const node = ['-u', 'NODE_OPTIONS', process.execPath, '--import', 'tsx']
        const child = spawn('env', [...node, program, way], { env: { ...process.env, ...settings, ...env } })
        let out = ''
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (out += data))
        const timer = setTimeout(() => child.kill('SIGKILL'), 90_000)
        child.on('close', (code) => {
            clearTimeout(timer)
            resolve(`${out}${code}`)
        })
    })
}

t.test('a listener that throws: the rest of the batch is told all the same', async (t) => {
    t.equal(await play('throws'), '20 of 20, 4 thrown\n0')
})

t.test('driven inline, what was sent in one go leaves although the program goes on', async (t) => {
    t.equal(await play('busy', { PRONGHORN_STACK_DRIVE: 'inline' }), '10 arrived\n0')
})
