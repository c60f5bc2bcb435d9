// SPDX-License-Identifier: Apache-2.0
// pronghorn/dgram beside node:dgram.

import nodeDgram from 'node:dgram'
import { BlockList } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import ourDgram from '../../lib/dgram/index.js'
import { type Net, Scene, shape } from './oracle.js'
import { host, other, startStack } from './stack.js'

type Dgram = typeof nodeDgram
type Play = (scene: Scene, dgram: Dgram) => Promise<void>

async function seenOn(dgram: Dgram, at: string, other: string, play: Play) {
    const scene = new Scene({} as Net, at, other)
    await Promise.race([play(scene, dgram), sleep(5000, undefined, { ref: false })])
    return scene.seen
}

function compare(t: Test, name: string, play: Play): void {
    t.test(name, async (t) => {
        startStack()
        const expected = await seenOn(nodeDgram, '127.0.0.1', '127.0.0.2', play)
        t.same(await seenOn(ourDgram as unknown as Dgram, host, other, play), expected, 'as node:dgram')
    })
}

const bound = (socket: nodeDgram.Socket, at: string): Promise<number> =>
    new Promise((resolve) => socket.bind(0, at, () => resolve(socket.address().port)))
const next = (socket: nodeDgram.Socket): Promise<[Buffer, nodeDgram.RemoteInfo]> =>
    new Promise((resolve) => socket.once('message', (data, from) => resolve([data, from])))
const gone = (socket: nodeDgram.Socket): Promise<void> => new Promise((resolve) => socket.close(resolve))

compare(t, 'question and answer', async (scene, dgram) => {
    const server = dgram.createSocket('udp4')
    const port = await bound(server, scene.host)
    scene.alias(port, 'PORT')
    server.on('message', (data, from) => server.send(`you said ${data}`, from.port, from.address))
    scene.note('server', server.address())
    const client = dgram.createSocket({ type: 'udp4' }, (data, from) =>
        scene.note('client', data.toString(), from),
    )
    await bound(client, scene.host)
    client.send('hello', port, scene.host, (error, bytes) => scene.note('sent', shape(error), bytes))
    await next(client)
    client.send(Buffer.from('__sliced__'), 2, 6, port, scene.host)
    await next(client)
    client.send(['a', Buffer.from('b'), new Uint8Array([99])], port, scene.host)
    await next(client)
    client.send('', port, scene.host)
    await next(client)
    await gone(client)
    await gone(server)
})

compare(t, 'connected', async (scene, dgram) => {
    const server = dgram.createSocket('udp4')
    const port = await bound(server, scene.host)
    scene.alias(port, 'PORT')
    const client = dgram.createSocket('udp4')
    await bound(client, scene.host)
    await new Promise<void>((resolve) => client.connect(port, scene.host, resolve))
    scene.note('client', client.remoteAddress())
    client.send('by name of nobody')
    scene.note('server', (await next(server))[0].toString())
    for (const call of [
        () => client.send('x', port, scene.host),
        () => client.connect(port, scene.host),
        () => server.remoteAddress(),
        () => server.disconnect(),
    ])
        try {
            call()
        } catch (error) {
            scene.note('client', shape(error))
        }
    client.disconnect()
    client.send('again', port, scene.host)
    scene.note('server', (await next(server))[0].toString())
    await gone(client)
    await gone(server)
})

compare(t, 'sizes up to the largest', async (scene, dgram) => {
    const server = dgram.createSocket('udp4')
    const port = await bound(server, scene.host)
    const client = dgram.createSocket('udp4')
    await bound(client, scene.host)
    for (const size of [0, 1, 100, 1472, 1473, 9000, 30_000, 65_507]) {
        const data = Buffer.alloc(size, size)
        client.send(data, port, scene.host)
        const [received, from] = await next(server)
        scene.note('server', size, received.equals(data), from.size)
    }
    const error = await new Promise((resolve) => client.send(Buffer.alloc(65_508), port, scene.host, resolve))
    scene.note(
        'client',
        (error as NodeJS.ErrnoException).code ?? 'none',
        (error as NodeJS.ErrnoException).syscall ?? '',
    )
    await gone(client)
    await gone(server)
})

compare(t, 'what fails', async (scene, dgram) => {
    const socket = dgram.createSocket('udp4')
    const port = await bound(socket, scene.host)
    scene.alias(port, 'PORT')
    const second = dgram.createSocket('udp4')
    second.on('error', (error) => scene.note('second', shape(error)))
    second.bind(port, scene.host)
    await sleep(30)
    const closedSocket = dgram.createSocket('udp4')
    await gone(closedSocket)
    for (const [name, call] of [
        ['type', () => dgram.createSocket('tcp' as never)],
        ['no port', () => socket.send('x', 0 as never, scene.host)],
        ['bad port', () => socket.send('x', 70_000, scene.host)],
        ['bound', () => socket.bind(0)],
        ['closed', () => closedSocket.send('x', 1, scene.host)],
        ['closed twice', () => closedSocket.close()],
    ] as [string, () => unknown][])
        try {
            call()
            scene.note(name, 'nothing')
        } catch (error) {
            scene.note(name, shape(error))
        }
    await gone(socket)
    await gone(second)
})

compare(t, 'settings', async (scene, dgram) => {
    const socket = dgram.createSocket('udp4')
    await bound(socket, scene.host)
    scene.note('socket', socket.setTTL(10), socket.setMulticastTTL(3), socket.setMulticastLoopback(true))
    socket.setBroadcast(true)
    socket.setRecvBufferSize(50_000)
    scene.note(
        'socket',
        socket.getRecvBufferSize() >= 50_000,
        socket.getSendQueueCount(),
        socket.getSendQueueSize(),
    )
    scene.note('socket', socket.ref() === socket, socket.unref() === socket)
    await gone(socket)
})

compare(t, 'membership of groups and sources: what is refused, and with what', async (scene, dgram) => {
    const socket = dgram.createSocket('udp4')
    await bound(socket, '0.0.0.0')
    const tried = (name: string, what: () => void) => {
        try {
            what()
            scene.note('socket', name, 'done')
        } catch (error) {
            const { code, syscall } = error as NodeJS.ErrnoException
            scene.note('socket', name, code, syscall)
        }
    }
    const [any, ssm, source] = ['239.5.6.7', '232.5.6.7', '192.0.2.9']
    tried('join', () => socket.addMembership(any, scene.host))
    tried('join again', () => socket.addMembership(any, scene.host))
    tried('a source of what is joined', () => socket.addSourceSpecificMembership(source, any, scene.host))
    tried('leave', () => socket.dropMembership(any, scene.host))
    tried('leave again', () => socket.dropMembership(any, scene.host))
    tried('join a source', () => socket.addSourceSpecificMembership(source, ssm, scene.host))
    tried('the same again', () => socket.addSourceSpecificMembership(source, ssm, scene.host))
    tried('another', () => socket.addSourceSpecificMembership('192.0.2.10', ssm, scene.host))
    tried('all of them', () => socket.addMembership(ssm, scene.host))
    tried('leave a stranger', () => socket.dropSourceSpecificMembership('192.0.2.11', ssm, scene.host))
    tried('leave one', () => socket.dropSourceSpecificMembership(source, ssm, scene.host))
    tried('leave the other', () => socket.dropSourceSpecificMembership('192.0.2.10', ssm, scene.host))
    tried('none is left', () => socket.dropSourceSpecificMembership('192.0.2.10', ssm, scene.host))
    tried('no group', () => socket.addMembership('192.0.2.1', scene.host))
    tried('no group of a source', () => socket.addSourceSpecificMembership(source, '192.0.2.1', scene.host))
    tried('no such interface', () => socket.addMembership(any, '192.0.2.1'))
    tried('all hosts', () => socket.addMembership('224.0.0.1', scene.host))
    tried('all hosts, left', () => socket.dropMembership('224.0.0.1', scene.host))
    await gone(socket)
})

// node:dgram has the lists from 22.14 on; ours on every version.
if (Number.parseInt(process.versions.node, 10) >= 22)
    compare(t, 'blocked addresses', async (scene, dgram) => {
        const list = new BlockList()
        const make = (options: object) =>
            dgram.createSocket({ type: 'udp4', ...options } as nodeDgram.SocketOptions)
        const [server, client] = [make({ receiveBlockList: list }), make({ sendBlockList: list })]
        const port = await bound(server, scene.host)
        scene.alias(port, 'PORT')
        server.on('message', (data) => scene.note('server', data.toString()))
        await bound(client, scene.host)
        const send = (text: string) =>
            new Promise<void>((resolve) =>
                client.send(text, port, scene.host, (error, bytes) => {
                    scene.note('sent', text, shape(error), bytes ?? 'nothing')
                    resolve()
                }),
            )
        await Promise.all([next(server), send('through')])
        list.addAddress(scene.host)
        await send('not sent')
        await new Promise<void>((resolve) =>
            client.connect(port, scene.host, ((error?: Error) => {
                scene.note('connect', shape(error))
                resolve()
            }) as () => void),
        )
        const other = make({})
        await bound(other, scene.host)
        await new Promise((resolve) => other.send('not received', port, scene.host, resolve))
        await sleep(30)
        for (const wrong of [5, {}])
            for (const name of ['receiveBlockList', 'sendBlockList'])
                try {
                    make({ [name]: wrong })
                } catch (error) {
                    scene.note('wrong', shape(error)?.code)
                }
        for (const socket of [server, client, other]) await gone(socket)
    })
