// SPDX-License-Identifier: Apache-2.0
// Rings: datagrams, sending in place, templates, warming, forgetting owners, workers, start and stop.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import * as dgram from '../../lib/dgram/index.js'
import * as net from '../../lib/net/index.js'
import * as posix from '../../lib/posix.js'
import { ring } from '../../lib/ring/index.js'
import { pair } from './pair.js'
import { host, startStack } from './stack.js'

startStack()

const turn = () => new Promise((resolve) => setImmediate(resolve))

t.test('datagrams: whole, with sender and target', async (t) => {
    // Once a connection came about, both ends know each other's address, and no datagram waits for it.
    const [, , closePair] = await pair()
    closePair()
    const receiver = dgram.createSocket('udp4')
    receiver.bind(0, host)
    await once(receiver, 'listening')
    const { port } = receiver.address()
    const sender = dgram.createSocket('udp4')
    sender.bind(0)
    await once(sender, 'listening')
    const input = receiver.ring()
    const output = sender.ring()
    const sizes = [1, 64, 1400, 5000, 20000]
    const seen: number[] = []
    const done = new Promise<void>((resolve) => {
        input.onMessage({ datagrams: true }, (view, offset, length) => {
            let right = true
            for (let i = 0; i < length; i++) right &&= view.getUint8(offset + i) === (length & 0xff)
            t.ok(right, `${length} bytes`)
            seen.push(length)
            if (seen.length === sizes.length) resolve()
        })
    })
    for (const size of sizes) {
        const bytes = Buffer.alloc(size, size & 0xff)
        const room = size < 3000 ? output.reserve(size) : undefined
        if (room) {
            room.set(bytes)
            t.equal(output.commit(size, false, { address: host, port }), true)
        } else {
            sender.send(bytes, port, host)
        }
        // One at a time: datagrams of several fragments may be overtaken.
        while (seen[seen.length - 1] !== size) await turn()
    }
    await done
    input.onBatch(undefined)
    sender.send('who', port, host)
    let segments = input.take()
    while (segments === 0) {
        await turn()
        segments = input.take()
    }
    t.equal(input.sender(0)?.port, sender.address().port)
    t.same(input.target(0), { address: host, family: 'IPv4', port })
    t.equal(input.batch.copy(0).toString(), 'who')
    input.release()
    t.equal(input.sender(0), undefined)
    receiver.close()
    sender.close()
})

t.test('reserve, commit and templates: in order with write()', async (t) => {
    const [client, socket, close] = await pair()
    const output = client.ring()
    const template = output.template(Buffer.from('....:....;'), {
        number: { at: 0, type: 'u32' },
        little: { at: 5, type: 'u32le' },
    })
    const received: Buffer[] = []
    socket.on('data', (data) => received.push(data))
    let expected = ''
    for (let i = 0; i < 1000; i++) {
        const offset = output.reserveAt(20)
        t.ok(offset >= 0 || expected.length > 0)
        if (offset < 0) {
            await turn()
            i--
            continue
        }
        const text = `reserved ${i};`
        Buffer.from(output.bytes.buffer, offset, 20).write(text)
        output.commit(text.length, i % 2 === 0)
        const written = `written ${i};`
        client.write(written)
        template.set.number(0x30303030 + (i % 10))
        template.set.little(0x31313131 + (i % 10))
        while (!template.send(i % 3 === 0)) await turn()
        const last = String.fromCharCode(0x30 + (i % 10))
        const first = String.fromCharCode(0x31 + (i % 10))
        expected += `${text}${written}000${last}:${first}111;`
        if (client.writableNeedDrain) await once(client, 'drain')
    }
    client.end()
    socket.resume()
    await once(socket, 'end')
    t.equal(Buffer.concat(received).toString('latin1'), expected)
    t.throws(() => output.template(Buffer.alloc(4), { wide: { at: 1, type: 'u32' } }), {
        code: 'ERR_OUT_OF_RANGE',
    })
    close()
})

t.test('warm() sends nothing', async (t) => {
    const [client, socket, close] = await pair()
    const output = client.ring()
    const template = output.template(Buffer.from('ping'))
    let data = ''
    socket.on('data', (chunk) => {
        data += chunk
    })
    socket.resume()
    let runs = 0
    for (let i = 0; i < 200; i++) {
        output.warm(() => {
            runs++
            template.send()
            output.reserveAt(100)
            output.commit(100)
        })
    }
    template.send()
    client.end()
    await once(socket, 'end')
    t.equal(runs, 200)
    t.equal(data, 'ping')
    close()
})

t.test('an owner that forgets is warned with the place, and pushes its peer back', async (t) => {
    const [client, socket, close] = await pair()
    client.on('error', () => {})
    const input = socket.ring()
    let taken = 0
    input.onBatch((segments) => {
        for (let i = 0; i < segments; i++) taken += input.batch.bytes(i)
    })
    const warning = once(process, 'warning')
    let sent = 0
    const chunk = Buffer.alloc(65536)
    const feed = () => {
        sent += chunk.length
        client.write(chunk, (error: Error | null | undefined) => {
            if (!error && sent < 64e6) feed()
        })
    }
    feed()
    const [warned] = (await warning) as [Error & { code: string; detail: string }]
    t.equal(warned.code, 'PRONGHORN_RING_HELD')
    t.match(warned.message, /ring-more\.test\.ts:\d+/)
    t.match(warned.message, /ring-more\.test/)
    t.ok(sent < 32e6, `the peer waits after ${sent} bytes`)
    // It remembers: all goes on.
    const before = taken
    input.release()
    input.onBatch((segments) => {
        for (let i = 0; i < segments; i++) taken += input.batch.bytes(i)
        input.release()
    })
    while (taken < before + 1e6) await turn()
    close()
})

t.test('a thousand rings opened and closed, some with what was lent', async (t) => {
    const [client, socket, close] = await pair()
    for (let i = 0; i < 1000; i++) {
        const input = ring((socket as unknown as { _fd: number })._fd)
        client.write('some bytes')
        let segments = 0
        while (segments === 0) {
            segments = input.take()
            if (segments === 0) await turn()
        }
        if (i % 2) input.release()
        input.close()
        t.equal(input.take(), -1) || t.bailout()
    }
    close()
})

t.test('on descriptors of pronghorn/posix, with an iterator left early', async (t) => {
    const listener = posix.socket(posix.AF_INET, posix.SOCK_STREAM | posix.SOCK_NONBLOCK)
    posix.bind(listener, host, 0)
    posix.listen(listener)
    const client = posix.socket(posix.AF_INET, posix.SOCK_STREAM)
    posix.connect(client, host, posix.getsockname(listener).port)
    posix.poll([{ fd: listener, events: posix.POLLIN }], 10_000)
    const server = posix.accept(listener)
    const input = ring(server)
    posix.send(client, Buffer.from('first'))
    for await (const batch of input) {
        t.equal(batch.copy(0).toString(), 'first')
        break
    }
    t.equal(input.held, 0)
    posix.send(client, Buffer.from('second'))
    const next = input.messages({ bytes: 3 }, (view, offset) => t.match(view.getUint8(offset), /\d+/))
    let messages = 0
    while (messages === 0) {
        await turn()
        messages = next()
    }
    t.equal(messages, 2)
    posix.close(client)
    while (input.take() === 0) await turn()
    t.equal(input.ended, true)
    input.close()
    for (const fd of [server, listener]) posix.close(fd)
    t.throws(() => ring(server).take(), { code: 'EBADF' })
})

t.test('in workers, also when they end with what was lent', async (t) => {
    // A worker must learn TypeScript by itself.
    const file = JSON.stringify(new URL('ring-worker.ts', import.meta.url).href)
    const code = `import('tsx/esm/api').then(({ register }) => (register(), import(${file})))`
    const server = net.createServer((socket) => {
        socket.on('error', () => {})
        for (let i = 0; i < 100; i++) socket.write(Buffer.alloc(6400, i))
    })
    server.listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    for (let i = 0; i < 6; i++) {
        const worker = new Worker(code, { eval: true, workerData: { host, port, leave: i % 2 === 0 } })
        const [seen] = (await once(worker, 'message')) as [number]
        t.equal(seen, 10_000)
        await worker.terminate()
    }
    server.close()
})
