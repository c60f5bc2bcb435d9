// SPDX-License-Identifier: Apache-2.0
/* The process under the main job: the two example servers on one stack. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { serveHttp } from '../../examples/http-server.js'

/* The blocking echo in a worker, where tsx does not reach by itself. */
async function startUdpEcho(port: number): Promise<void> {
    const echo = new URL('../../examples/udp-echo.ts', import.meta.url).href
    const code = `
        const { parentPort } = require('node:worker_threads')
        import('tsx/esm/api')
            .then(({ register }) => { register(); return import('${echo}') })
            .then(({ serveUdpEcho }) => serveUdpEcho(${port}, () => parentPort.postMessage('listening')))
    `
    const worker = new Worker(code, { eval: true })
    await once(worker, 'message')
}

await serveHttp(80, '::')
await startUdpEcho(Number(process.env.UDP_PORT))
console.log(`examples/http-server.ts and udp-echo.ts run on our stack (process ${process.pid})`)
// Its standard input is a pipe from the main job: when that is gone, however it ended, so is this.
process.stdin.resume().once('end', () => process.exit(0))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0))
