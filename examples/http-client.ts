// SPDX-License-Identifier: Apache-2.0
// Requests over our stack with the global fetch, many at once over a few connections that stay open. Without an
// address the server runs here, too, on a second stack that a wire within this process leads to.
//
//     npx tsx examples/http-client.ts [COUNT [URL]]
import { runtime } from 'pronghorn'
import { connector } from 'pronghorn/undici'
import { Agent, setGlobalDispatcher } from 'undici'
import { serveHttp } from './http-server.js'

runtime.start({ stack: { drive: 'inline' } })

const CONNECTIONS = 10
const HOST = '10.0.0.2'
const count = Number(process.argv[2] ?? 2000)
let url = process.argv[3]
const server = url === undefined ? await serveHttp(0, HOST) : undefined
if (server) {
    const { port } = server.address() as { port: number }
    url = `http://${HOST}:${port}/`
}

// All of fetch now opens its connections on our stack.
const agent = new Agent({ connect: connector(), connections: CONNECTIONS })
setGlobalDispatcher(agent)

const first = await fetch(url as string)
console.log(`${first.status}: ${(await first.text()).trim()}`)
const started = performance.now()
let left = count
let failed = 0
await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
        while (left-- > 0) {
            const response = await fetch(url as string)
            await response.arrayBuffer()
            if (!response.ok) failed++
        }
    }),
)
const seconds = (performance.now() - started) / 1000
console.log(`${count} requests over ${CONNECTIONS} connections, ${failed} failed`)
console.log(`${Math.round(count / seconds)} requests a second`)
await agent.close()
server?.close()
