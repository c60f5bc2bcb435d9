// SPDX-License-Identifier: Apache-2.0
// 127.0.0.0/8 and ::1 are this process: servers and clients in it find each other there.

import dgram from 'node:dgram'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import ourDgram from '../../lib/dgram/index.js'
import ourNet from '../../lib/net/index.js'
import { startStack } from './stack.js'

const modules = {
    kernel: { net, dgram },
    ours: { net: ourNet as unknown as typeof net, dgram: ourDgram as unknown as typeof dgram },
}

async function namesOfTcp(module: typeof net, listen: string | undefined, to: string | undefined) {
    const server = module.createServer().listen(0, listen)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const client = module.connect({ port, ...(to === undefined ? {} : { host: to }) })
    const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')])
    const names = [accepted.localAddress, accepted.remoteAddress, client.localAddress, client.remoteAddress]
    client.end()
    accepted.end()
    server.close()
    await once(server, 'close')
    return names
}

async function namesOfUdp(
    module: Pick<typeof dgram, 'createSocket'>,
    listen: string | undefined,
    to: string,
) {
    const type = to.includes(':') ? 'udp6' : 'udp4'
    const server = module.createSocket(type)
    const client = module.createSocket(type)
    server.bind(0, listen)
    await once(server, 'listening')
    client.send('ping', server.address().port, to)
    const [message, from] = await once(server, 'message')
    server.send('pong', from.port, from.address)
    const [answer, back] = await once(client, 'message')
    server.close()
    client.close()
    return [String(message), from.address, String(answer), back.address]
}

t.before(startStack)

for (const [listen, to] of [
    ['127.0.0.1', '127.0.0.1'],
    ['127.5.6.7', '127.5.6.7'],
    ['::1', '::1'],
    [undefined, '127.0.0.1'],
    [undefined, '::1'],
    [undefined, '0.0.0.0'],
    ['0.0.0.0', '127.9.9.9'],
] as const) {
    t.test(`${listen ?? 'wildcard'} reached as ${to}`, async (t) => {
        const expected = await namesOfTcp(modules.kernel.net, listen, to)
        t.same(
            await namesOfTcp(modules.ours.net, listen, to),
            expected,
            'TCP: names as the kernel gives them',
        )
        const bound = listen ?? (to.includes(':') ? '::' : '0.0.0.0')
        const datagrams = await namesOfUdp(modules.kernel.dgram, bound, to)
        t.same(await namesOfUdp(modules.ours.dgram, bound, to), datagrams, 'UDP')
    })
}

t.test('what is bound to a loopback address reaches nothing outside', async (t) => {
    const errors: unknown[] = []
    for (const { net } of Object.values(modules)) {
        const socket = net.connect({ host: '192.0.2.1', port: 9, localAddress: '127.0.0.1' })
        const [error] = await once(socket, 'error')
        errors.push(error.code)
    }
    t.equal(errors[1], errors[0])
})
