// SPDX-License-Identifier: Apache-2.0
// From a name to a connection, beside node:net: lookup, the families in turn, attempts that fail or take too
// long, addresses that are blocked, signals.

import diagnostics from 'node:diagnostics_channel'
import type dns from 'node:dns'
import nodeNet from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { closed, compare, type Scene, shape } from './oracle.js'

const major = Number.parseInt(process.versions.node, 10)
const ATTEMPT_MS = 60

type Found = dns.LookupAddress

/** A resolver with one answer; notes what it was asked. */
function resolver(scene: Scene, answer: Found[] | Error): nodeNet.LookupFunction {
    return ((name: string, options: dns.LookupOptions, done: (...args: unknown[]) => void) => {
        scene.note('resolver', name, {
            family: options.family ?? 'any',
            hints: options.hints,
            all: options.all ?? false,
        })
        setImmediate(() => {
            if (answer instanceof Error) done(answer)
            else if (options.all) done(null, answer)
            else done(null, answer[0]?.address, answer[0]?.family)
        })
    }) as nodeNet.LookupFunction
}

function watchAttempts(scene: Scene, actor: string, socket: nodeNet.Socket): nodeNet.Socket {
    socket.on('lookup', (error, ...what) => scene.note(actor, 'lookup', shape(error), what))
    socket.on('connectionAttempt', (...what) => scene.note(actor, 'attempt', what))
    socket.on('connectionAttemptFailed', (ip, port, family, error) =>
        scene.note(actor, 'attempt failed', [ip, port, family], shape(error)),
    )
    socket.on('connectionAttemptTimeout', (...what) => scene.note(actor, 'attempt timed out', what))
    socket.on('connect', () => scene.note(actor, 'connect', socket.remoteAddress))
    socket.on('error', (error) => {
        const { errors } = error as AggregateError
        scene.note(actor, 'error', error.constructor.name, shape(error), errors?.map(shape) ?? 'single')
    })
    socket.on('close', (failed) => scene.note(actor, 'close', failed, socket.connecting, socket.destroyed))
    return socket
}

const attempted = (socket: nodeNet.Socket) =>
    (socket as unknown as { autoSelectFamilyAttemptedAddresses?: string[] })
        .autoSelectFamilyAttemptedAddresses ?? 'none'

/** On both: nobody listens there, and the answer comes at once. */
const refusing: Found = { address: '::1', family: 6 }

async function served(scene: Scene, play: (port: number, here: Found) => Promise<void>): Promise<void> {
    const server = scene.net.createServer((socket) => socket.on('error', () => {}).resume())
    const port = await scene.listen(server)
    await play(port, { address: scene.host, family: 4 })
    server.close()
    await closed(server)
}

/** An address where this port never answers. */
async function hole(scene: Scene, port: number): Promise<[Found, () => unknown]> {
    if (scene.net !== nodeNet) return [{ address: '10.87.0.77', family: 4 }, () => {}]
    // A listener whose thread sleeps, and whose queue is full.
    const worker = new Worker(
        `const { parentPort, workerData } = require('node:worker_threads')
        const wait = new Int32Array(new SharedArrayBuffer(4))
        const server = require('node:net').createServer()
        server.listen(workerData, '127.0.0.3', 1, () => {
            parentPort.postMessage('listening')
            Atomics.wait(wait, 0, 0)
        })`,
        { eval: true, workerData: port, execArgv: [], env: {} },
    )
    await new Promise((resolve) => worker.once('message', resolve))
    const fill = Array.from({ length: 8 }, () => nodeNet.connect(port, '127.0.0.3').on('error', () => {}))
    await sleep(100)
    return [
        { address: '127.0.0.3', family: 4 },
        () => {
            for (const socket of fill) socket.destroy()
            return worker.terminate()
        },
    ]
}

compare(t, 'the first address refuses, the second answers', (scene) =>
    served(scene, async (port, here) => {
        const lookup = resolver(scene, [refusing, here, refusing])
        const client = scene.net.connect({ port, host: 'a.name', lookup, autoSelectFamily: true })
        watchAttempts(scene, 'client', client)
        client.on('connect', () => client.end())
        client.resume()
        await closed(client)
        scene.note('client', attempted(client))
    }),
)

compare(t, 'all addresses refuse', (scene) =>
    served(scene, async (port) => {
        const there: Found = { address: scene.other, family: 4 }
        const lookup = resolver(scene, [there, refusing])
        const client = scene.net.connect({ port, host: 'a.name', lookup, autoSelectFamily: true })
        await closed(watchAttempts(scene, 'client', client))
        scene.note('client', attempted(client))
    }),
)

compare(t, 'one address only, refused; and without autoSelectFamily', (scene) =>
    served(scene, async (port) => {
        for (const autoSelectFamily of [true, false]) {
            const lookup = resolver(scene, [refusing])
            const client = scene.net.connect({ port, host: 'a.name', lookup, autoSelectFamily })
            await closed(watchAttempts(scene, `client ${autoSelectFamily}`, client))
            scene.note('client', attempted(client))
        }
    }),
)

compare(t, 'an attempt that takes too long is given up for the next', (scene) =>
    served(scene, async (port, here) => {
        const [never, end] = await hole(scene, port)
        scene.alias(never.address, 'HOLE')
        const options = {
            port,
            host: 'a.name',
            autoSelectFamily: true,
            autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
        }
        const lookup = resolver(scene, [never, here])
        const client = watchAttempts(scene, 'client', scene.net.connect({ ...options, lookup }))
        client.on('connect', () => client.end())
        client.resume()
        await closed(client)
        scene.note('client', attempted(client))
        const second = resolver(scene, [never, refusing])
        const failing = scene.net.connect({ ...options, lookup: second })
        await closed(watchAttempts(scene, 'failing', failing))
        // Destroyed meanwhile: no attempt follows.
        const cut = scene.net.connect({ ...options, lookup: resolver(scene, [never, here]) })
        watchAttempts(scene, 'cut', cut)
        cut.on('connectionAttemptTimeout', () => cut.destroy())
        await closed(cut)
        await end()
    }),
)

compare(t, 'what the resolver says', (scene) =>
    served(scene, async (port, here) => {
        const answers: Record<string, Found[] | Error> = {
            error: Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }),
            'no address': [{ address: 'nonsense', family: 4 }],
            'no family': [{ address: here.address, family: 5 }],
        }
        for (const [name, answer] of Object.entries(answers))
            for (const autoSelectFamily of [true, false]) {
                const lookup = resolver(scene, answer)
                const client = scene.net.connect({ port, host: 'a.name', lookup, autoSelectFamily })
                await closed(watchAttempts(scene, `${name} ${autoSelectFamily}`, client))
            }
        for (const family of [4, 6, 0, 'IPv4', 'IPv6'] as number[])
            for (const more of [{}, { hints: 0x400 }, { localAddress: here.address }]) {
                const lookup = resolver(scene, [here])
                const client = scene.net.connect({ port, host: 'a.name', lookup, family, ...more })
                client.on('error', () => {})
                client.on('connect', () => client.destroy())
                await closed(client)
            }
        const during = scene.net.connect({ port, host: 'a.name', lookup: resolver(scene, [here, refusing]) })
        watchAttempts(scene, 'during', during)
        during.on('lookup', () => during.destroy())
        await closed(during)
    }),
)

compare(t, 'options that are checked', async (scene) => {
    const bad: Record<string, object> = {
        float: { autoSelectFamilyAttemptTimeout: 1.5 },
        zero: { autoSelectFamilyAttemptTimeout: 0 },
        text: { autoSelectFamilyAttemptTimeout: '10' },
        huge: { autoSelectFamilyAttemptTimeout: 2 ** 31 },
        family: { autoSelectFamily: 'yes' },
        lookup: { lookup: 'yes' },
        localPort: { localPort: 'x', localAddress: scene.host },
        localAddress: { localAddress: 'x' },
    }
    for (const [name, options] of Object.entries(bad))
        for (const host of ['a.name', scene.host])
            try {
                const socket = scene.net.connect({ port: 1, host, ...options })
                socket.on('error', (error) => scene.note(`${name} ${host}`, shape(error)?.code)).destroy()
                scene.note(name, host, 'taken')
            } catch (error) {
                scene.note(name, host, shape(error))
            }
    const lookup = resolver(scene, new Error('x'))
    const options = {
        port: 1,
        host: 'a.name',
        autoSelectFamily: null,
        autoSelectFamilyAttemptTimeout: null,
        lookup,
    }
    scene.net
        .connect(options as object as nodeNet.NetConnectOpts)
        .on('error', (error) => scene.note('null', error.message))
    await sleep(20)
})

compare(t, 'a local port: one family after the other is bound', (scene) =>
    served(scene, async (port, here) => {
        const taken = await new Promise<nodeNet.Server>((resolve) => {
            const server = scene.net.createServer().listen(0, () => resolve(server))
        })
        const { port: localPort } = taken.address() as nodeNet.AddressInfo
        scene.alias(localPort, 'TAKEN')
        for (const answer of [[here], [refusing, here]]) {
            const options = { port, host: 'a.name', localPort, autoSelectFamily: true }
            const client = scene.net.connect({ ...options, lookup: resolver(scene, answer) })
            await closed(watchAttempts(scene, `${answer.length}`, client))
        }
        taken.close()
        await closed(taken)
    }),
)

// node:net has it for clients from 22 on; ours on every version.
if (major >= 22)
    compare(t, 'blocked addresses', (scene) =>
        served(scene, async (port, here) => {
            const blockList = new scene.net.BlockList()
            // (The types of Node 20 do not know the option.)
            const connect = (options: object) => scene.net.connect(options as nodeNet.NetConnectOpts)
            blockList.addAddress(here.address)
            const one = connect({ port, host: here.address, blockList })
            await closed(watchAttempts(scene, 'one', one))
            for (const actor of ['two', 'none']) {
                const lookup = resolver(scene, [here, refusing])
                const client = connect({ port, host: 'a.name', lookup, blockList, autoSelectFamily: true })
                await closed(watchAttempts(scene, actor, client))
                blockList.addAddress('::1', 'ipv6')
            }
            for (const wrong of [5, {}, 'x'])
                try {
                    connect({ port, host: here.address, blockList: wrong })
                } catch (error) {
                    scene.note('wrong', shape(error)?.code)
                }
            // What a connection to the server comes from: on ours the wire's other end.
            blockList.addAddress(scene.other)
            const filtered = { blockList } as nodeNet.ServerOpts
            const server = scene.net.createServer(filtered, () => scene.note('server', 'connection'))
            server.on('drop', () => scene.note('server', 'drop'))
            const closedPort = await scene.listen(server)
            const blocked = scene.net.connect(closedPort, scene.host)
            blocked.on('error', () => {}).resume()
            await closed(blocked)
            server.close()
            await closed(server)
        }),
    )

compare(t, 'diagnostics channels: clients, servers, what fails', async (scene) => {
    const told = (name: string) => (message: unknown) => {
        const { server, error, options } = message as { server?: unknown; error?: Error; options?: object }
        scene.note(
            name,
            server instanceof scene.net.Server,
            shape(error),
            options ? Object.keys(options) : 'none',
        )
    }
    const subscribed = ['asyncStart', 'asyncEnd', 'error', 'start', 'end'].map(
        (part) => [`tracing:net.server.listen:${part}`, told(part)] as const,
    )
    for (const [name, listener] of subscribed) diagnostics.subscribe(name, listener)
    const server = scene.net.createServer()
    const port = await scene.listen(server)
    const second = scene.net.createServer()
    second.on('error', (error) => scene.note('second', shape(error)))
    second.listen(port, scene.host)
    await sleep(20)
    scene.net
        .createServer()
        .on('error', () => scene.note('third', 'error'))
        .listen({ port: 1, host: '198.51.100.77' })
    await sleep(20)
    server.close()
    await closed(server)
    for (const [name, listener] of subscribed) diagnostics.unsubscribe(name, listener)
})
