// SPDX-License-Identifier: Apache-2.0
// What fails, and how it says so, beside node:net.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { closed, compare, shape } from './oracle.js'

function thrown(call: () => unknown): unknown {
    try {
        call()
    } catch (error) {
        return shape(error)
    }
    return 'nothing'
}

compare(t, 'nobody listens', async (scene) => {
    const server = scene.net.createServer()
    const port = await scene.listen(server)
    server.close()
    await closed(server)
    const client = scene.watch('client', scene.net.connect(port, scene.host))
    client.write('x', (error) => scene.note('client', 'write', shape(error)))
    await closed(client)
    scene.note('client', client.bytesWritten, client.readyState, client.pending)
})

compare(t, 'the address is taken', async (scene) => {
    const first = scene.net.createServer()
    const port = await scene.listen(first)
    const second = scene.net.createServer()
    second.on('error', (error) => scene.note('second', shape(error), second.listening))
    second.on('listening', () => scene.note('second', 'listening'))
    second.listen(port, scene.host, () => scene.note('second', 'never'))
    await sleep(30)
    first.close()
    await closed(first)
    second.listen(port, scene.host)
    await sleep(30)
    scene.note('second', second.listening)
    second.close()
    await closed(second)
})

compare(t, 'not an address of ours', async (scene) => {
    const server = scene.net.createServer()
    server.on('error', (error) => scene.note('server', shape(error)))
    server.listen(8080, '198.51.100.77')
    const client = scene.watch(
        'client',
        scene.net.connect({ port: 80, host: scene.host, localAddress: '198.51.100.77' }),
    )
    await closed(client)
})

compare(t, 'a name that does not exist', async (scene) => {
    const client = scene.watch('client', scene.net.connect(80, 'no-such-host.invalid'))
    client.on('lookup', (error, address, family, name) =>
        scene.note(
            'client',
            (error as NodeJS.ErrnoException | null)?.code ?? 'none',
            address ?? 'none',
            family ?? 'none',
            name,
        ),
    )
    client.removeAllListeners('error')
    client.on('error', (error: NodeJS.ErrnoException) => scene.note('client', error.syscall ?? 'none'))
    await closed(client)
})

compare(t, 'lookup by a function, one and several addresses', async (scene) => {
    const server = scene.net.createServer((socket) => socket.end().resume())
    const port = await scene.listen(server)
    const one = scene.net.connect({
        port,
        host: 'one.test',
        autoSelectFamily: false,
        lookup: (name, options, found) => {
            scene.note('one', name, Boolean(options.all))
            found(null, scene.host, 4)
        },
    })
    scene.watch('one', one).resume()
    one.on('lookup', (...all) => scene.note('one', 'lookup', ...all))
    await closed(one)
    const several = scene.net.connect({
        port,
        host: 'several.test',
        autoSelectFamily: true,
        lookup: (name, options, found) => {
            scene.note('several', name, Boolean(options.all))
            found(null, [{ address: scene.host, family: 4 }] as never, 0)
        },
    })
    scene.watch('several', several).resume()
    several.on('lookup', (...all) => scene.note('several', 'lookup', ...all))
    await closed(several)
    for (const [actor, address, family] of [
        ['bad address', 'nonsense', 4],
        ['bad family', scene.host, 100],
    ] as const) {
        const bad = scene.net.connect({
            port,
            host: 'bad.test',
            autoSelectFamily: false,
            lookup: (_name, _options, found) => found(null, address, family),
        })
        await closed(scene.watch(actor, bad))
    }
    server.close()
    await closed(server)
})

compare(t, 'no address answers', async (scene) => {
    const gone = scene.net.createServer()
    const port = await scene.listen(gone)
    gone.close()
    await closed(gone)
    const client = scene.net.connect({
        port,
        host: 'both.test',
        autoSelectFamily: true,
        lookup: (_name, _options, found) =>
            found(
                null,
                [
                    { address: scene.host, family: 4 },
                    { address: scene.other, family: 4 },
                    { address: scene.host, family: 4 },
                ] as never,
                0,
            ),
    })
    for (const event of ['connectionAttempt', 'connectionAttemptFailed'])
        client.on(event, (...all) => scene.note('client', event, ...all.slice(0, 3)))
    client.on('error', (error: AggregateError) => {
        scene.note('client', error.name, error.message, (error as NodeJS.ErrnoException).code ?? 'none')
        for (const one of error.errors ?? []) scene.note('client', shape(one))
    })
    client.on('close', (failed) => scene.note('client', 'close', failed))
    await closed(client)
    scene.note('client', client.autoSelectFamilyAttemptedAddresses)
})

compare(t, 'arguments that are wrong', async (scene) => {
    const { net } = scene
    const calls: [string, () => unknown][] = [
        ['port', () => net.connect(65536)],
        ['port text', () => net.connect({ port: 'abc' as unknown as number })],
        ['port negative', () => net.connect({ port: -1 })],
        ['no port', () => net.connect({} as never)],
        ['port object', () => net.connect({ port: {} as unknown as number })],
        ['local address', () => net.connect({ port: 80, localAddress: 'x' })],
        [
            'local port',
            () => net.connect({ port: 80, localPort: 'x' as unknown as number, host: '192.0.2.1' }),
        ],
        ['lookup', () => net.connect({ port: 80, host: 'x.test', lookup: 5 as never })],
        ['listen port', () => net.createServer().listen(65536)],
        ['listen object', () => net.createServer().listen({} as never)],
        ['listen boolean', () => net.createServer().listen(false as never)],
        ['server options', () => net.createServer(5 as never)],
        ['timeout', () => new net.Socket().setTimeout('x' as never)],
        ['timeout negative', () => new net.Socket().setTimeout(-1)],
        ['timeout callback', () => new net.Socket().setTimeout(1, 5 as never)],
        ['object mode', () => new net.Socket({ objectMode: true } as never)],
        ['keep alive', () => new net.Socket({ keepAliveInitialDelay: 'x' } as never)],
        ['signal', () => new net.Socket({ signal: 5 } as never)],
        ['getConnections', () => net.createServer().getConnections(5 as never)],
        ['auto select', () => net.connect({ port: 80, host: 'x.test', autoSelectFamily: 5 as never })],
    ]
    for (const [name, call] of calls) scene.note(name, thrown(call))
})

compare(t, 'timeouts', async (scene) => {
    const server = scene.net.createServer((socket) => socket.resume().on('error', () => {}))
    const port = await scene.listen(server)
    const idle = scene.watch('idle', scene.net.connect({ port, host: scene.host, timeout: 60 }))
    scene.note('idle', idle.timeout)
    idle.on('timeout', () => idle.destroy())
    await closed(idle)
    const busy = scene.watch('busy', scene.net.connect(port, scene.host))
    busy.setTimeout(120, () => scene.note('busy', 'callback'))
    for (let i = 0; i < 6; i++) {
        await sleep(40)
        busy.write('still here')
    }
    busy.setTimeout(0)
    scene.note('busy', busy.timeout)
    await sleep(150)
    busy.destroy()
    await closed(busy)
    server.close()
    await closed(server)
})

compare(t, 'abort by signal', async (scene) => {
    const server = scene.net.createServer((socket) => socket.resume().on('error', () => {}))
    const abort = new AbortController()
    const port = await scene.listen(server, { signal: abort.signal })
    const one = new AbortController()
    const client = scene.watch('client', scene.net.connect({ port, host: scene.host, signal: one.signal }))
    client.on('connect', () => one.abort())
    await closed(client)
    const early = new AbortController()
    early.abort()
    const never = scene.net.connect({ port, host: scene.host, signal: early.signal })
    never.on('error', (error) => scene.note('never', shape(error)))
    never.on('connect', () => scene.note('never', 'connect'))
    await closed(never)
    abort.abort()
    await closed(server)
    scene.note('server', server.listening)
})

compare(t, 'a listener that throws does not disturb the others', async (scene) => {
    const server = scene.net.createServer((socket) => socket.pipe(socket))
    const port = await scene.listen(server)
    const caught = (error: Error) => scene.note('process', error.message)
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', caught)
    const clients = Array.from({ length: 5 }, (_, i) => {
        const client = scene.net.connect(port, scene.host)
        client.on('data', (data) => {
            scene.note(`client ${i}`, data.toString())
            client.end()
            if (i === 2) throw new Error('thrown by a listener')
        })
        client.write('hello')
        return client
    })
    await closed(...clients)
    process.off('uncaughtException', caught)
    for (const listener of before) process.on('uncaughtException', listener)
    server.close()
    await closed(server)
})
