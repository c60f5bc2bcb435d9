// SPDX-License-Identifier: Apache-2.0
// Played by exit.test.ts: one way of ending, by name. Also the worker's program.

import type { AddressInfo } from 'node:net'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { runtime } from '../../lib/index.js'
import { connect, createServer, type Server, type Socket } from '../../lib/net/index.js'
import { host } from './stack.js'

interface Up {
    server: Server
    client: Socket
    accepted: Socket
}

/** A server and a client that keep a message going round. */
function up(): Promise<Up> {
    return new Promise((resolve) => {
        const server = createServer((accepted) => {
            accepted.on('error', () => {})
            accepted.on('data', (data) => accepted.write(data))
        })
        server.listen(0, host, () => {
            const client = connect((server.address() as AddressInfo).port, host)
            client.on('error', () => {})
            let rounds = 0
            client.on('data', (data) => {
                if (++rounds === 3)
                    server.getConnections(() => resolve({ server, client, accepted: last as Socket }))
                client.write(data)
            })
            client.write('round and round')
        })
        let last: Socket | undefined
        server.on('connection', (socket) => {
            last = socket
        })
    })
}

/** A worker that plays another way. It must learn TypeScript by itself. */
function worker(name: string): Worker {
    const file = JSON.stringify(import.meta.url)
    const code = `import('tsx/esm/api').then(({ register }) => (register(), import(${file})))`
    return new Worker(code, { eval: true, workerData: name })
}

function exitOf(one: Worker): Promise<number> {
    return new Promise((resolve) => one.on('exit', resolve))
}

const ways: Record<string, () => Promise<void>> = {
    async 'nothing open'() {
        runtime.start()
    },
    async 'closed in order'() {
        const { server, client } = await up()
        client.on('close', () => console.log('client closed'))
        client.end()
        server.close()
    },
    async unref() {
        const { server, client, accepted } = await up()
        for (const one of [server, client, accepted]) one.unref()
        console.log('unref')
    },
    async 'unref server'() {
        const server = createServer().unref()
        server.listen(0, host, () => console.log('unref'))
        await new Promise((resolve) => server.once('listening', resolve))
    },
    async 'paused and unread'() {
        const { server, client, accepted } = await up()
        client.removeAllListeners('data')
        // As with Node's own sockets, one that neither reads nor writes does not keep the process.
        client.pause()
        accepted.destroy()
        server.close()
        await new Promise((resolve) => setTimeout(resolve, 50))
        client.destroy()
        console.log('paused')
    },
    async 'process.exit'() {
        await up()
        console.log('up')
        process.exit(7)
    },
    async uncaught() {
        const { client } = await up()
        client.on('data', () => {
            throw new Error('thrown on purpose')
        })
    },
    async rejected() {
        await up()
        throw new Error('rejected on purpose')
    },
    async stop() {
        const { server, client } = await up()
        client.destroy()
        server.close()
        await new Promise((resolve) => server.once('close', resolve))
        runtime.stop()
        runtime.stop()
        console.log('stopped', runtime.running)
    },
    async 'stop in flight'() {
        // The sockets see their end, and the process its own.
        const { server, client, accepted } = await up()
        for (const one of [server, client, accepted]) one.on('close', () => console.log('close'))
        runtime.stop()
        console.log('stopped')
    },
    async wait() {
        await up()
        console.log('up')
    },
    async 'wait for SIGINT'() {
        await up()
        process.on('SIGINT', () => process.exit(5))
        console.log('up')
    },
    async busy() {
        await up()
        process.stdout.write('up\n')
        const until = Date.now() + 10_000
        while (Date.now() < until);
    },
    async 'worker ends'() {
        console.log('worker:', await exitOf(worker('closed in order')))
    },
    async 'stop beside a worker'() {
        const one = worker('wait')
        one.on('exit', (code) => console.log('worker:', code))
        await new Promise((resolve) => setTimeout(resolve, 2000))
        runtime.stop()
    },
    async 'worker exits'() {
        const one = worker('exit 3')
        console.log('worker:', await exitOf(one))
    },
    async 'exit 3'() {
        await up()
        process.exit(3)
    },
    async 'worker throws'() {
        const one = worker('throw')
        one.on('error', (error) => console.log('worker error:', error.message))
        await exitOf(one)
    },
    async throw() {
        await up()
        throw new Error('thrown in a worker')
    },
    async 'worker terminated'() {
        const one = worker('wait')
        await new Promise((resolve) => setTimeout(resolve, 1500))
        console.log('worker:', await one.terminate())
    },
    async 'workers in turn'() {
        let answered = 0
        for (let i = 0; i < 10; i++)
            if ((await exitOf(worker(i % 2 ? 'closed in order' : 'exit 3'))) === (i % 2 ? 0 : 3)) answered++
        console.log(`all ${answered} workers answered`)
    },
    async 'workers beside the main thread'() {
        const { client, server } = await up()
        await Promise.all([1, 2, 3].map(() => exitOf(worker('closed in order'))))
        const before = client.bytesRead
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (client.bytesRead > before) console.log('main goes on')
        client.destroy()
        server.close()
    },
}

await ways[isMainThread ? (process.argv[2] as string) : workerData]?.()
