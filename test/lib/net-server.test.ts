// SPDX-License-Identifier: Apache-2.0
// Servers beside node:net: forms of listen(), counting, limits, closing.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { closed, compare, shape } from './oracle.js'

compare(t, 'forms of listen', async (scene) => {
    const { net } = scene
    const forms: [string, (server: ReturnType<typeof net.createServer>, done: () => void) => unknown][] = [
        ['port, host, backlog, callback', (server, done) => server.listen(0, scene.host, 5, done)],
        ['port, host, callback', (server, done) => server.listen(0, scene.host, done)],
        ['options', (server, done) => server.listen({ port: 0, host: scene.host }, done)],
        ['text port', (server, done) => server.listen('0' as unknown as number, scene.host, done)],
        ['nothing but a callback', (server, done) => server.listen(done)],
        ['port', (server, done) => server.listen(0, done)],
        ['undefined', (server, done) => server.listen(undefined, done)],
    ]
    for (const [name, listen] of forms) {
        const server = net.createServer()
        scene.note(name, server.listening, server.address())
        await new Promise<void>((resolve) => listen(server, resolve))
        const { port, family } = server.address() as { port: number; family: string }
        scene.note(
            name,
            server.listening,
            port > 0,
            name.includes('host') || name === 'options' ? family : '',
        )
        try {
            server.listen(0)
        } catch (error) {
            scene.note(name, shape(error))
        }
        server.close()
        scene.note(name, server.listening, server.address())
        await closed(server)
    }
})

compare(t, 'close waits for the connections', async (scene) => {
    const server = scene.net.createServer((socket) => socket.resume())
    server.on('close', () => scene.note('server', 'close'))
    const port = await scene.listen(server)
    const client = scene.net.connect(port, scene.host)
    await new Promise((resolve) => server.once('connection', resolve))
    const count = () =>
        new Promise((resolve) => server.getConnections((error, number) => resolve([error, number])))
    scene.note('server', await count())
    server.close((error) => scene.note('server', 'close callback', shape(error)))
    server.close((error) => scene.note('server', 'second callback', shape(error)))
    await sleep(30)
    scene.note('server', server.listening, await count())
    client.end()
    await closed(server)
    scene.note('server', await count())
    server.close((error) => scene.note('server', 'third callback', shape(error)))
    await sleep(10)
})

compare(t, 'maxConnections drops', async (scene) => {
    const server = scene.net.createServer((socket) => socket.resume().on('error', () => {}))
    server.maxConnections = 2
    server.on('drop', (data) => scene.note('server', 'drop', Object.keys(data ?? {}), data?.localPort))
    const port = await scene.listen(server)
    const clients = []
    for (let i = 0; i < 3; i++) {
        const client = scene.net.connect(port, scene.host)
        client.on('error', () => {})
        client.on('close', () => scene.note(`client ${i}`, 'close'))
        client.resume()
        clients.push(client)
        await new Promise((resolve) => client.once('connect', resolve))
        await sleep(20)
    }
    for (const client of clients) client.destroy()
    server.close()
    await closed(server)
})

compare(t, 'many connections at once', async (scene) => {
    let served = 0
    const server = scene.net.createServer((socket) => {
        served++
        socket.on('data', (data) => socket.end(data))
    })
    const port = await scene.listen(server)
    const texts = await Promise.all(
        Array.from(
            { length: 300 },
            (_, i) =>
                new Promise<string>((resolve, reject) => {
                    const client = scene.net.connect(port, scene.host)
                    let text = ''
                    client.on('data', (data) => {
                        text += data
                    })
                    client.on('error', reject)
                    client.on('close', () => resolve(text))
                    client.write(`message ${i}`)
                }),
        ),
    )
    scene.note(
        'clients',
        texts.every((text, i) => text === `message ${i}`),
    )
    server.close()
    await closed(server)
    scene.note('server', served)
})

compare(t, 'close and asyncDispose', async (scene) => {
    const server = scene.net.createServer()
    await scene.listen(server)
    await server[Symbol.asyncDispose]()
    scene.note('server', server.listening)
    await server[Symbol.asyncDispose]()
    server.close((error) => scene.note('server', shape(error)))
    await sleep(10)
})

compare(t, 'options reach the sockets', async (scene) => {
    const server = scene.net.createServer({ allowHalfOpen: true, highWaterMark: 1234 }, (socket) => {
        scene.note('server', socket.allowHalfOpen, socket.readableHighWaterMark, socket.writableHighWaterMark)
        scene.note('server', socket.setNoDelay() === socket, socket.setKeepAlive(true, 1000) === socket)
        scene.note('server', socket.ref() === socket, socket.unref() === socket, socket.readyState)
        socket.ref()
        socket.end().resume()
    })
    const port = await scene.listen(server)
    const client = scene.net.connect({
        port,
        host: scene.host,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: 2000,
    })
    client.resume()
    await closed(client)
    server.close()
    await closed(server)
})
