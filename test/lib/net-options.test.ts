// SPDX-License-Identifier: Apache-2.0
// Options and what surrounds a socket, beside node:net: the stream's own options, limits of servers, contexts,
// disposal, signals at every moment, what keeps nothing alive.

import { AsyncLocalStorage } from 'node:async_hooks'
import nodeNet from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { closed, compare, type Scene, shape } from './oracle.js'

const major = Number.parseInt(process.versions.node, 10)

compare(t, "the stream's options", async (scene) => {
    const given: Record<string, object> = {
        none: {},
        both: { highWaterMark: 100 },
        reading: { readableHighWaterMark: 200 },
        writing: { writableHighWaterMark: 300 },
        zero: { highWaterMark: 0 },
        encoding: { encoding: 'latin1', defaultEncoding: 'latin1' },
        half: { allowHalfOpen: 1 },
        delay: { keepAliveInitialDelay: -5 },
        emitClose: { emitClose: true, autoDestroy: false, decodeStrings: true },
    }
    for (const [name, options] of Object.entries(given)) {
        const socket = new scene.net.Socket(options)
        const { readableHighWaterMark, writableHighWaterMark, readableEncoding, allowHalfOpen } = socket
        scene.note(name, { readableHighWaterMark, writableHighWaterMark, readableEncoding, allowHalfOpen })
    }
    for (const encoding of ['nonsense', 5])
        try {
            new scene.net.Socket({ encoding } as object)
            scene.note('encoding', 'taken')
        } catch (error) {
            scene.note('encoding', shape(error))
        }
    const servers: Record<string, object> = {
        none: {},
        mark: { highWaterMark: 100 },
        negative: { highWaterMark: -1 },
        text: { highWaterMark: 'x' },
        delay: { keepAliveInitialDelay: 'x' },
        negativeDelay: { keepAliveInitialDelay: -1, keepAlive: true },
    }
    for (const [name, options] of Object.entries(servers))
        try {
            const server = scene.net.createServer(options)
            const { keepAliveInitialDelay, highWaterMark } = server as unknown as Record<string, unknown>
            scene.note(`server ${name}`, { keepAliveInitialDelay, highWaterMark })
        } catch (error) {
            scene.note(`server ${name}`, shape(error))
        }
})

compare(t, 'encodings of both directions, from the constructor', async (scene) => {
    const server = scene.net.createServer((socket) => {
        socket.on('data', (data) => scene.note('server', data.toString('hex')))
        socket.end(Buffer.from([0xe9, 0xe8]))
    })
    const port = await scene.listen(server)
    const options = { port, host: scene.host, encoding: 'latin1', defaultEncoding: 'latin1' }
    const client = scene.net.connect(options as nodeNet.NetConnectOpts)
    client.on('data', (data) => scene.note('client', typeof data, data.toString()))
    client.write('é')
    await closed(client)
    server.close()
    await closed(server)
})

for (const most of [0, 1, null, undefined])
    compare(t, `maxConnections ${most}`, async (scene) => {
        const server = scene.net.createServer((socket) => {
            scene.note('server', 'connection')
            socket.on('error', () => {}).resume()
        })
        server.maxConnections = most as number
        server.on('drop', () => scene.note('server', 'drop'))
        const port = await scene.listen(server)
        for (let i = 0; i < 2; i++) {
            const client = scene.net.connect(port, scene.host)
            client.on('error', () => {}).resume()
            await new Promise((resolve) => client.once('connect', resolve))
            await sleep(20)
            if (i === 1) client.destroy()
            else setTimeout(() => client.destroy(), 60)
        }
        await sleep(60)
        server.close()
        await closed(server)
    })

compare(t, 'AsyncLocalStorage: the context of every event and callback', async (scene) => {
    const storage = new AsyncLocalStorage<string>()
    const note = (what: string) => () => scene.note(what, storage.getStore() ?? 'none')
    const server = storage.run('server', () =>
        scene.net.createServer({ allowHalfOpen: true }, (socket) => {
            note('connection')()
            socket.on('data', note('server data'))
            socket.on('end', () => {
                note('server end')()
                storage.run('end', () => socket.end('bye', note('server end callback')))
            })
            socket.on('close', note('server close'))
            socket.on('finish', note('server finish'))
        }),
    )
    server.on('listening', note('listening'))
    server.on('close', note('closed'))
    const port = await new Promise<number>((resolve) =>
        storage.run('listen', () =>
            server.listen(0, scene.host, () => {
                note('listen callback')()
                resolve((server.address() as nodeNet.AddressInfo).port)
            }),
        ),
    )
    const lookup = ((_: string, options: { all?: boolean }, done: (...what: unknown[]) => void) => {
        note('resolver')()
        setImmediate(() =>
            options.all ? done(null, [{ address: scene.host, family: 4 }]) : done(null, scene.host, 4),
        )
    }) as nodeNet.LookupFunction
    const client = storage.run('make', () => new scene.net.Socket())
    for (const event of ['lookup', 'connect', 'ready', 'data', 'end', 'timeout', 'finish', 'close'] as const)
        storage.run('on', () => client.on(event, note(event)))
    storage.run('connect', () => client.connect({ port, host: 'a.name', lookup }, note('connect callback')))
    await new Promise((resolve) => client.once('connect', resolve))
    storage.run('timer', () => client.setTimeout(30, note('timeout callback')))
    await sleep(60)
    client.setTimeout(0)
    await new Promise((resolve) =>
        storage.run('write', () =>
            client.write('x', () => {
                note('write callback')()
                resolve(undefined)
            }),
        ),
    )
    storage.run('end', () => client.end(note('end callback')))
    await closed(client)
    storage.run('close', () => server.close(note('close callback')))
    await closed(server)
})

compare(t, 'a signal aborts at every moment', async (scene) => {
    const server = scene.net.createServer((socket) => socket.resume().on('error', () => {}))
    const port = await scene.listen(server)
    const lookup = ((_: string, options: { all?: boolean }, done: (...what: unknown[]) => void) =>
        setImmediate(() =>
            options.all ? done(null, [{ address: scene.host, family: 4 }]) : done(null, scene.host, 4),
        )) as nodeNet.LookupFunction
    for (const moment of ['same turn', 'tick', 'immediate', 'lookup', 'connect', 'ended', 'closed']) {
        const abort = new AbortController()
        const options = { port, host: 'a.name', lookup, signal: abort.signal }
        const client = scene.watch(moment, scene.net.connect(options))
        const cut = () => abort.abort(new Error(`because of ${moment}`))
        if (moment === 'same turn') cut()
        else if (moment === 'tick') process.nextTick(cut)
        else if (moment === 'immediate') setImmediate(cut)
        else if (moment === 'ended') client.on('connect', () => client.end(cut))
        else if (moment === 'closed') client.on('connect', () => client.destroy())
        else client.on(moment as 'connect', cut)
        client.on('error', (error) => scene.note(moment, shape(error.cause)))
        await closed(client)
        cut()
        await sleep(5)
        scene.note(moment, client.destroyed, client.connecting, client.pending)
    }
    server.close()
    await closed(server)
})

compare(t, 'a path: attempts and failures have no port', async (scene) => {
    const path = join(tmpdir(), `pronghorn-options-${process.pid}-${scene.net === nodeNet ? 1 : 2}`)
    scene.alias(path, 'PATH')
    const watch = (actor: string, socket: nodeNet.Socket) => {
        for (const event of ['connectionAttempt', 'connectionAttemptFailed'])
            socket.on(event, (...what) =>
                scene.note(
                    actor,
                    event,
                    what.map((one) => (one instanceof Error ? shape(one) : (one ?? 'none'))),
                ),
            )
        return scene.watch(actor, socket)
    }
    const server = scene.net.createServer((socket) => socket.end('hello'))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const client = watch('client', scene.net.connect(path))
    client.resume()
    await closed(client)
    server.close()
    await closed(server)
    await closed(watch('nobody', scene.net.connect(path)))
})

compare(t, 'listen() by name, and what comes before its answer', async (scene) => {
    const play = async (name: string, act: (server: nodeNet.Server) => void) => {
        const server = scene.net.createServer()
        server.on('error', (error) => scene.note(name, 'error', shape(error)?.code))
        server.on('listening', () => scene.note(name, 'listening', server.listening))
        server.on('close', () => scene.note(name, 'close'))
        server.listen(0, 'localhost')
        scene.note(name, 'at once', server.listening, server.address() === null)
        try {
            act(server)
        } catch (error) {
            scene.note(name, 'thrown', shape(error)?.code)
        }
        await sleep(100)
        scene.note(name, 'later', server.listening)
        server.close((error) => scene.note(name, 'closed', shape(error)?.code ?? 'well'))
        await sleep(20)
    }
    await play('waits', () => {})
    await play('closed', (server) =>
        server.close((error) => scene.note('closed', shape(error)?.code ?? 'well')),
    )
    await play('again', (server) => server.listen(0, scene.host))
    await play('twice', (server) => server.listen(0, 'localhost'))
})

function keepAlives(scene: Scene): void {
    const socket = new scene.net.Socket()
    scene.note('chain', socket.setKeepAlive(true, 5000) === socket, socket.setNoDelay() === socket)
    scene.note('chain', socket.ref() === socket, socket.unref() === socket, socket.pause() === socket)
    socket.destroy()
}
compare(t, 'calls chain before there is a connection', async (scene) => keepAlives(scene))

if (typeof (nodeNet.Socket.prototype as { setTypeOfService?: unknown }).setTypeOfService === 'function')
    compare(t, `the type of service, which node:net has on this version (${major})`, async (scene) => {
        interface Typed {
            setTypeOfService(value: unknown): unknown
            getTypeOfService(): number
        }
        const server = scene.net.createServer((socket) => socket.resume())
        const port = await scene.listen(server)
        const client = scene.net.connect({
            port,
            host: scene.host,
            typeOfService: 0x20,
        } as nodeNet.NetConnectOpts)
        const typed = client as unknown as Typed
        await new Promise((resolve) => client.once('connect', resolve))
        scene.note('client', typed.getTypeOfService())
        scene.note('client', typed.setTypeOfService(0x10) === client, typed.getTypeOfService())
        for (const wrong of [-1, 256, 1.5, 'x', Number.NaN, undefined])
            try {
                typed.setTypeOfService(wrong)
                scene.note('client', 'taken', String(wrong))
            } catch (error) {
                scene.note('client', shape(error))
            }
        client.end()
        await closed(client)
        server.close()
        await closed(server)
    })
