// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's side of the integration tests: a program of many small parts, run in the namespace of a
 * wire. Plain JavaScript on node:net and node:dgram, so that it starts quickly and shares no code with
 * what is tested. Each part prints one line of JSON: servers when they listen, clients at their end.
 *
 *     node peer.mjs PART '{"host":..., "port":...}'
 */
import { createCipheriv, createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const [part, json] = process.argv.slice(2)
const options = JSON.parse(json ?? '{}')
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

const BLOCK = Buffer.alloc(65536)

/* The same bytes as examples/pattern.ts makes, but by code of its own. */
function* pattern(bytes) {
    const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16))
    for (let left = bytes; left > 0; left -= BLOCK.length) {
        yield stream.update(left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK)
    }
}

async function writeAll(socket, bytes) {
    for (const block of pattern(bytes)) if (!socket.write(block)) await once(socket, 'drain')
}

async function readAll(socket) {
    const hash = createHash('sha256')
    let bytes = 0
    // (A plain loop over the socket would destroy it at the end, and with it the way back.)
    for await (const data of socket.iterator({ destroyOnReturn: false })) {
        hash.update(data)
        bytes += data.length
    }
    return { bytes, sha256: hash.digest('hex') }
}

function serve(onConnection) {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', (error) => say({ error: error.code }))
        onConnection(socket)
    })
    server.listen(options.port ?? 0, options.host, 1024, () => say({ port: server.address().port }))
}

async function dial(more = {}) {
    const socket = connect({ host: options.host, port: options.port, allowHalfOpen: true, ...more })
    await once(socket, 'connect')
    return socket
}

const parts = {
    /* Reads a request line "BYTES", answers with that much of the pattern; for many connections. */
    async source() {
        serve(async (socket) => {
            const [line] = await once(socket, 'data')
            await writeAll(socket, Number(line))
            socket.end()
        })
    },
    /* Reads to the end and answers with the checksum. */
    async sink() {
        serve(async (socket) => {
            const { bytes, sha256 } = await readAll(socket)
            socket.end(`${bytes} ${sha256}`)
        })
    },
    async echo() {
        serve((socket) => socket.pipe(socket))
    },
    /* Accepts and reads nothing until told: the other side sees a closed window. */
    async deaf() {
        serve(async (socket) => {
            socket.pause()
            await sleep(options.deaf_ms)
            const { bytes, sha256 } = await readAll(socket)
            socket.end(`${bytes} ${sha256}`)
        })
    },
    /* Accepts, reads one message, and resets the connection. */
    async reset() {
        serve((socket) => socket.once('data', () => socket.resetAndDestroy()))
    },

    /* Sends BYTES, half-closes, and reads what comes back until the end. */
    async send() {
        const socket = await dial()
        const start = performance.now()
        const reading = readAll(socket)
        await writeAll(socket, options.bytes)
        socket.end()
        const { bytes, sha256 } = await reading
        say({ bytes, sha256, ms: performance.now() - start })
    },
    /* COUNT connections at once; each echoes ROUNDS messages and checks them. */
    async crowd() {
        const sockets = []
        const { count, rounds = 3, size = 64, batch = 200 } = options
        let failed = 0
        for (let i = 0; i < count; i += batch) {
            const more = Array.from({ length: Math.min(batch, count - i) }, () =>
                dial({ noDelay: true }).catch((error) => {
                    failed++
                    return error
                }),
            )
            sockets.push(...(await Promise.all(more)).filter((socket) => !(socket instanceof Error)))
        }
        let same = 0
        const talk = async (socket, index) => {
            for (let round = 0; round < rounds; round++) {
                const message = Buffer.alloc(size, (index * 31 + round) & 255)
                socket.write(message)
                let got = 0
                while (got < size) {
                    const [data] = await once(socket, 'data')
                    if (data.equals(message.subarray(got, got + data.length))) got += data.length
                    else throw new Error('other bytes')
                }
            }
            same++
        }
        const results = await Promise.allSettled(sockets.map(talk))
        failed += results.filter(({ status }) => status === 'rejected').length
        for (const socket of sockets) socket.destroy()
        say({ connected: sockets.length, same, failed })
    },
    /* Connections one after the other; each echoes one message and closes in order. */
    async sequence() {
        let same = 0
        for (let i = 0; i < options.count; i++) {
            const socket = await dial({ noDelay: true })
            const message = `message ${i}`
            socket.end(message)
            let text = ''
            for await (const data of socket) text += data
            if (text === message) same++
        }
        say({ same })
    },
    /* Connects, expecting an error. */
    async refused() {
        try {
            const socket = await dial()
            socket.destroy()
            say({ code: 'connected' })
        } catch (error) {
            say({ code: error.code })
        }
    },
    /* Sends something and resets. */
    async resetter() {
        const socket = await dial()
        socket.write('about to reset')
        await sleep(options.wait_ms ?? 50)
        socket.resetAndDestroy()
        say({ code: 'reset' })
    },
    /* Connects and reads slowly. */
    async slow() {
        const socket = await dial()
        socket.pause()
        await sleep(options.deaf_ms)
        say(await readAll(socket))
    },

    /* UDP: each size there and back, one at a time. */
    async datagrams() {
        const socket = createSocket(options.host.includes(':') ? 'udp6' : 'udp4')
        const lost = []
        for (const size of options.sizes) {
            const data = Buffer.concat([...pattern(size)])
            socket.send(data, options.port, options.host)
            const timeout = new AbortController()
            const reply = await Promise.race([
                once(socket, 'message', { signal: timeout.signal }).catch(() => []),
                sleep(options.wait_ms ?? 2000, []),
            ])
            timeout.abort()
            if (!reply[0]?.equals(data)) lost.push(size)
        }
        socket.close()
        say({ tried: options.sizes.length, lost })
    },
    async udpEcho() {
        const socket = createSocket(options.host?.includes(':') ? 'udp6' : 'udp4')
        socket.on('message', (data, from) => socket.send(data, from.port, from.address))
        socket.bind(options.port ?? 0, options.host, () => say({ port: socket.address().port }))
    },
    /* Joins groups, from one source or from all, and says what comes. */
    async groupListen() {
        const socket = createSocket(options.type)
        socket.on('message', (data, from) => say({ text: String(data), from: from.address }))
        socket.bind(options.port, () => {
            for (const { group, source, at } of options.groups) {
                if (source) socket.addSourceSpecificMembership(source, group, at)
                else socket.addMembership(group, at)
            }
            say({ port: socket.address().port })
        })
    },
    /* One datagram to each group, which says where it goes. */
    async groupSend() {
        const socket = createSocket(options.type)
        socket.bind(0, async () => {
            socket.setMulticastInterface(options.at)
            for (const group of options.groups)
                await new Promise((resolve) => socket.send(group, options.port, group, resolve))
            socket.close()
            say({ sent: options.groups.length })
        })
    },
}

await parts[part]()
