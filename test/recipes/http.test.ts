// SPDX-License-Identifier: Apache-2.0
// undici, the global fetch, node:http2, fastify, express: docs/typescript.md, "Libraries".
import { once } from 'node:events'
import nodeHttp2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { fastify } from 'fastify'
import t from 'tap'
import { Agent, setGlobalDispatcher, request as undiciRequest } from 'undici'
import http from '../../lib/http.js'
import http2 from '../../lib/http2.js'
import { asNetSocket, connect, createServer } from '../../lib/net/index.js'
import { connector } from '../../lib/undici.js'
import { big, pair, start } from './support.js'

const { wire, ports, talk } = await start()
const seenByKernel = new RegExp(`^/a for ${wire.our4}$`)
const portOf = (server: { address(): AddressInfo | string | null }) => (server.address() as AddressInfo).port

t.test('undici', async (t) => {
    const dispatcher = new Agent({ connect: connector({ ca: pair.cert, servername: 'localhost' }) })
    for (const url of [`http://${wire.peer4}:${ports.http}`, `https://${wire.peer4}:${ports.https}`]) {
        const { body, statusCode } = await undiciRequest(`${url}/a`, { dispatcher })
        t.equal(statusCode, 200)
        t.match(await body.text(), seenByKernel, `${url}: the kernel saw our address`)
        const echo = async (text: string) => {
            const { body } = await undiciRequest(url, { dispatcher, method: 'POST', body: text })
            return (await body.text()) === text
        }
        t.ok(await echo(big), 'a body there and back')
        const many = await Promise.all(Array.from({ length: 50 }, (_, i) => echo(`small ${i}`)))
        t.ok(many.every(Boolean), 'fifty at once')
    }
    await dispatcher.close()
})

t.test('undici: who does not answer', async (t) => {
    const closed = new Agent({ connect: connector() })
    await t.rejects(undiciRequest(`http://${wire.peer4}:1/`, { dispatcher: closed }), {
        code: 'ECONNREFUSED',
    })
    await closed.close()
    const late = new Agent({ connect: connector({ timeout: 50 }) })
    const nobody = wire.peer4.replace(/\d+$/, '99')
    await t.rejects(undiciRequest(`http://${nobody}/`, { dispatcher: late }), {
        code: 'UND_ERR_CONNECT_TIMEOUT',
    })
    await late.close()
    const untrusted = new Agent({ connect: connector() })
    const url = `https://${wire.peer4}:${ports.https}/`
    await t.rejects(undiciRequest(url, { dispatcher: untrusted }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    await untrusted.close()
})

t.test('the global fetch', async (t) => {
    const agent = new Agent({ connect: connector() })
    setGlobalDispatcher(agent)
    const response = await fetch(`http://${wire.peer4}:${ports.http}/a`)
    t.match(await response.text(), seenByKernel)
    const echoed = await fetch(`http://${wire.peer4}:${ports.http}/`, { method: 'POST', body: big })
    t.equal(await echoed.text(), big)
    const controller = new AbortController()
    const aborted = fetch(`http://${wire.peer4}:${ports.http}/`, { signal: controller.signal })
    controller.abort()
    await t.rejects(aborted, { name: 'AbortError' })
    await agent.close()
})

t.test('http2: client', async (t) => {
    for (const url of [`http://${wire.peer4}:${ports.h2c}`, `https://${wire.peer4}:${ports.h2}`]) {
        const session = http2.connect(url, { ca: pair.cert, servername: 'localhost' })
        const stream = session.request({ ':path': '/a' })
        let text = ''
        for await (const part of stream.setEncoding('utf8')) text += part
        t.match(text, seenByKernel, url)
        session.close()
        await once(session, 'close')
    }
    const session = nodeHttp2.connect(`http://${wire.peer4}`, {
        createConnection: () => asNetSocket(connect(ports.h2c, wire.peer4)),
    })
    let text = ''
    for await (const part of session.request({ ':path': '/a' }).setEncoding('utf8')) text += part
    t.match(text, seenByKernel, "Node's own connect(), with a socket of ours")
    session.close()
})

t.test('http2: server', async (t) => {
    const answer = (request: nodeHttp2.Http2ServerRequest, response: nodeHttp2.Http2ServerResponse) => {
        if (request.method === 'POST') request.pipe(response)
        else response.end(`h2 ${request.url}`)
    }
    const seen = { first: 'h2 /many/0', many: 50, back: true }
    const plain = http2.createServer(answer).listen(0)
    await once(plain, 'listening')
    t.strictSame(await talk('http2', `http://${wire.our4}:${portOf(plain)}`), seen)
    const secure = http2.createSecureServer(pair, answer).listen(0)
    await once(secure, 'listening')
    t.strictSame(await talk('http2', `https://${wire.our4}:${portOf(secure)}`), seen, 'over TLS')
    const web = nodeHttp2.createServer(answer)
    const handed = createServer((socket) => web.emit('connection', socket)).listen(0)
    await once(handed, 'listening')
    t.strictSame(
        await talk('http2', `http://${wire.our4}:${portOf(handed)}`),
        seen,
        "Node's own, handed ours",
    )
    for (const server of [plain, secure, handed]) await new Promise((resolve) => server.close(resolve))
})

const wanted = {
    first: { status: 200, text: `{"path":"/many/0","from":"${wire.peer4}"}` },
    ok: 50,
    missing: 404,
    back: true,
}

t.test('fastify', async (t) => {
    const app = fastify({ serverFactory: (handler) => http.createServer(handler), bodyLimit: 2 * big.length })
    app.get('/many/:n', async (request) => ({ path: request.url, from: request.ip }))
    app.addContentTypeParser('*', { parseAs: 'string' }, (_, body, done) => done(null, body))
    app.post('/echo', async (request) => request.body)
    await app.listen({ port: 0, host: wire.our4 })
    t.strictSame(await talk('http', `http://${wire.our4}:${portOf(app.server)}`), wanted)
    await app.close()
    t.notOk(app.server.listening, 'close() ends it')
})

t.test('express', async (t) => {
    const app = express()
    app.get('/many/:n', (request, response) => {
        response.type('text').send(JSON.stringify({ path: request.url, from: request.ip }))
    })
    app.post('/echo', (request, response) => {
        request.pipe(response)
    })
    const server = http.createServer(app).listen(0, wire.our4)
    await once(server, 'listening')
    t.strictSame(await talk('http', `http://${wire.our4}:${portOf(server)}`), wanted)
    await new Promise((resolve) => server.close(resolve))
})
