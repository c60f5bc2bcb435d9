// SPDX-License-Identifier: Apache-2.0
// Node's http over our sockets, both ends, by the hooks that it offers.

import { createHash } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { connect, createServer } from '../../lib/net/index.js'
import { host, startStack } from './stack.js'

startStack()

const web = http.createServer((request, response) => {
    if (request.method === 'POST') {
        const hash = createHash('sha256')
        request.on('data', (data) => hash.update(data))
        request.on('end', () => response.end(hash.digest('hex')))
    } else if (request.url?.startsWith('/bytes/')) {
        const left = Number(request.url.slice(7))
        response.writeHead(200, { 'content-length': left })
        const more = (rest: number): void => {
            for (; rest > 0; rest -= 65536) {
                const block = Buffer.alloc(Math.min(rest, 65536), rest & 255)
                if (!response.write(block)) {
                    response.once('drain', () => more(rest - 65536))
                    return
                }
            }
            response.end()
        }
        more(left)
    } else {
        response.end(`hello ${request.socket.remoteAddress}`)
    }
})
const server = createServer((socket) => web.emit('connection', socket))

interface Answer {
    status: number
    length: number
    body: string
    hash: string
}

function ask(path: string, agent: http.Agent, body?: Buffer): Promise<Answer> {
    const { port } = server.address() as AddressInfo
    return new Promise((resolve, reject) => {
        const request = http.request(
            { host, port, path, agent, method: body ? 'POST' : 'GET' },
            (response) => {
                const hash = createHash('sha256')
                let length = 0
                let text = ''
                response.on('data', (data: Buffer) => {
                    hash.update(data)
                    length += data.length
                    if (length < 1000) text += data
                })
                response.on('end', () =>
                    resolve({
                        status: response.statusCode ?? 0,
                        length,
                        body: text,
                        hash: hash.digest('hex'),
                    }),
                )
            },
        )
        request.on('error', reject)
        request.end(body)
    })
}

class OurAgent extends http.Agent {
    made = 0
    override createConnection(options: http.ClientRequestArgs) {
        this.made++
        return connect(options as never)
    }
}

t.before(() => new Promise<void>((resolve) => server.listen(0, host, resolve)))

t.test('keep-alive: one connection serves them all', async (t) => {
    const agent = new OurAgent({ keepAlive: true, maxSockets: 1 })
    for (let i = 0; i < 20; i++) t.match(await ask('/', agent), { status: 200, body: /^hello \d/ })
    t.equal(agent.made, 1)
    agent.destroy()
})

t.test('many at once', async (t) => {
    const agent = new OurAgent({ keepAlive: true, maxSockets: 50 })
    const answers = await Promise.all(Array.from({ length: 500 }, () => ask('/', agent)))
    t.ok(answers.every(({ status }) => status === 200))
    t.ok(agent.made <= 50)
    agent.destroy()
})

t.test('big bodies both ways', async (t) => {
    const agent = new OurAgent({ keepAlive: false })
    const size = 20 * 1024 * 1024 + 13
    const expected = createHash('sha256')
    for (let rest = size; rest > 0; rest -= 65536)
        expected.update(Buffer.alloc(Math.min(rest, 65536), rest & 255))
    const down = await ask(`/bytes/${size}`, agent)
    t.equal(down.length, size)
    t.equal(down.hash, expected.digest('hex'))
    const body = Buffer.alloc(size, 'pattern')
    t.equal((await ask('/', agent, body)).body, createHash('sha256').update(body).digest('hex'))
})

t.test('a client that goes away in the middle', async (t) => {
    const { port } = server.address() as AddressInfo
    for (let i = 0; i < 20; i++) {
        const socket = connect(port, host)
        socket.on('error', () => {})
        socket.write('GET /bytes/10000000 HTTP/1.1\r\nhost: x\r\n\r\n')
        await new Promise((resolve) => socket.once('data', resolve))
        if (i % 2) socket.destroy()
        else socket.resetAndDestroy()
    }
    const agent = new OurAgent({ keepAlive: false })
    t.equal((await ask('/', agent)).status, 200)
})

t.test('the server closes when all have gone', async (t) => {
    await new Promise((resolve) => server.close(resolve))
    t.equal(server.listening, false)
})
