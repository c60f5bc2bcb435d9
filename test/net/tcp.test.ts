// SPDX-License-Identifier: Apache-2.0
// TCP against the kernel: every size both ways with checksums, and every way a connection can end.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { pattern, patternSha256 } from '../../examples/pattern.js'
import { connect, createServer, type Server, type Socket } from '../../lib/net/index.js'
import { ask, assertBalanced, counters, peer, pools, skipWithoutWires, startStack } from './support/stack.js'

skipWithoutWires()
const wire = startStack()
const before = pools()

const MIB = 1048576
const sizes = [1, 2, 1459, 1460, 1461, 65536, MIB, 64 * MIB]

async function listen(onConnection: (socket: Socket) => void, host = '::'): Promise<[Server, number]> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => {})
        onConnection(socket)
    })
    server.listen(0, host)
    await once(server, 'listening')
    return [server, (server.address() as { port: number }).port]
}

async function dial(host: string, port: number): Promise<Socket> {
    const socket = connect({ host, port, allowHalfOpen: true })
    await once(socket, 'connect')
    return socket
}

async function readAll(socket: Socket) {
    const hash = createHash('sha256')
    let bytes = 0
    // (A plain loop over the socket would destroy it at the end, and with it the way back.)
    for await (const data of socket.iterator({ destroyOnReturn: false })) {
        hash.update(data)
        bytes += data.length
    }
    return { bytes, sha256: hash.digest('hex') }
}

async function writeAll(socket: Socket, bytes: number) {
    for (const block of pattern(bytes)) if (!socket.write(block)) await once(socket, 'drain')
}

for (const [name, ours, theirs] of [
    ['IPv4', wire.our4, wire.peer4],
    ['IPv6', wire.our6, wire.peer6],
] as const) {
    t.test(`${name}: the kernel sends to us`, async (t) => {
        const [server, port] = await listen(async (socket) => {
            const { bytes, sha256 } = await readAll(socket)
            socket.end(`${bytes} ${sha256}`)
        })
        for (const bytes of sizes) {
            const answer = await ask(wire, 'send', { host: ours, port, bytes })
            const expected = createHash('sha256')
                .update(`${bytes} ${patternSha256(bytes)}`)
                .digest('hex')
            t.equal(answer.sha256, expected, `${bytes} bytes`)
        }
        server.close()
    })

    t.test(`${name}: we send to the kernel`, async (t) => {
        const sink = peer(wire, 'sink', { host: theirs })
        const { port } = (await sink.next()) as { port: number }
        for (const bytes of sizes) {
            const socket = await dial(theirs, port)
            await writeAll(socket, bytes)
            socket.end()
            let text = ''
            for await (const data of socket) text += data
            t.equal(text, `${bytes} ${patternSha256(bytes)}`, `${bytes} bytes`)
        }
        await sink.end()
    })

    t.test(`${name}: both ways at once`, async (t) => {
        const [server, port] = await listen((socket) => socket.pipe(socket))
        const bytes = 32 * MIB
        const answer = await ask(wire, 'send', { host: ours, port, bytes })
        t.equal(answer.sha256, patternSha256(bytes), `${bytes} bytes there and back`)
        server.close()
    })

    t.test(`${name}: half-close`, async (t) => {
        const source = peer(wire, 'source', { host: theirs })
        const { port } = (await source.next()) as { port: number }
        const socket = await dial(theirs, port)
        socket.end('1000000')
        const { bytes, sha256 } = await readAll(socket)
        t.equal(bytes, 1000000, 'all came after our FIN')
        t.equal(sha256, patternSha256(1000000))
        await source.end()
    })

    t.test(`${name}: SYN to a closed port`, async (t) => {
        t.match(await ask(wire, 'refused', { host: ours, port: 9 }), { code: 'ECONNREFUSED' }, 'we refuse')
        await t.rejects(dial(theirs, 9), { code: 'ECONNREFUSED' }, 'we are refused')
    })

    t.test(`${name}: RST`, async (t) => {
        const [server, port] = await listen(() => {})
        const got = once(server, 'connection') as Promise<[Socket]>
        const resetting = ask(wire, 'resetter', { host: ours, port })
        const [socket] = await got
        const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
        t.equal(error.code, 'ECONNRESET', 'their reset is our error')
        await resetting
        server.close()

        const reset = peer(wire, 'reset', { host: theirs })
        const { port: theirPort } = (await reset.next()) as { port: number }
        const client = await dial(theirs, theirPort)
        client.write('reset me')
        const [second] = (await once(client, 'error')) as [NodeJS.ErrnoException]
        t.equal(second.code, 'ECONNRESET', 'also of a connection that we made')
        await reset.end()

        const echo = peer(wire, 'echo', { host: theirs })
        const { port: echoPort } = (await echo.next()) as { port: number }
        const third = await dial(theirs, echoPort)
        third.resetAndDestroy()
        t.match(await echo.next(), { error: 'ECONNRESET' }, 'our reset is their error')
        await echo.end()
    })

    t.test(`${name}: a closed window`, async (t) => {
        const deaf = peer(wire, 'deaf', { host: theirs, deaf_ms: 1500 })
        const { port } = (await deaf.next()) as { port: number }
        const socket = await dial(theirs, port)
        const bytes = 24 * MIB
        const start = performance.now()
        await writeAll(socket, bytes)
        t.ok(performance.now() - start > 1000, 'we were held back while the peer did not read')
        socket.end()
        let text = ''
        for await (const data of socket) text += data
        t.equal(text, `${bytes} ${patternSha256(bytes)}`, 'and all arrived when it did')
        await deaf.end()

        const [server, ourPort] = await listen(async (client) => {
            client.pause()
            await sleep(1500)
            const { bytes, sha256 } = await readAll(client)
            client.end(`${bytes} ${sha256}`)
        })
        const answer = await ask(wire, 'send', { host: ours, port: ourPort, bytes })
        const expected = createHash('sha256')
            .update(`${bytes} ${patternSha256(bytes)}`)
            .digest('hex')
        t.equal(answer.sha256, expected, 'and the other way round')
        server.close()
    })

    t.test(`${name}: two thousand connections at once`, async (t) => {
        const [server, port] = await listen((socket) => socket.pipe(socket))
        const answer = await ask(wire, 'crowd', { host: ours, port, count: 2000 })
        t.match(answer, { connected: 2000, same: 2000, failed: 0 }, 'from the kernel to us')
        server.close()

        const echo = peer(wire, 'echo', { host: theirs })
        const { port: theirPort } = (await echo.next()) as { port: number }
        const sockets = await Promise.all(Array.from({ length: 2000 }, () => dial(theirs, theirPort)))
        let same = 0
        await Promise.all(
            sockets.map(async (socket, i) => {
                const message = `message of ${i}`
                socket.end(message)
                let text = ''
                for await (const data of socket) text += data
                if (text === message) same++
            }),
        )
        t.equal(same, 2000, 'from us to the kernel')
        await echo.end()
    })

    t.test(`${name}: many, one after the other`, async (t) => {
        const [server, port] = await listen((socket) => socket.pipe(socket))
        t.match(await ask(wire, 'sequence', { host: ours, port, count: 300 }), { same: 300 })
        server.close()
    })
}

t.test('a gigabyte each way', async (t) => {
    const bytes = 1024 * MIB
    const [server, port] = await listen(async (socket) => {
        const { bytes, sha256 } = await readAll(socket)
        socket.end(`${bytes} ${sha256}`)
    })
    const answer = await ask(wire, 'send', { host: wire.our4, port, bytes })
    const said = createHash('sha256')
        .update(`${bytes} ${patternSha256(bytes)}`)
        .digest('hex')
    t.equal(answer.sha256, said, `to us in ${((answer.ms as number) / 1000).toFixed(1)} s`)
    server.close()

    const sink = peer(wire, 'sink', { host: wire.peer4 })
    const { port: theirPort } = (await sink.next()) as { port: number }
    const socket = await dial(wire.peer4, theirPort)
    const start = performance.now()
    await writeAll(socket, bytes)
    socket.end()
    let text = ''
    for await (const data of socket) text += data
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    t.equal(text, `${bytes} ${patternSha256(bytes)}`, `from us in ${seconds} s`)
    await sink.end()
})

t.test('nothing was lost or left', async (t) => {
    await assertBalanced(t, before)
    const now = counters()
    for (const name of [
        'drop_rx_checksum_tcp',
        'drop_rx_checksum_ip',
        'drop_rx_malformed',
        'drop_tx_no_memory',
    ]) {
        t.equal(now[name], 0, name)
    }
    t.ok((now.tcp_accepts as number) > 2000, 'accepted connections are counted')
    t.ok((now.tcp_connects as number) > 2000, 'made connections are counted')
})
