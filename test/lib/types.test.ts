// SPDX-License-Identifier: Apache-2.0
// Our classes may stand where Node's own are asked for. (The compiler is the test; npm run lint runs it
// too. Here it is seen to be looked at.)

import type * as nodeDgram from 'node:dgram'
import type * as nodeNet from 'node:net'
import t from 'tap'
import type * as ourDgram from '../../lib/dgram/index.js'
import type { Options } from '../../lib/index.js'
import type * as ourNet from '../../lib/net/index.js'

type Is<From extends To, To> = From

export type Assignable = [
    Is<ourNet.Server, nodeNet.Server>,
    Is<ourDgram.Socket, nodeDgram.Socket>,
    Is<ourNet.Socket, nodeNet.Socket>,
]

t.test('listeners know their arguments, options their names', async (t) => {
    const listen = (socket: ourNet.Socket, datagrams: ourDgram.Socket): void => {
        socket.on('data', (data) => data.readUInt8(0)).on('close', (failed) => failed === true)
        datagrams.on('message', (message, from) => message.equals(message) && from.port > 0)
    }
    const options: Options = {
        stack: { cores: '2,3', drive: 'inline' },
        port: { device: 'tap', iface: 't0' },
    }
    // @ts-expect-error: no such setting
    const wrong: Options = { stack: { core: 1 } }
    t.ok([listen, options, wrong])
})
