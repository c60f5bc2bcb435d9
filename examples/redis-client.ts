// SPDX-License-Identifier: Apache-2.0
// ioredis on our stack: a pipeline, publish and subscribe. Without an address a stand-in for the server runs here,
// on a second stack that a wire within this process leads to; it knows what this example asks of it.
//
//     PRONGHORN_PORT=af_packet,iface=va,address=10.0.0.1/24 npx tsx examples/redis-client.ts 10.0.0.2 6379
//     npx tsx examples/redis-client.ts
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { AbstractConnector, Redis } from 'ioredis'
import { runtime } from 'pronghorn'
import { connect } from 'pronghorn/net'
import { standIn } from './redis-stand-in.js'

runtime.start({ stack: { drive: 'inline' } })

const INCREMENTS = 10_000
let [host, port] = [process.argv[2], Number(process.argv[3] ?? 6379)]
if (host === undefined) {
    host = '10.0.0.2'
    const server = standIn().listen(0, host)
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    server.unref()
}

class Connector extends AbstractConnector {
    constructor(options: unknown) {
        super((options as { disconnectTimeout: number }).disconnectTimeout)
    }

    async connect() {
        this.stream = connect(port, host)
        return this.stream
    }
}

const options = { Connector, enableReadyCheck: false }
const redis = new Redis(options)
await redis.set('greeting', 'hello from our own TCP')
console.log(`GET greeting: ${await redis.get('greeting')}`)

await redis.del('counter')
const started = performance.now()
const line = redis.pipeline()
for (let i = 0; i < INCREMENTS; i++) line.incr('counter')
const answers = await line.exec()
const seconds = (performance.now() - started) / 1000
console.log(`${INCREMENTS} increments in one pipeline: the counter is ${answers?.at(-1)?.[1]}`)
console.log(`${Math.round(INCREMENTS / seconds)} a second`)

const subscriber = new Redis(options)
await subscriber.subscribe('prices')
const heard = new Promise((resolve) => subscriber.once('message', (_, price) => resolve(price)))
await redis.publish('prices', '42')
console.log(`heard on the channel: ${await heard}`)
await Promise.all([redis.quit(), subscriber.quit()])
