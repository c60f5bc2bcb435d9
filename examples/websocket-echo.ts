// SPDX-License-Identifier: Apache-2.0
// A WebSocket echo over TLS, server and client of the ws package, on two stacks joined by a wire within this
// process. The certificate is made here (openssl), and only this client trusts it.
//
//     npx tsx examples/websocket-echo.ts [MESSAGES]
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runtime } from 'pronghorn'
import { createServer } from 'pronghorn/https'
import { connect } from 'pronghorn/tls'
import { WebSocket, WebSocketServer } from 'ws'

runtime.start({ stack: { drive: 'inline' } })

const HOST = '10.0.0.2'
const NAME = 'echo.test'
const messages = Number(process.argv[2] ?? 1000)

function certificate(): { key: Buffer; cert: Buffer } {
    const folder = mkdtempSync(join(tmpdir(), 'websocket-echo-'))
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
    const name = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`]
    try {
        execFileSync('openssl', ['req', '-x509', ...kind, ...name, '-keyout', key, '-out', cert], {
            stdio: 'ignore',
        })
        return { key: readFileSync(key), cert: readFileSync(cert) }
    } finally {
        rmSync(folder, { recursive: true })
    }
}

const pair = certificate()
const server = createServer(pair)
const echo = new WebSocketServer({ server })
echo.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
)
server.listen(0, HOST)
await once(server, 'listening')

const { port } = server.address() as AddressInfo
const options = { createConnection: connect, ca: pair.cert, servername: NAME }
const socket = new WebSocket(`wss://${HOST}:${port}/`, options as object)
await once(socket, 'open')
const times: number[] = []
let wrong = 0
for (let i = 0; i < messages; i++) {
    const sent = performance.now()
    socket.send(`message ${i}`)
    const [data] = await once(socket, 'message')
    times.push((performance.now() - sent) * 1000)
    if (String(data) !== `message ${i}`) wrong++
}
socket.close()
await once(socket, 'close')
echo.close()
server.close()

times.sort((a, b) => a - b)
console.log(`${messages} messages there and back over TLS, ${wrong} wrong`)
console.log(`half of them within ${(times[messages >> 1] as number).toFixed(0)} us`)
