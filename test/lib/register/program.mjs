// SPDX-License-Identifier: Apache-2.0
// Knows nothing of Pronghorn: a web server and its client in one process, by import and by require().
import dgram, { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net, { connect, Socket } from 'net'

const require = createRequire(import.meta.url)
const server = http.createServer((request, response) => response.end(`hello ${request.url}`))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()
const [response] = await once(http.get({ port, host: '127.0.0.1', path: '/x', agent: false }), 'response')
let body = ''
for await (const part of response) body += part
const socket = connect(port, '127.0.0.1')
await once(socket, 'connect')
console.log(
    JSON.stringify({
        body,
        same: require('net').Socket === Socket && require('node:net').connect === net.connect,
        instance: socket instanceof Socket && server instanceof http.Server,
        dgram: require('dgram').createSocket === createSocket && dgram.createSocket === createSocket,
        kernel: readFileSync('/proc/net/tcp', 'utf8').includes(
            `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`,
        ),
    }),
)
socket.destroy()
server.close()
