// SPDX-License-Identifier: Apache-2.0
// A socket is destroyed at every point of its life, in every way, with node:net as the oracle for what it
// sees itself. What the other end sees depends on how far the bytes came; it comes to its end in any case.

import { once } from 'node:events'
import nodeNet, { type Socket } from 'node:net'
import t from 'tap'
import { closed, compare, shape } from './oracle.js'

const WAYS: Record<string, (socket: Socket) => void> = {
    destroy: (socket) => socket.destroy(),
    'destroy with an error': (socket) => socket.destroy(new Error('mine')),
    destroySoon: (socket) => socket.destroySoon(),
    resetAndDestroy: (socket) => socket.resetAndDestroy(),
    'end, then destroy': (socket) => socket.end('bye').destroy(),
    'destroy twice': (socket) => socket.destroy().destroy(new Error('too late')),
    asyncDispose: (socket) => void (socket as unknown as AsyncDisposable)[Symbol.asyncDispose]?.(),
}
/** Calls `now` when the point is reached. */
const POINTS: Record<string, (socket: Socket, now: () => void) => void> = {
    'before connecting': (_socket, now) => now(),
    connect: (socket, now) => socket.once('connect', now),
    ready: (socket, now) => socket.once('ready', now),
    'after a write': (socket, now) =>
        socket.once('connect', () => {
            socket.write('some bytes')
            now()
        }),
    'when written': (socket, now) => socket.once('connect', () => socket.write('some bytes', () => now())),
    'while corked': (socket, now) =>
        socket.once('connect', () => {
            socket.cork()
            socket.write('held back')
            now()
        }),
    data: (socket, now) => socket.once('connect', () => socket.write('echo')) && socket.once('data', now),
    paused: (socket, now) =>
        socket.once('connect', () => socket.write('echo')) &&
        socket.once('data', () => {
            socket.pause()
            setImmediate(now)
        }),
    'after end()': (socket, now) =>
        socket.once('connect', () => {
            socket.end('last')
            now()
        }),
    finish: (socket, now) => socket.once('connect', () => socket.end('last')) && socket.once('finish', now),
    end: (socket, now) => socket.once('connect', () => socket.end('last')) && socket.once('end', now),
    close: (socket, now) => socket.once('connect', () => socket.end('last')) && socket.once('close', now),
}

/** There both wait for ever: for a connection, and (node:net only) after an EINVAL of its own. */
const NEVER_ON_NODE = ['before connecting: destroySoon', 'after end(): resetAndDestroy']

for (const [point, reach] of Object.entries(POINTS))
    compare(t, `destroyed: ${point}`, async (scene) => {
        for (const [way, act] of Object.entries(WAYS)) {
            if (NEVER_ON_NODE.includes(`${point}: ${way}`)) continue
            const server = scene.net.createServer((socket) => {
                socket.on('error', () => {})
                socket.pipe(socket)
            })
            const port = await scene.listen(server)
            const socket = new scene.net.Socket()
            const name = `${point}: ${way}`
            for (const event of ['connect', 'ready', 'end', 'finish'])
                socket.on(event, () => scene.note(name, event))
            socket.on('error', (error) => scene.note(name, 'error', shape(error)))
            const gone = closed(socket)
            socket.on('close', (failed) => scene.note(name, 'close', failed))
            let done = false
            reach(socket, () => {
                if (done) return
                done = true
                act(socket)
                scene.note(name, 'acted', socket.destroyed, socket.readyState)
            })
            socket.resume()
            if (point !== 'before connecting') socket.connect(port, scene.host)
            await gone
            let failure: unknown
            socket.write('afterwards', (error) => {
                failure = error
            })
            await new Promise((resolve) => setTimeout(resolve, 5))
            scene.note(name, 'afterwards', (failure as NodeJS.ErrnoException | undefined)?.code)
            scene.note(name, socket.destroyed, socket.readyState, socket.pending)
            server.close()
            await closed(server)
        }
    })

const turns = async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

// end() before connect() is a promise: it is kept once there is a connection. Later versions of Node finish at
// once, and never close.
const early = new nodeNet.Socket().end()
await turns()
for (const way of early.writableFinished ? [] : (['end', 'destroySoon'] as const))
    compare(t, `${way}() before connect()`, async (scene) => {
        const server = scene.net.createServer((socket) => {
            scene.watch('server', socket)
            socket.resume()
        })
        const port = await scene.listen(server)
        const socket = scene.watch('client', new scene.net.Socket())
        socket[way]()
        await turns()
        scene.note('client', socket.writableEnded, socket.writableFinished, socket.destroyed, socket.pending)
        const over = closed(socket)
        socket.connect(port, scene.host)
        socket.resume()
        await over
        scene.note('client', socket.writableFinished, socket.destroyed)
        server.close()
        await closed(server)
    })

compare(t, 'end(data) before connect()', async (scene) => {
    const socket = scene.watch('client', new scene.net.Socket())
    const over = closed(socket)
    socket.end('too early', () => scene.note('client', 'the callback of end()'))
    await over
})

const outcome = (promise: PromiseLike<void> | undefined) =>
    promise?.then(
        (value) => ['resolved', String(value)],
        (error) => ['rejected', shape(error)],
    )

compare(t, 'what asyncDispose promises', async (scene) => {
    const server = scene.net.createServer((socket) => {
        socket.on('error', () => {})
        socket.pipe(socket)
    })
    const port = await scene.listen(server)
    for (const point of ['never connected', 'connecting', 'connected', 'ended', 'failed', 'destroyed']) {
        const socket = new scene.net.Socket()
        if (point !== 'never connected') socket.connect(port, scene.host)
        scene.watch(point, socket)
        if (['connected', 'ended', 'failed'].includes(point)) await once(socket, 'connect')
        if (point === 'ended') await once(socket.resume().end(), 'end')
        if (point === 'failed') socket.destroy(new Error('mine'))
        if (point === 'destroyed') socket.destroy()
        const promise = (socket as unknown as AsyncDisposable)[Symbol.asyncDispose]?.()
        scene.note(point, 'destroyed', socket.destroyed)
        scene.note(point, await outcome(promise))
        scene.note(
            point,
            'again',
            await outcome((socket as unknown as AsyncDisposable)[Symbol.asyncDispose]?.()),
        )
    }
    server.close()
    await closed(server)
})
