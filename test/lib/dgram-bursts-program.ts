// SPDX-License-Identifier: Apache-2.0
// Played by dgram-bursts.test.ts, by name.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createSocket, type Socket } from '../../lib/dgram/index.js'
import { host, other } from './stack.js'

function bound(address: string): Promise<Socket> {
    return new Promise((resolve) => {
        const socket = createSocket('udp4').bind(0, address, () => resolve(socket))
    })
}

async function throwing(): Promise<void> {
    const server = await bound(host)
    const client = await bound(other)
    let seen = 0
    let thrown = 0
    process.on('uncaughtException', () => {
        thrown++
    })
    server.on('message', () => {
        if (++seen === 20)
            setImmediate(() => {
                console.log(`${seen} of 20, ${thrown} thrown`)
                server.close()
                client.close()
            })
        if (seen % 5 === 0) throw new Error('on purpose')
    })
    for (let i = 0; i < 20; i++) client.send(`${i}`, server.address().port, host)
}

/** What the worker counts in; it says when there is something to count. */
async function busy(): Promise<void> {
    const arrived = new Int32Array(new SharedArrayBuffer(4))
    const file = JSON.stringify(import.meta.url)
    const code = `import('tsx/esm/api').then(({ register }) => (register(), import(${file})))`
    const worker = new Worker(code, { eval: true, workerData: arrived })
    const port = await new Promise<number>((resolve) => worker.once('message', resolve))
    const client = await bound(other)
    for (let i = 0; i < 10; i++) client.send(`${i}`, port, host)
    // Neither the event loop nor a call of ours runs meanwhile.
    for (let seen = 0; seen < 10; seen = Atomics.load(arrived, 0)) Atomics.wait(arrived, 0, seen, 20_000)
    console.log(`${arrived[0]} arrived`)
    process.exit()
}

async function count(arrived: Int32Array): Promise<void> {
    const server = await bound(host)
    server.on('message', () => {
        Atomics.add(arrived, 0, 1)
        Atomics.notify(arrived, 0)
    })
    parentPort?.postMessage(server.address().port)
}

const ways: Record<string, () => Promise<void>> = { throws: throwing, busy }
if (isMainThread) await ways[process.argv[2] as string]?.()
else await count(workerData as Int32Array)
