// SPDX-License-Identifier: Apache-2.0
// info(): where a socket is served, and its buffers. (What TCP knows is compared with the kernel's in test/net.)

import { once } from 'node:events'
import t from 'tap'
import dgram from '../../lib/dgram/index.js'
import { runtime } from '../../lib/index.js'
import net, { type Socket } from '../../lib/net/index.js'
import { host, other, startStack } from './stack.js'

t.before(startStack)

/** The stack, core, port and queue of an address, as the process tells them in shared memory. */
function placeOf(address: string) {
    const { ports, stacks } = runtime.stats().facts
    const port = ports.find(({ addresses }) => addresses.some((one) => one.startsWith(`${address}/`)))
    const stack = stacks.find((one) => port !== undefined && one.ports.includes(port.id))
    // (Each port here has one stack, and so one pair of queues.)
    return { stack: stack?.id, core: stack?.core, port: port?.id, queue: 0 }
}

t.test('a connection: each end its own stack, port and queue', async (t) => {
    const server = net.createServer().listen(0, host)
    await once(server, 'listening')
    const client = net.connect((server.address() as { port: number }).port, host)
    t.equal(client.info(), undefined, 'nothing before there is a connection')
    const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
        [Socket],
        unknown,
    ]
    t.match(client.info(), placeOf(other), 'the client')
    t.match(accepted.info(), placeOf(host), 'the server')
    t.not(client.info()?.stack, accepted.info()?.stack, 'they are two')
    t.ok((client.info()?.receiveBufferBytes ?? 0) > 0 && (client.info()?.sendBufferBytes ?? 0) > 0, 'buffers')
    client.destroy()
    t.equal(client.info(), undefined, 'nothing afterwards')
    accepted.destroy()
    server.close()
    await once(server, 'close')
})

t.test('a datagram socket: where its address is, with the sizes that were set', async (t) => {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 100_000, sendBufferSize: 50_000 })
    t.equal(socket.info(), undefined, 'nothing before bind()')
    socket.bind(0, host)
    await once(socket, 'listening')
    t.match(socket.info(), {
        ...placeOf(host),
        receiveBufferBytes: socket.getRecvBufferSize(),
        sendBufferBytes: socket.getSendBufferSize(),
    })
    socket.close()
    t.equal(socket.info(), undefined, 'nothing afterwards')
})
