// SPDX-License-Identifier: Apache-2.0
// An HTTP server on our own TCP/IP stack: Node's http, connected to pronghorn/net.
//
//     PRONGHORN_PORT=af_packet,iface=va,address=10.0.0.1/24 npx tsx examples/http-server.ts
//
// GET /            a greeting
// GET /bytes/N     N bytes of the pattern in pattern.ts
// POST /sha256     the checksum of what was sent
import { createHash } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createServer, type Server, type Socket } from 'pronghorn/net'
import { pattern } from './pattern.js'

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = request.url?.match(/^\/bytes\/(\d{1,12})$/)?.[1]
    if (bytes !== undefined) {
        response.setHeader('content-length', bytes)
        await pipeline(Readable.from(pattern(Number(bytes))), response)
    } else if (request.url === '/sha256') {
        const hash = createHash('sha256')
        for await (const data of request) hash.update(data)
        response.end(`${hash.digest('hex')}\n`)
    } else if (request.url === '/') {
        response.end(`Hello ${request.socket.remoteAddress}, this is Pronghorn's own TCP/IP stack.\n`)
    } else {
        response.writeHead(404).end('There is /, /bytes/N and /sha256.\n')
    }
}

/** Listens on our stack and hands each connection to Node's HTTP server. */
export function serveHttp(port: number, host?: string): Promise<Server> {
    const http = createHttpServer((request, response) => {
        // A client that went away is no error of ours.
        answer(request, response).catch(() => response.destroy())
    })
    const server = createServer((socket: Socket) => http.emit('connection', socket))
    return new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => resolve(server))
    })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const port = Number(process.env.HTTP_PORT ?? 80)
    await serveHttp(port)
    console.log(`http-server: listening on port ${port} (process ${process.pid})`)
    // The runtime ends its connections and gives everything back when the process ends.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0))
}
