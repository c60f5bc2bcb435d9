// SPDX-License-Identifier: Apache-2.0
// The life of a connection, beside node:net: order of events, half-open, ends of every kind.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { closed, compare, shape } from './oracle.js'

compare(t, 'an echo and an orderly end', async (scene) => {
    const server = scene.net.createServer((socket) => {
        scene.watch('server', socket)
        socket.on('data', (data) => socket.write(data))
    })
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    scene.note('client', client.readyState, client.pending, client.connecting)
    let text = ''
    client.setEncoding('utf8')
    client.on('connect', () => scene.note('client', client.readyState, client.pending, client.connecting))
    client.on('data', (data) => {
        text += data
        if (text === 'hello') client.end()
    })
    client.write('hello')
    await closed(client)
    server.close()
    await closed(server)
    scene.note('client', text, client.bytesRead, client.bytesWritten, client.readyState, client.destroyed)
})

for (const serverHalf of [false, true])
    for (const clientHalf of [false, true])
        compare(t, `half-open: server ${serverHalf}, client ${clientHalf}`, async (scene) => {
            const server = scene.net.createServer({ allowHalfOpen: serverHalf }, (socket) => {
                scene.watch('server', socket)
                socket.resume()
                socket.on('end', () => {
                    scene.note('server', 'writable', socket.writable)
                    if (serverHalf) setTimeout(() => socket.end('later'), 20)
                })
            })
            const port = await scene.listen(server)
            const client = scene.net.connect({ port, host: scene.host, allowHalfOpen: clientHalf })
            scene.watch('client', client)
            client.on('data', (data) => scene.note('client', data.toString()))
            client.on('end', () => {
                scene.note('client', 'writable', client.writable)
                if (clientHalf) client.end()
            })
            client.end('first')
            await closed(client)
            server.close()
            await closed(server)
        })

compare(t, 'the server ends first, the client answers after the end', async (scene) => {
    const server = scene.net.createServer({ allowHalfOpen: true }, (socket) => {
        scene.watch('server', socket)
        socket.on('data', (data) => scene.note('server', data.toString()))
        socket.end('bye')
    })
    const port = await scene.listen(server)
    const client = scene.net.connect({ port, host: scene.host, allowHalfOpen: true })
    scene.watch('client', client)
    client.resume()
    client.on('end', () => client.end('and thanks'))
    await closed(client)
    server.close()
    await closed(server)
})

compare(t, 'destroy, with and without an error', async (scene) => {
    const server = scene.net.createServer((socket) => {
        socket.on('error', () => {})
        socket.resume()
    })
    const port = await scene.listen(server)
    for (const error of [undefined, new Error('mine')]) {
        const actor = `client ${error?.message}`
        const client = scene.watch(actor, scene.net.connect(port, scene.host))
        client.on('connect', () => client.destroy(error))
        await closed(client)
        scene.note(actor, client.destroyed, client.readyState, client.remoteAddress === undefined)
        client.write('x', (failure) => scene.note(actor, 'write', shape(failure)))
        await sleep(10)
    }
    server.close()
    await closed(server)
})

compare(t, 'destroy before the connection is there', async (scene) => {
    const server = scene.net.createServer((socket) => socket.on('error', () => {}).resume())
    const port = await scene.listen(server)
    const early = scene.watch('early', scene.net.connect(port, scene.host))
    early.write('never', (error) => scene.note('early', 'write', shape(error)))
    early.destroy()
    await closed(early)
    const late = scene.watch('late', scene.net.connect(port, scene.host))
    process.nextTick(() => late.destroy())
    await closed(late)
    await sleep(20)
    server.close()
    await closed(server)
})

compare(t, 'write after end, end after end, end with a callback', async (scene) => {
    const server = scene.net.createServer((socket) => {
        socket.on('error', () => {})
        socket.resume()
    })
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.on('connect', () => {
        client.end('bye', () => scene.note('client', 'end callback'))
        scene.note(
            'client',
            client.write('more', (error) => scene.note('client', 'write', shape(error))),
        )
        client.end((error?: Error | null) => scene.note('client', 'second end', error ? shape(error) : null))
    })
    await closed(client)
    server.close()
    await closed(server)
})

compare(t, 'write after the peer has ended', async (scene) => {
    const server = scene.net.createServer((socket) => {
        socket.on('error', () => {}).resume()
        socket.end('bye')
    })
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.resume()
    client.on('end', () => {
        process.nextTick(() => {
            scene.note(
                'client',
                client.write('late', (error) => scene.note('client', shape(error))),
            )
        })
    })
    await closed(client)
    server.close()
    await closed(server)
})

compare(t, 'a reset', async (scene) => {
    const server = scene.net.createServer((socket) => {
        scene.watch('server', socket)
        socket.resume()
        socket.on('data', () => socket.resetAndDestroy())
    })
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.resume()
    client.write('go')
    await closed(client)
    server.close()
    await closed(server)
    const never = new scene.net.Socket()
    scene.watch('never', never)
    never.resetAndDestroy()
    await closed(never)
})

compare(t, 'destroySoon sends what is queued', async (scene) => {
    let received = 0
    const server = scene.net.createServer()
    const accepted = new Promise((resolve) =>
        server.once('connection', (socket) => {
            socket.on('data', (data) => {
                received += data.length
            })
            scene.watch('server', socket)
            socket.on('close', resolve)
        }),
    )
    const port = await scene.listen(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.on('connect', () => {
        client.write(Buffer.alloc(300_000))
        ;(client as unknown as { destroySoon(): void }).destroySoon()
    })
    await Promise.all([closed(client), accepted])
    server.close()
    await closed(server)
    scene.note('server', received)
})

compare(t, 'a socket is used a second time', async (scene) => {
    const server = scene.net.createServer((socket) => socket.end('once'))
    const port = await scene.listen(server)
    const client = scene.watch('client', new scene.net.Socket())
    client.on('data', (data) => scene.note('client', data.toString()))
    for (let i = 0; i < 2; i++) {
        client.connect(port, scene.host)
        await closed(client)
    }
    server.close()
    await closed(server)
})

compare(t, 'names and numbers', async (scene) => {
    const server = scene.net.createServer((socket) => {
        scene.alias(socket.remotePort, 'CLIENT')
        scene.note('server', [socket.remoteFamily, socket.remotePort, socket.localAddress, socket.localPort])
        socket.resume()
        socket.end('12345')
    })
    const port = await scene.listen(server)
    const client = scene.net.connect(port, scene.host)
    scene.note(
        'client',
        client.address(),
        client.bytesRead,
        client.bytesWritten,
        client.remoteAddress ?? 'none',
    )
    client.on('data', () => {})
    client.on('connect', () => {
        scene.alias(client.localPort, 'CLIENT')
        scene.note('client', Object.keys(client.address()), client.localFamily ?? 'none', client.localPort)
        scene.note('client', client.remoteAddress, client.remoteFamily, client.remotePort)
    })
    client.write('abc')
    scene.note('client', client.bytesWritten)
    client.end('défg')
    await closed(client)
    server.close()
    await closed(server)
    scene.note('client', client.bytesRead, client.bytesWritten, client.remoteAddress, client.remotePort)
})
