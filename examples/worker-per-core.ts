// SPDX-License-Identifier: Apache-2.0
// A server with a worker thread for each core: every worker has its own event loop and sockets, and listens on a
// port of its own; no byte passes from one thread to another. Clients of all of them run on the main thread.
//
//     npx tsx examples/worker-per-core.ts [WORKERS [ROUND TRIPS]]
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { runtime } from 'pronghorn'
import { connect } from 'pronghorn/net'

const HOST = '10.0.0.2'
const FIRST_PORT = 7000
const CONNECTIONS = 8
const workers = Number(process.argv[2] ?? Math.max(2, availableParallelism()))
const trips = Number(process.argv[3] ?? 500)

// What a worker runs; in a program of your own it is a file, and this is new Worker(new URL('server.js', ...)).
const SERVER = `
    import('pronghorn/net').then(({ createServer }) => {
        const { parentPort, workerData } = require('node:worker_threads')
        let served = 0
        const server = createServer((socket) => {
            socket.on('data', (data) => {
                served++
                socket.write(data)
            })
            socket.on('error', () => {})
        })
        server.listen(workerData.port, workerData.host, () => parentPort.postMessage('listening'))
        parentPort.on('message', () => {
            parentPort.postMessage(served)
            parentPort.close()
            server.close()
        })
    })`

// The runtime is the process's: whoever starts it first does so for all threads.
runtime.start()
const servers = await Promise.all(
    Array.from({ length: workers }, async (_, i) => {
        const port = FIRST_PORT + i
        const worker = new Worker(SERVER, { eval: true, workerData: { host: HOST, port } })
        await once(worker, 'message')
        return { worker, port }
    }),
)

async function client(port: number): Promise<void> {
    const socket = connect(port, HOST)
    await once(socket, 'connect')
    for (let i = 0; i < trips; i++) {
        socket.write('ping')
        await once(socket, 'data')
    }
    socket.end()
    await once(socket, 'close')
}

const started = performance.now()
await Promise.all(servers.flatMap(({ port }) => Array.from({ length: CONNECTIONS }, () => client(port))))
const seconds = (performance.now() - started) / 1000
for (const { worker, port } of servers) {
    const answer = once(worker, 'message')
    worker.postMessage('how many?')
    console.log(`worker on port ${port}: ${(await answer)[0]} messages`)
}
console.log(
    `${Math.round((workers * CONNECTIONS * trips) / seconds)} round trips a second by ${workers} workers`,
)
