// SPDX-License-Identifier: Apache-2.0
// Several copies of the package in one process (a bundle, an ES module, a CommonJS module) are users of one
// runtime and of one event loop: what one serves, another reaches.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { buildSync } from 'esbuild'
import t from 'tap'
import { runtime } from '../../lib/index.js'
import source from '../../lib/net/index.js'
import { host, startStack } from './stack.js'

type Net = typeof source

const require = createRequire(import.meta.url)
const build = fileURLToPath(new URL('../../build', import.meta.url))
const folder = mkdtempSync(join(build, 'copies-'))
t.teardown(() => rmSync(folder, { recursive: true }))

/** The built package (by its name the source would be meant here). */
const dist = (name: string) => new URL(`../../dist/${name}`, import.meta.url).href

async function bundled(): Promise<Net> {
    const outfile = join(folder, 'net.mjs')
    const entry = fileURLToPath(new URL('../../lib/net/index.ts', import.meta.url))
    buildSync({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm' })
    return (await import(pathToFileURL(outfile).href)).default
}

t.test('each reaches what each of the others serves', async (t) => {
    startStack()
    const copies: Record<string, Net> = {
        source,
        import: (await import(dist('net.js'))).default,
        require: require(fileURLToPath(dist('net.cjs'))),
        bundle: await bundled(),
    }
    t.equal(new Set(Object.values(copies).map((net) => net.Socket)).size, 4, 'copies indeed')
    for (const [serving, one] of Object.entries(copies)) {
        const server = one.createServer((socket) => socket.pipe(socket)).listen(0, host)
        await once(server, 'listening')
        const { port } = server.address() as AddressInfo
        for (const [asking, other] of Object.entries(copies)) {
            const socket = other.connect(port, host)
            socket.end(asking)
            let text = ''
            for await (const part of socket) text += part
            t.equal(text, asking, `${asking} of ${serving}`)
        }
        server.close()
        await once(server, 'close')
    }
    // One loop for all: poll() of one copy runs the listeners of another.
    const server = copies.bundle?.createServer((socket) => socket.resume()).listen(0, host)
    if (!server) throw new Error('no server')
    await once(server, 'listening')
    const socket = copies.require?.connect((server.address() as AddressInfo).port, host)
    let connected = false
    socket?.once('connect', () => {
        connected = true
    })
    await new Promise(process.nextTick)
    while (!connected) runtime.poll()
    t.ok(connected, 'without a turn of the event loop')
    socket?.destroy()
    server.close()
    await once(server, 'close')
})

t.test('a worker with a copy of its own is a user of the same runtime', async (t) => {
    const server = source.createServer((socket) => socket.end('hello')).listen(0, host)
    await once(server, 'listening')
    const code = `
        const { parentPort, workerData } = require('node:worker_threads')
        const { runtime } = require(workerData.index)
        const before = runtime.running
        require(workerData.net).connect(workerData.port, workerData.host)
            .on('data', (data) => parentPort.postMessage([before, String(data)]))`
    const { port } = server.address() as AddressInfo
    const [index, net] = ['index.cjs', 'net.cjs'].map((name) => fileURLToPath(dist(name)))
    const workerData = { host, port, index, net }
    const worker = new Worker(code, { eval: true, workerData, execArgv: [], env: process.env })
    t.same((await once(worker, 'message'))[0], [true, 'hello'])
    await once(worker, 'exit')
    t.ok(runtime.running, 'and its end is not the end of it')
    server.close()
    await once(server, 'close')
})
