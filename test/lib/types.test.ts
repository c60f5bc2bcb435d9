// SPDX-License-Identifier: Apache-2.0
// Our modules and classes may stand where Node's own are asked for. (The compiler is the test; npm run lint
// runs it too. Here it is seen to be looked at.)

import type * as nodeDgram from 'node:dgram'
import type * as nodeHttp from 'node:http'
import type * as nodeHttp2 from 'node:http2'
import type * as nodeHttps from 'node:https'
import type * as nodeNet from 'node:net'
import type * as nodeTls from 'node:tls'
import { expectTypeOf } from 'expect-type'
import t from 'tap'
import * as ourDgram from '../../lib/dgram/index.js'
import * as ourHttp from '../../lib/http.js'
import * as ourHttp2 from '../../lib/http2.js'
import * as ourHttps from '../../lib/https.js'
import type { Options } from '../../lib/index.js'
import { runtime } from '../../lib/index.js'
import * as ourNet from '../../lib/net/index.js'
import * as posix from '../../lib/posix.js'
import type { Ring, Template } from '../../lib/ring/index.js'
import type { SegmentStats } from '../../lib/stats/index.js'
import * as ourTls from '../../lib/tls.js'

t.test('whole modules', async (t) => {
    const net: typeof nodeNet = ourNet
    // Node's types give the class of dgram the constructor of EventEmitter, which is not how it can be made.
    const dgram: Omit<typeof nodeDgram, 'Socket'> = ourDgram
    const http: typeof nodeHttp = ourHttp
    const https: typeof nodeHttps = ourHttps
    const http2: typeof nodeHttp2 = ourHttp2
    const tls: typeof nodeTls = ourTls
    for (const module of [net, dgram, http, https, http2, tls]) t.ok(module)
})

t.test('classes', async (t) => {
    expectTypeOf<ourNet.Socket>().toExtend<nodeNet.Socket>()
    expectTypeOf<ourNet.Server>().toExtend<nodeNet.Server>()
    expectTypeOf<ourDgram.Socket>().toExtend<nodeDgram.Socket>()
    expectTypeOf(ourNet.asNetSocket).returns.toEqualTypeOf<nodeNet.Socket>()
    expectTypeOf<nodeNet.Socket>().not.toExtend<ourNet.Socket>()
    t.pass('compiled')
})

t.test('listeners know their arguments, options their names', async (t) => {
    const listen = (socket: ourNet.Socket, server: ourNet.Server, datagrams: ourDgram.Socket): void => {
        socket.on('data', (data) => expectTypeOf(data).toEqualTypeOf<Buffer>())
        socket.on('close', (failed) => expectTypeOf(failed).toEqualTypeOf<boolean>())
        socket.once('error', (error) => expectTypeOf(error).toEqualTypeOf<Error>())
        server.on('connection', (one) => expectTypeOf(one).toEqualTypeOf<ourNet.Socket>())
        server.on('drop', (what) => expectTypeOf(what?.remotePort).toEqualTypeOf<number | undefined>())
        datagrams.on('message', (message, from) => message.equals(message) && from.port > 0)
        // Events of the program's own, as everywhere in Node.
        socket.on('mine', () => {})
    }
    const options: Options = {
        stack: { cores: '2,3', drive: 'inline' },
        port: { device: 'tap', iface: 't0' },
    }
    // @ts-expect-error: no such setting
    const wrong: Options = { stack: { core: 1 } }
    t.ok([listen, options, wrong])
})

t.test('what Node has not', async (t) => {
    const use = (socket: ourNet.Socket, ring: Ring): void => {
        expectTypeOf(socket.ring).returns.toEqualTypeOf<Ring>()
        expectTypeOf(socket.info).returns.toExtend<{ rttUs: number; retransmits: number } | undefined>()
        expectTypeOf(ring.take()).toEqualTypeOf<number>()
        const order = ring.template(Buffer.alloc(8), { price: { at: 0, type: 'u32' } })
        expectTypeOf(order).toEqualTypeOf<Template<'price'>>()
        order.set.price(1)
        // @ts-expect-error: no such field
        order.set.prize(1)
        // @ts-expect-error: no such type of fields
        ring.template(Buffer.alloc(8), { price: { at: 0, type: 'u33' } })
    }
    expectTypeOf(runtime.stats).returns.toEqualTypeOf<SegmentStats>()
    expectTypeOf(runtime.poll).returns.toEqualTypeOf<number>()
    expectTypeOf(posix.socket).returns.toEqualTypeOf<number>()
    t.ok(use)
})
