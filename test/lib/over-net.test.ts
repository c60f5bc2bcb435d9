// SPDX-License-Identifier: Apache-2.0
// pronghorn/http, /https, /tls and asNetSocket: Node's protocols over our sockets.

import { once } from 'node:events'
import http2 from 'node:http2'
import nodeNet, { type AddressInfo } from 'node:net'
import nodeTls from 'node:tls'
import t from 'tap'
import http from '../../lib/http.js'
import https from '../../lib/https.js'
import net, { type Socket } from '../../lib/net/index.js'
import tls from '../../lib/tls.js'
import { certificate } from '../certificate.js'
import { host, startStack } from './stack.js'

const pair = certificate()

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
    const parts: Buffer[] = []
    for await (const part of stream) parts.push(part)
    return Buffer.concat(parts).toString()
}

t.before(startStack)

for (const [name, module, options] of [
    ['http', http, {}],
    ['https', https as unknown as typeof http, { ...pair, rejectUnauthorized: false }],
] as const) {
    t.test(`${name}: server and requests, keep-alive, close`, async (t) => {
        const server = module.createServer(options as object, (request, response) => {
            response.end(`${request.method} ${request.url} from ${request.socket.remoteAddress}`)
        })
        t.ok(server instanceof module.Server, 'an instance of its class')
        t.notOk(server.listening)
        server.listen(0, host)
        await once(server, 'listening')
        t.ok(server.listening)
        const { port } = server.address() as AddressInfo
        const agent = new module.Agent({ keepAlive: true })
        const seen = new Set<unknown>()
        for (let i = 0; i < 3; i++) {
            const sent = module.get({ host, port, path: `/${i}`, agent, ...options })
            const [response] = await once(sent, 'response')
            seen.add(sent.socket)
            t.match(await text(response), `GET /${i} from 10.`)
        }
        t.equal(seen.size, 1, 'one connection for all')
        const sent = module.request(`${name}://${host}:${port}/url`, { method: 'POST', ...options })
        sent.end('body')
        const [response] = await once(sent, 'response')
        t.match(await text(response), 'POST /url', 'by URL, with the default agent')
        const count = await new Promise((resolve) => server.getConnections((_, n) => resolve(n)))
        t.equal(count, 2)
        agent.destroy()
        const closed = once(server, 'close')
        server.close()
        await closed
        t.equal(server.address(), null)
        module.globalAgent.destroy()
    })
}

t.test('tls: names, session and both ends', async (t) => {
    const server = tls.createServer(pair, (socket) => socket.pipe(socket)).listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const socket = tls.connect({ host, port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    t.ok(socket.encrypted)
    const big = 'x'.repeat(1_000_000)
    socket.end(big)
    t.equal((await text(socket)).length, big.length, 'a megabyte there and back')
    await new Promise((resolve) => server.close(resolve))
})

t.test('tls: an end without a word of TLS ends both', async (t) => {
    let below: Socket | undefined
    const server = tls.createServer(pair, (socket) => socket.resume()).listen(0, host)
    server.on('connection', (socket) => {
        below = socket as unknown as Socket
    })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const raw = net.connect(port, host)
    await once(nodeTls.connect({ socket: raw, rejectUnauthorized: false }), 'secureConnect')
    raw.end()
    await once(raw.resume(), 'close')
    const socket = tls.connect({ host, port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    below?.end()
    socket.resume()
    await once(socket, 'close')
    net.connect(port, host).end('no TLS at all')
    await once(server, 'tlsClientError')
    net.connect(port, host).end()
    await once(server, 'tlsClientError')
    await new Promise((resolve) => server.close(resolve))
    t.pass('the server knows of no connection any more')
})

t.test('http2 over our sockets', async (t) => {
    const web = http2.createServer((request, response) => response.end(`h2 ${request.url}`))
    const server = net.createServer((socket) => web.emit('connection', socket)).listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const session = http2.connect(`http://${host}:${port}`, {
        createConnection: () => net.connect(port, host) as unknown as nodeNet.Socket,
    })
    const stream = session.request({ ':path': '/a' })
    t.equal(await text(stream), 'h2 /a')
    session.close()
    await once(session, 'close')
    await new Promise((resolve) => server.close(resolve))
})

t.test("asNetSocket: one of Node's class", async (t) => {
    const server = net.createServer((socket) => socket.pipe(socket)).listen(0, host)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const socket = net.asNetSocket(net.connect(port, host))
    t.ok(socket instanceof nodeNet.Socket)
    t.equal(
        socket.once('connect', () => {}),
        socket,
        'calls that chain stay with it',
    )
    await once(socket, 'connect')
    socket.end('hello')
    t.equal(await text(socket), 'hello')
    server.close()

    const secure = tls.createServer(pair, (socket) => socket.end('secret')).listen(0, host)
    await once(secure, 'listening')
    const raw = net.asNetSocket(net.connect((secure.address() as AddressInfo).port, host))
    t.equal(await text(nodeTls.connect({ socket: raw, rejectUnauthorized: false })), 'secret', 'under TLS')
    secure.close()
})
