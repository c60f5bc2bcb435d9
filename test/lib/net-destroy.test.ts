// SPDX-License-Identifier: Apache-2.0
// A socket is destroyed at every point of its life, in every way, with node:net as the oracle for what it
// sees itself. What the other end sees depends on how far the bytes came; it comes to its end in any case.

import type { Socket } from 'node:net'
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

/** There node:net itself waits for ever: for a connection, and after an EINVAL of its own. */
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
