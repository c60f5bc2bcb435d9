// SPDX-License-Identifier: Apache-2.0
// The process that the tests of the tool look at: two stacks joined by the in-process wire, an echo
// server, clients. It does what it is told, line by line on stdin, and answers each with a line of JSON:
//
//     echo BYTES [TIMES]   the first client sends BYTES and waits for their echo, TIMES times
//     open N               N more clients
//     anywhere PORT        the first client is a new one of a server on PORT, which no stack has to itself
//     stall BYTES          a client that the server never reads sends BYTES (at least begins to)
//     datagrams N          N datagrams to a port on which nobody listens, N to one that is read
//     refused              connects to a port number on which nobody listens
//     late MS              the first client writes, and the server comes to read it only after MS
//     spin MS              computes
//     paced N MS           N echoes of 64 bytes, MS apart
//     pump BYTES           sends BYTES to the echo again and again from now on, and does not wait
//     polled N             N echoes of 64 bytes in a loop of its own, with runtime.poll()
//     halves N MS          N messages of two pieces, MS apart, to a server that answers nothing
//     beats N MS           N messages of 4 bytes, MS apart, to a server that answers nothing
//     close                the first client closes
//     abrupt               the first client closes in the callback of the next data

import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { createSocket } from '../../lib/dgram/index.js'
import { runtime } from '../../lib/index.js'
import { connect, createServer, type Socket } from '../../lib/net/index.js'
import { host, startStack } from '../lib/stack.js'

startStack()

const once = (emitter: { once(name: string, run: () => void): unknown }, name: string) =>
    new Promise<void>((resolve) => emitter.once(name, resolve))

const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
})
const deaf = createServer((socket) => {
    socket.on('error', () => {})
    socket.pause()
})
server.listen(0, host)
deaf.listen(0, host)
const listener = createSocket('udp4')
listener.bind(0, host)
await Promise.all([server, deaf, listener].map((each) => once(each, 'listening')))
const portOf = (of: { address(): unknown }) => (of.address() as AddressInfo).port
const udp = createSocket('udp4')

async function open(port: number): Promise<Socket> {
    const client = connect(port, host)
    client.on('error', () => {})
    await once(client, 'connect')
    return client
}
const clients = [await open(portOf(server))]
let anywhere: ReturnType<typeof createServer> | undefined

async function echo(bytes: number, times: number): Promise<void> {
    const client = clients[0]!
    for (let i = 0; i < times; i++) {
        let left = bytes
        const done = new Promise<void>((resolve) => {
            client.on('data', function count(data) {
                left -= data.length
                if (left > 0) return
                client.off('data', count)
                resolve()
            })
        })
        client.write(Buffer.alloc(bytes, i))
        await done
    }
}

async function datagrams(count: number): Promise<void> {
    let got = 0
    const done = new Promise<void>((resolve) => {
        listener.on('message', () => ++got === count && resolve())
    })
    for (let i = 0; i < count; i++) {
        await new Promise<void>((resolve) => udp.send('hello', portOf(listener), host, () => resolve()))
        await new Promise<void>((resolve) => udp.send('nobody', 9, host, () => resolve()))
    }
    await done
}

/** A client of a server that reads and answers nothing. */
async function toSilent(): Promise<Socket> {
    const silent = createServer((socket) => socket.on('error', () => {}).resume())
    silent.listen(0, host)
    await once(silent, 'listening')
    return open(portOf(silent))
}

const commands: Record<string, (a: number, b: number) => Promise<void>> = {
    echo: (bytes, times) => echo(bytes, times || 1),
    open: async (count) => {
        for (let i = 0; i < count; i++) clients.push(await open(portOf(server)))
    },
    anywhere: async (port) => {
        if (!anywhere) {
            anywhere = createServer((socket) => socket.on('error', () => {}).pipe(socket))
            anywhere.listen(port, host)
            await once(anywhere, 'listening')
        }
        clients.unshift(await open(port))
    },
    stall: async (bytes) => {
        const client = await open(portOf(deaf))
        client.write(Buffer.alloc(bytes))
    },
    datagrams,
    refused: async () => {
        const client = connect(9, host)
        await new Promise<void>((resolve) => client.once('error', () => resolve()))
    },
    late: async (ms) => {
        const done = new Promise<void>((resolve) => clients[0]!.once('data', () => resolve()))
        clients[0]!.write('late')
        for (const end = Date.now() + ms; Date.now() < end; );
        await done
    },
    paced: async (count, ms) => {
        for (let i = 0; i < count; i++) {
            await echo(64, 1)
            await new Promise((resolve) => setTimeout(resolve, ms))
        }
    },
    halves: async (count, ms) => {
        const client = await toSilent()
        for (let i = 0; i < count; i++) {
            client.write('half')
            await new Promise((resolve) => setImmediate(resolve))
            client.write('half')
            await new Promise((resolve) => setTimeout(resolve, ms))
        }
    },
    beats: async (count, ms) => {
        const client = await toSilent()
        for (let i = 0; i < count; i++) {
            client.write('beat')
            await new Promise((resolve) => setTimeout(resolve, ms))
        }
    },
    pump: async (bytes) => {
        const data = Buffer.alloc(bytes)
        const more = () => clients[0]!.write(data, () => setImmediate(more))
        more()
        clients[0]!.resume()
    },
    polled: async (count) => {
        for (let i = 0; i < count; i++) {
            let done = false
            clients[0]!.once('data', () => {
                done = true
            })
            clients[0]!.write(Buffer.alloc(64))
            while (!done) runtime.poll()
        }
    },
    abrupt: async () => {
        const client = clients.shift()!
        client.once('data', () => client.destroy())
        client.write('abrupt')
        await once(client, 'close')
    },
    close: async () => {
        const client = clients.shift()!
        client.end()
        await once(client, 'close')
    },
    spin: async (ms) => {
        for (const end = Date.now() + ms; Date.now() < end; );
    },
}

const say = (value: unknown) => console.log(JSON.stringify(value))
say({ port: portOf(server), own: clients[0]!.localPort, udp: portOf(listener), host })

for await (const line of createInterface(process.stdin)) {
    const [word = '', a, b] = line.split(' ')
    await commands[word]!(Number(a), Number(b))
    say({ done: word })
}
process.exit(0)
