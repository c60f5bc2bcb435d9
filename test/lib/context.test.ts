// SPDX-License-Identifier: Apache-2.0
// What surrounds a socket: asynchronous context, diagnostics channels, what TCP knows, counters, old-style classes.

import { AsyncLocalStorage } from 'node:async_hooks'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { inherits } from 'node:util'
import t from 'tap'
import dgram from '../../lib/dgram/index.js'
import { runtime } from '../../lib/index.js'
import net from '../../lib/net/index.js'
import { host, startStack } from './stack.js'

t.before(startStack)

t.test('AsyncLocalStorage: events come in the context in which their socket was made', async (t) => {
    const storage = new AsyncLocalStorage<string>()
    const seen: Record<string, unknown> = {}
    const server = storage.run('server', () =>
        net
            .createServer((socket) => {
                seen.connection = storage.getStore()
                socket.on('data', (data) => {
                    seen.serverData = storage.getStore()
                    socket.end(data)
                })
            })
            .listen(0, host),
    )
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const done: Promise<unknown>[] = []
    for (const name of ['one', 'two'])
        done.push(
            storage.run(name, () => {
                const socket = net.connect(port, host, () => {
                    seen[`${name} connect`] = storage.getStore()
                    socket.write('x')
                })
                socket.on('data', () => {
                    seen[`${name} data`] = storage.getStore()
                })
                return once(socket, 'close')
            }),
        )
    await Promise.all(done)
    server.close()
    const udp = storage.run('udp', () => dgram.createSocket('udp4', () => udp.close()))
    udp.on('message', () => {
        seen.message = storage.getStore()
    })
    udp.bind(0, host, () => udp.send('x', udp.address().port, host))
    await once(udp, 'close')
    t.same(seen, {
        connection: 'server',
        serverData: undefined,
        'one connect': 'one',
        'two connect': 'two',
        'one data': 'one',
        'two data': 'two',
        message: 'udp',
    })
})

t.test("Node's diagnostics channels tell of our sockets; info() and stats()", async (t) => {
    const told: string[] = []
    const names = ['net.client.socket', 'net.server.socket', 'udp.socket']
    const listen = (_: unknown, name: string | symbol) => told.push(String(name))
    for (const name of names) diagnostics.subscribe(name, listen)
    const server = net.createServer((socket) => socket.pipe(socket)).listen(0, host)
    await once(server, 'listening')
    const socket = net.connect((server.address() as AddressInfo).port, host)
    t.equal(socket.info(), undefined, 'no connection yet')
    await once(socket, 'connect')
    socket.write('x'.repeat(1000))
    await once(socket, 'data')
    dgram.createSocket('udp4').close()
    t.same(told.sort(), names)
    for (const name of names) diagnostics.unsubscribe(name, listen)
    const info = socket.info()
    t.ok(info && info.rttUs > 0 && info.segmentsOut > 1 && info.segmentBytes >= 536, 'measured', { info })
    t.equal(info?.bytesReceived, 1000)
    t.ok(runtime.stats().stacks.length > 0)
    socket.destroy()
    server.close()
})

t.test('a class of old: inherits() and a call of the constructor', async (t) => {
    function Old(this: unknown) {
        net.Socket.call(this as never, { allowHalfOpen: false } as never)
    }
    inherits(Old as never, net.Socket as never)
    const server = net.Server((socket: Duplex) => socket.end('hello')).listen(0, host)
    await once(server, 'listening')
    const socket = new (Old as unknown as typeof net.Socket)()
    t.ok(socket instanceof net.Socket && socket instanceof Old)
    socket.connect((server.address() as AddressInfo).port, host)
    const [data] = await once(socket, 'data')
    t.equal(String(data), 'hello')
    socket.destroy()
    server.close()
})
