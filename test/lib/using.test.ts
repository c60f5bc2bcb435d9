// SPDX-License-Identifier: Apache-2.0
// using and await using: what goes out of scope is closed, also when the block throws.

import { once } from 'node:events'
import t from 'tap'
import { createSocket, type Socket as DatagramSocket } from '../../lib/dgram/index.js'
import { type AddressInfo, connect, createServer, type Server, type Socket } from '../../lib/net/index.js'
import type { Ring } from '../../lib/ring/index.js'
import { host, startStack } from './stack.js'

startStack()

t.test('servers, datagram sockets and rings', async (t) => {
    const seen: { server?: Server; datagrams?: DatagramSocket; ring?: Ring } = {}
    const block = async (): Promise<void> => {
        await using server = createServer().listen(0, host)
        await once(server, 'listening')
        await using datagrams = createSocket('udp4').bind(0, host)
        await once(datagrams, 'listening')
        const client = connect((server.address() as AddressInfo).port, host)
        const [accepted] = (await once(server, 'connection')) as [Socket]
        accepted.on('error', () => {}).write('something to hold')
        if (client.connecting) await once(client, 'connect')
        {
            using ring = client.ring()
            while (ring.take() === 0) await new Promise((resolve) => setImmediate(resolve))
            Object.assign(seen, { server, datagrams, ring })
            t.equal(ring.held, 1)
        }
        t.equal(seen.ring?.closed, true, 'the ring gave back what it held')
        t.equal(seen.ring?.held, 0)
        const again = client.ring()
        t.notOk(again.closed, 'and its socket lives')
        // A server's end waits for that of its connections.
        client.destroy()
        accepted.destroy()
        throw new Error('the end')
    }
    await t.rejects(block(), { message: 'the end' })
    t.equal(seen.server?.listening, false)
    t.throws(() => seen.datagrams?.address(), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' })
})
