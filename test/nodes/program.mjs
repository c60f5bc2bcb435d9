// SPDX-License-Identifier: Apache-2.0
// A bit of everything on the built package, in a Node of any version: one line of JSON.
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { createSocket } from '../../dist/dgram.js'
import http from '../../dist/http.js'
import { runtime } from '../../dist/index.js'
import net from '../../dist/net.js'

const [near, host] = ['10.88.0.1', '10.88.0.2']
const MESSAGES = 1000
const BYTES = 64

async function text(stream) {
    let all = ''
    for await (const part of stream.setEncoding('utf8')) all += part
    return all
}

async function listen(server) {
    server.listen(0, host)
    await once(server, 'listening')
    return server.address().port
}

async function echo(port, what) {
    const socket = net.connect(port, host)
    socket.end(what)
    return text(socket)
}

async function datagram() {
    const server = createSocket('udp4', (message, from) => server.send(message, from.port, from.address))
    server.bind(0, host)
    await once(server, 'listening')
    const client = createSocket('udp4')
    client.send('ping', server.address().port, host)
    const [message] = await once(client, 'message')
    client.close()
    server.close()
    return String(message)
}

/* So many numbered messages by template, read in place. */
async function rings() {
    const server = net.createServer((socket) => {
        const ring = socket.ring()
        // Whoever reads nothing hears of no end.
        ring.onBatch(() => ring.release())
        const tick = ring.template(Buffer.alloc(BYTES), { sequence: { at: 0, type: 'u32' } })
        let next = 0
        const push = () => {
            for (; next < MESSAGES; next++) {
                tick.set.sequence(next)
                if (!tick.send()) {
                    setImmediate(push)
                    return
                }
            }
            socket.end()
        }
        push()
    })
    const socket = net.connect(await listen(server), host)
    await once(socket, 'connect')
    let expected = 0
    let wrong = 0
    socket.ring().onMessage({ bytes: BYTES }, (view, offset) => {
        if (view.getUint32(offset) !== expected++) wrong++
    })
    await once(socket.resume(), 'close')
    server.close()
    return { received: expected, wrong }
}

if (isMainThread) {
    runtime.start({
        stack: { cores: '0,1' },
        memory: { hugepages: 'off' },
        log: { level: 'warning' },
        port: [`wire,id=0,address=${near}/24,stacks=0`, `wire,id=0,address=${host}/24,stacks=1`],
    })
    const server = net.createServer((socket) => socket.pipe(socket))
    const port = await listen(server)
    const web = http.createServer((request, response) => response.end(`hello ${request.url}`))
    const url = `http://${host}:${await listen(web)}`
    const [response] = await once(http.get(`${url}/x`), 'response')
    const worker = new Worker(new URL(import.meta.url))
    worker.postMessage(port)
    const [fromWorker] = await once(worker, 'message')
    await worker.terminate()
    console.log(
        JSON.stringify({
            echo: await echo(port, 'hello'),
            long: (await echo(port, 'x'.repeat(1_000_000))).length,
            worker: fromWorker,
            http: await text(response),
            dgram: await datagram(),
            ring: await rings(),
            info: typeof runtime.stats().stacks[0].counters,
        }),
    )
    http.globalAgent.destroy()
    web.close()
    server.close()
} else {
    const [port] = await once(parentPort, 'message')
    parentPort.postMessage(await echo(port, 'from a worker'))
}
