// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's side of the recipes: the same libraries, as they come, on node:net.
 *
 *     node peer.mjs serve '{"host":..., "key":..., "cert":...}'   servers of every kind; one line: their ports
 *     node peer.mjs KIND '{"url":...}'                            one conversation; one line: what was seen
 */
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { Aedes } from 'aedes'
import mqtt from 'mqtt'
import { WebSocket, WebSocketServer } from 'ws'

const [part, json] = process.argv.slice(2)
const options = JSON.parse(json ?? '{}')
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

/* What POST sends comes back; GET tells where it came from. */
function answer(request, response) {
    if (request.method === 'POST') request.pipe(response)
    else response.end(`${request.url} for ${request.socket.remoteAddress}`)
}

async function text(stream) {
    let all = ''
    for await (const part of stream.setEncoding('utf8')) all += part
    return all
}

async function listen(server) {
    server.listen(0, options.host)
    await once(server, 'listening')
    return server.address().port
}

/* As much of Kafka as a client asks for that lists the topics: the protocol's versions, the metadata. */
function kafka(socket) {
    let all = Buffer.alloc(0)
    const short = (value) => Buffer.from([value >> 8, value & 255])
    const long = (value) =>
        Buffer.from([value >> 24, value >> 16, value >> 8, value & 255].map((n) => n & 255))
    const string = (value) => Buffer.concat([short(value.length), Buffer.from(value)])
    const answers = {
        18: () => [short(0), long(2), short(3), short(0), short(1), short(18), short(0), short(2), long(0)],
        3: () => [
            ...[long(1), long(7), string(options.host), long(socket.localPort), short(-1), long(7)],
            ...[long(1), short(0), string('prices'), Buffer.of(0), long(1), short(0), long(0), long(7)],
            ...[long(1), long(7), long(1), long(7)],
        ],
    }
    socket.on('data', (data) => {
        all = Buffer.concat([all, data])
        for (
            ;
            all.length >= 4 && all.length >= 4 + all.readInt32BE();
            all = all.subarray(4 + all.readInt32BE())
        ) {
            const body = Buffer.concat([all.subarray(8, 12), ...answers[all.readInt16BE(4)]()])
            socket.write(Buffer.concat([long(body.length), body]))
        }
    })
}

const BIG = 'x'.repeat(300_000)

const parts = {
    async serve() {
        const pair = { key: options.key, cert: options.cert }
        const web = http.createServer(answer)
        const sockets = new WebSocketServer({ server: web })
        sockets.on('connection', (socket) =>
            socket.on('message', (data, binary) => socket.send(data, { binary })),
        )
        const broker = await Aedes.createBroker()
        say({
            http: await listen(web),
            https: await listen(https.createServer(pair, answer)),
            h2c: await listen(http2.createServer(answer)),
            h2: await listen(http2.createSecureServer(pair, answer)),
            mqtt: await listen(net.createServer(broker.handle)),
            kafka: await listen(net.createServer(kafka)),
        })
    },

    /* Keep-alive, many at once, a body there and back. */
    async http() {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
        const ask = async (path, body) => {
            const request = http.request(options.url + path, { agent, method: body ? 'POST' : 'GET' })
            request.end(body)
            const [response] = await once(request, 'response')
            return { status: response.statusCode, text: await text(response) }
        }
        const many = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`/many/${i}`)))
        const back = await ask('/echo', BIG)
        say({
            first: many[0],
            ok: many.filter(({ status }) => status === 200).length,
            missing: (await ask('/missing')).status,
            back: back.text === BIG,
        })
        agent.destroy()
    },

    async http2() {
        const session = http2.connect(options.url, { rejectUnauthorized: false })
        const ask = async (path, body) => {
            const stream = session.request({ ':path': path, ':method': body ? 'POST' : 'GET' })
            stream.end(body)
            return text(stream)
        }
        const many = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`/many/${i}`)))
        say({ first: many[0], many: many.length, back: (await ask('/echo', BIG)) === BIG })
        session.close()
    },

    async ws() {
        const socket = new WebSocket(options.url, { rejectUnauthorized: false })
        await once(socket, 'open')
        const echo = async (data) => {
            socket.send(data)
            return once(socket, 'message')
        }
        const [short, isBinary] = await echo('hello')
        const [long, isBinaryToo] = await echo(Buffer.from(BIG))
        socket.close(4001, 'done')
        const [code] = await once(socket, 'close')
        say({ short: String(short), isBinary, long: String(long) === BIG, isBinaryToo, code })
    },

    async mqtt() {
        const client = await mqtt.connectAsync(options.url)
        await client.subscribeAsync('prices/#', { qos: 1 })
        const got = once(client, 'message')
        await client.publishAsync('prices/a', BIG, { qos: 1 })
        const [topic, payload] = await got
        say({ topic, whole: String(payload) === BIG })
        await client.endAsync()
    },
}

await parts[part]()
