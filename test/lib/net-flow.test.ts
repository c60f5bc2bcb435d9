// SPDX-License-Identifier: Apache-2.0
// Data: back-pressure both ways, pauses, encodings, every kind of write, the onread option, pipes.

import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { connect, createServer, type Socket } from '../../lib/net/index.js'
import { closed, compare, shape } from './oracle.js'
import { host, startStack } from './stack.js'

compare(t, 'a write that does not fit asks to wait, and drain follows', async (scene) => {
    let received = 0
    const server = scene.net.createServer((socket) => {
        setTimeout(() => {
            socket.on('data', (data) => {
                received += data.length
            })
        }, 100)
    })
    const port = await scene.listen(server)
    const client = scene.net.connect(port, scene.host)
    await new Promise((resolve) => client.once('connect', resolve))
    scene.note('client', client.writableHighWaterMark, client.readableHighWaterMark)
    scene.note('client', client.write(Buffer.alloc(1000)), client.write('text'))
    await sleep(20)
    const big = 64 * 1024 * 1024
    scene.note('client', client.write(Buffer.alloc(big)), client.writableLength, client.writableNeedDrain)
    await new Promise((resolve) => client.once('drain', resolve))
    scene.note('client', client.writableLength, client.writableNeedDrain)
    client.resume()
    client.end()
    await closed(client)
    server.close()
    await closed(server)
    scene.note('server', received)
})

compare(t, 'a slow reader holds the writer back, nothing is lost', async (scene) => {
    const total = 8 * 1024 * 1024
    const hash = createHash('sha256')
    let received = 0
    const server = scene.net.createServer((socket) => {
        socket.pause()
        setTimeout(() => socket.resume(), 100)
        socket.on('data', (data) => {
            hash.update(data)
            received += data.length
            if (received % 7 === 0) {
                socket.pause()
                setTimeout(() => socket.resume(), 1)
            }
        })
    })
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.removeAllListeners('drain')
    const sent = createHash('sha256')
    let most = 0
    let block = 0
    for (let left = total; left > 0; left -= 65536) {
        const chunk = Buffer.alloc(65536, block++ & 255)
        sent.update(chunk)
        const more = client.write(chunk)
        most = Math.max(most, client.writableLength)
        if (!more) await new Promise((resolve) => client.once('drain', resolve))
    }
    client.end()
    await closed(client)
    server.close()
    await closed(server)
    scene.note('client', most <= 65536 * 2, client.bytesWritten)
    scene.note('server', received, hash.digest('hex') === sent.digest('hex'))
})

compare(t, 'a paused socket keeps its data, and its end', async (scene) => {
    const server = scene.net.createServer((socket) => socket.end('waiting for you'))
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.pause()
    await sleep(50)
    scene.note('client', client.isPaused(), client.readableFlowing, client.bytesRead > 0)
    client.on('data', (data) => scene.note('client', data.toString()))
    await sleep(20)
    client.resume()
    await closed(client)
    server.close()
    await closed(server)
})

compare(t, 'pauseOnConnect', async (scene) => {
    const server = scene.net.createServer({ pauseOnConnect: true }, (socket) => {
        socket.on('data', (data) => scene.note('server', data.toString()))
        scene.note('server', socket.isPaused(), socket.readableFlowing)
        setTimeout(() => {
            scene.note('server', 'resume', socket.bytesRead)
            socket.resume()
        }, 50)
    })
    const port = await scene.listen(server)
    const client = scene.net.connect(port, scene.host)
    client.end('early data')
    client.resume()
    await closed(client)
    server.close()
    await closed(server)
})

compare(t, 'writes of every kind', async (scene) => {
    let received = Buffer.alloc(0)
    const server = scene.net.createServer((socket) => {
        socket.on('data', (data) => {
            received = Buffer.concat([received, data])
        })
    })
    const port = await scene.listen(server)
    const client = scene.net.connect(port, scene.host)
    const done = (name: string) => (error?: Error | null) => scene.note('client', name, shape(error))
    client.write('before the connection ', done('early'))
    await new Promise((resolve) => client.once('connect', resolve))
    client.write('utf8 é', done('utf8'))
    client.write('latin1 é', 'latin1', done('latin1'))
    client.write('616263', 'hex', done('hex'))
    client.write('YWJj', 'base64')
    client.write('ucs2', 'utf16le')
    client.write('')
    client.write(Buffer.alloc(0), done('empty'))
    client.write(new Uint8Array([1, 2, 3]), done('Uint8Array'))
    client.cork()
    for (let i = 0; i < 10; i++) client.write(`corked ${i} `, done(`corked ${i}`))
    client.uncork()
    client.setDefaultEncoding('latin1')
    client.write('é')
    for (const bad of [undefined, null, 5, {}, true, Symbol('x')]) {
        try {
            client.write(bad as unknown as string)
        } catch (error) {
            scene.note('client', shape(error))
        }
    }
    client.end(Buffer.from('the end'), () => scene.note('client', 'end'))
    client.resume()
    await closed(client)
    server.close()
    await closed(server)
    scene.note('client', client.bytesWritten)
    scene.note('server', received.toString('latin1'))
})

compare(t, 'setEncoding, async iteration, read()', async (scene) => {
    const server = scene.net.createServer((socket) => {
        socket.write(Buffer.from([0xc3]))
        setTimeout(() => socket.end(Buffer.from([0xa9, 0x21])), 20)
    })
    const port = await scene.listen(server)
    const client = scene.net.connect(port, scene.host)
    client.setEncoding('utf8')
    let text = ''
    for await (const part of client) text += part
    scene.note('client', text)
    const second = scene.net.connect(port, scene.host)
    let bytes = 0
    second.on('readable', () => {
        let chunk = second.read() as Buffer | null
        while (chunk) {
            bytes += chunk.length
            chunk = second.read()
        }
    })
    await closed(second)
    scene.note('client', bytes)
    server.close()
    await closed(server)
})

compare(t, 'onread: the user’s own buffer', async (scene) => {
    const server = scene.net.createServer((socket) => socket.end('0123456789'.repeat(10)))
    const port = await scene.listen(server)
    const buffer = Buffer.alloc(16)
    let text = ''
    const client = scene.net.connect({
        port,
        host: scene.host,
        onread: {
            buffer,
            callback(length, into) {
                text += into.subarray(0, length).toString()
                return true
            },
        },
    })
    scene.watch('client', client)
    client.on('data', () => scene.note('client', 'never'))
    client.resume()
    await closed(client)
    server.close()
    await closed(server)
    scene.note('client', text, client.bytesRead)
})

compare(t, 'pipe through a server', async (scene) => {
    const server = scene.net.createServer((socket) => socket.pipe(socket))
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.removeAllListeners('drain')
    const blocks = 200
    const sent = createHash('sha256')
    const back = createHash('sha256')
    client.on('data', (data) => back.update(data))
    await pipeline(
        async function* () {
            for (let i = 0; i < blocks; i++) {
                const block = Buffer.alloc(10_000 + i, i)
                sent.update(block)
                yield block
            }
        },
        client,
        { end: false },
    )
    client.end()
    await closed(client)
    server.close()
    await closed(server)
    scene.note('client', client.bytesRead, sent.digest('hex') === back.digest('hex'))
})

t.test('random writes, pauses and resumes: nothing lost, doubled or out of order', async (t) => {
    startStack()
    let seed = 12345
    const random = (below: number) => {
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        return seed % below
    }
    const received: string[] = []
    const server = createServer((socket: Socket) => {
        const hash = createHash('sha256')
        socket.on('data', (data) => {
            hash.update(data)
            if (random(20) === 0) {
                socket.pause()
                if (random(2)) setImmediate(() => socket.resume())
                else setTimeout(() => socket.resume(), random(3))
            }
        })
        socket.on('end', () => {
            received.push(hash.digest('hex'))
            socket.end()
        })
    })
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    const { port } = server.address() as { port: number }
    for (let round = 0; round < 5; round++) {
        const socket = connect(port, host)
        const hash = createHash('sha256')
        for (let i = 0; i < 400; i++) {
            const size = random(4) === 0 ? random(200_000) : random(2000)
            const data = random(3) === 0 ? 'x'.repeat(size) : Buffer.alloc(size, i)
            hash.update(data)
            if (random(10) === 0) socket.cork()
            const more = socket.write(data)
            if (random(5) === 0) while (socket.writableCorked) socket.uncork()
            if (!more && random(2)) {
                while (socket.writableCorked) socket.uncork()
                await new Promise((resolve) => socket.once('drain', resolve))
            }
        }
        while (socket.writableCorked) socket.uncork()
        socket.end()
        socket.resume()
        await new Promise((resolve) => socket.once('close', resolve))
        t.equal(received[round], hash.digest('hex'), `round ${round}`)
    }
    await new Promise((resolve) => server.close(resolve))
})
