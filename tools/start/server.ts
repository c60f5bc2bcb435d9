// SPDX-License-Identifier: Apache-2.0
/* The process under the main job: the two example servers on one stack. */
import { serveHttp } from '../../examples/http-server.js'
import { serveUdpEcho } from '../../examples/udp-echo.js'

await serveHttp(80, '::')
await serveUdpEcho(Number(process.env.UDP_PORT))
console.log(`examples/http-server.ts and udp-echo.ts run on our stack (process ${process.pid})`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0))
