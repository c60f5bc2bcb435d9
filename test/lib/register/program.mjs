// SPDX-License-Identifier: Apache-2.0
// Knows nothing of Pronghorn: a web server and its clients in one process, by import and by require(), and a
// process that it starts.
import { fork } from 'node:child_process'
import dgram, { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import net, { connect, Socket } from 'net'

const require = createRequire(import.meta.url)

/** Whether the kernel knows of a listener on this port of the loopback. */
const isKernels = (port) =>
    readFileSync('/proc/net/tcp', 'utf8').includes(
        `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`,
    )

async function listen(server) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server.address().port
}

async function text(stream) {
    let all = ''
    for await (const part of stream) all += part
    return all
}

if (process.argv[2] === 'child') {
    const server = net.createServer()
    process.send(isKernels(await listen(server)))
    server.close()
    process.disconnect()
} else {
    const server = http.createServer((request, response) => response.end(`hello ${request.url}`))
    const port = await listen(server)
    const sent = http.get({ port, host: '127.0.0.1', path: '/x', agent: false })
    const [response] = await once(sent, 'response')
    const body = await text(response)
    const fetched = await (await fetch(`http://127.0.0.1:${port}/fetch`)).text()
    const second = http2.createServer((request, response) => response.end(`h2 ${request.url}`))
    const session = http2.connect(`http://127.0.0.1:${await listen(second)}`)
    const streamed = await text(session.request({ ':path': '/y' }))
    session.close()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const [child] = await once(fork(fileURLToPath(import.meta.url), ['child']), 'message')
    let webSocket = 'none here'
    if (globalThis.WebSocket) {
        server.on('upgrade', (_request, raw) => raw.destroy())
        const one = new WebSocket(`ws://127.0.0.1:${port}/ws`)
        webSocket = await Promise.race([
            once(server, 'upgrade').then(() => 'ours'),
            new Promise((resolve) => {
                one.onerror = () => setTimeout(resolve, 1000, 'an error')
            }),
        ])
    }
    console.log(
        JSON.stringify({
            ...{ body, fetched, streamed, webSocket },
            same: require('net').Socket === Socket && require('node:net').connect === net.connect,
            instance: socket instanceof Socket && server instanceof http.Server,
            dgram: require('node:dgram').createSocket === createSocket && dgram.createSocket === createSocket,
            kernel: isKernels(port),
            kernelInChild: child,
        }),
    )
    socket.destroy()
    second.close()
    server.closeAllConnections()
    server.close()
}
