// SPDX-License-Identifier: Apache-2.0
// A ring that nobody reads (for sending only, say): the peer's end and errors are seen as by a plain socket.

import { once } from 'node:events'
import t from 'tap'
import net, { type Socket } from '../../lib/net/index.js'
import { host, startStack } from './stack.js'

t.before(startStack)

async function pair(): Promise<{ client: Socket; peer: Socket; close: () => void }> {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, host)
    await once(server, 'listening')
    const client = net.connect((server.address() as { port: number }).port, host)
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
        [Socket],
        unknown,
    ]
    return { client, peer, close: () => server.close() }
}

t.test('the peer ends', async (t) => {
    const { client, peer, close } = await pair()
    const ring = client.ring()
    const ended = once(client, 'close')
    peer.resume()
    peer.end()
    await ended
    t.ok(ring.ended, 'the ring knows')
    t.equal(ring.take(), -1, 'nothing can be taken')
    close()
})

t.test('the peer ended before there was a ring', async (t) => {
    const { client, peer, close } = await pair()
    client.end()
    while (!(peer as unknown as { _lost: boolean })._lost) await new Promise(setImmediate)
    const ended = once(peer, 'end')
    peer.ring()
    await ended
    peer.end()
    await once(peer, 'close')
    t.pass('it ends')
    close()
})

t.test('a reset', async (t) => {
    const { client, peer, close } = await pair()
    client.ring()
    const failed = once(client, 'error')
    peer.resetAndDestroy()
    t.match(await failed, [{ code: 'ECONNRESET' }])
    close()
})

t.test('what lies before the end is not passed over', async (t) => {
    const { client, peer, close } = await pair()
    const ring = client.ring()
    peer.resume()
    peer.end('hello')
    while (!(client as unknown as { _lost: boolean })._lost) await new Promise(setImmediate)
    t.notOk(ring.ended, 'it waits for a reader')
    const ended = once(client, 'close')
    const frames = ring.onMessage({ bytes: 5 }, () => {})
    await ended
    t.equal(frames.count, 1, 'who reads all, and then the end')
    close()
})
