// SPDX-License-Identifier: Apache-2.0
// Arguments of wrong types and out of range: net and dgram answer as Node's, error by error; rings, templates, posix
// and the runtime name the culprit.

import { spawnSync } from 'node:child_process'
import nodeDgram from 'node:dgram'
import { once } from 'node:events'
import nodeNet from 'node:net'
import t from 'tap'
import dgram from '../../lib/dgram/index.js'
import { runtime } from '../../lib/index.js'
import net, { type AddressInfo, type Socket } from '../../lib/net/index.js'
import * as posix from '../../lib/posix.js'
import { ring } from '../../lib/ring/index.js'
import { host, startStack } from './stack.js'

t.before(startStack)

// biome-ignore lint/suspicious/noExplicitAny: wrong arguments are what it is about
type Any = any

function answer(call: () => unknown): string {
    try {
        return typeof call()
    } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        return `${code}: ${message}`
    }
}

const VALUES: Any[] = [undefined, null, -1, 70000, 1.5, Number.NaN, 'x', '', {}, [], true, () => {}, 10n]
const AT = { port: 1, host: '127.0.0.1' }
const nothing = () => {}

function inSocket(use: (socket: Any) => void) {
    return (module: Any) => {
        const socket = new module.Socket().on('error', nothing)
        use(socket)
        socket.destroy()
    }
}
function inServer(use: (server: Any) => void) {
    return (module: Any) => {
        const server = new module.Server().on('error', nothing)
        use(server)
        server.close()
    }
}
function inDatagrams(use: (socket: Any) => void) {
    return (module: Any) => {
        const socket = module.createSocket('udp4').on('error', nothing)
        try {
            use(socket)
        } finally {
            socket.close()
        }
    }
}

const NET: Record<string, (value: Any) => (module: Any) => unknown> = {
    setTimeout: (value) => inSocket((one) => one.setTimeout(value)),
    setNoDelay: (value) => inSocket((one) => one.setNoDelay(value)),
    setKeepAlive: (value) => inSocket((one) => one.setKeepAlive(value)),
    connect: (value) => inSocket((one) => one.connect(value)),
    'connect port': (port) => inSocket((one) => one.connect({ port })),
    'connect host': (value) => inSocket((one) => one.connect({ port: 1, host: value })),
    'connect localPort': (localPort) => inSocket((one) => one.connect({ ...AT, localPort })),
    'connect family': (family) => inSocket((one) => one.connect({ ...AT, family })),
    write: (value) => inSocket((one) => one.write(value)),
    listen: (value) => inServer((one) => one.listen(value)),
    'listen port': (port) => inServer((one) => one.listen({ port })),
    createServer: (value) => (module) => module.createServer(value),
    onread: (onread) => (module) => new module.Socket({ onread }),
    signal: (signal) => (module) => new module.Socket({ signal }),
}
const DGRAM: Record<string, (value: Any) => (module: Any) => unknown> = {
    createSocket: (value) => (module) => module.createSocket(value).close(),
    lookup: (lookup) => (module) => module.createSocket({ type: 'udp4', lookup }).close(),
    recvBufferSize: (recvBufferSize) => (module) =>
        module.createSocket({ type: 'udp4', recvBufferSize }).close(),
    signal: (signal) => (module) => module.createSocket({ type: 'udp4', signal }).close(),
    bind: (value) => inDatagrams((one) => one.bind(value)),
    send: (value) => inDatagrams((one) => one.send(value, 9, '127.0.0.1')),
    'send port': (value) => inDatagrams((one) => one.send('x', value, '127.0.0.1')),
    'send address': (value) => inDatagrams((one) => one.send('x', 9, value)),
    connect: (value) => inDatagrams((one) => one.connect(value)),
}

t.test('net and dgram: as Node', async (t) => {
    for (const value of VALUES) {
        const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
        for (const [name, call] of Object.entries(NET))
            t.equal(
                answer(() => call(value)(net)),
                answer(() => call(value)(nodeNet)),
                `${name}(${text})`,
            )
        for (const [name, call] of Object.entries(DGRAM))
            t.equal(
                answer(() => call(value)(dgram)),
                answer(() => call(value)(nodeDgram)),
                `${name}(${text})`,
            )
    }
    t.equal(
        answer(() => new net.Socket({ fd: 70000 })),
        answer(() => new nodeNet.Socket({ fd: 70000 })),
    )
})

t.test('settings of a bound datagram socket: as Node', async (t) => {
    const CALLS = ['setTTL', 'setMulticastTTL', 'setMulticastInterface', 'addMembership', 'dropMembership']
    const bound = async (module: Any) => {
        const socket = module.createSocket('udp4').bind(0)
        await once(socket, 'listening')
        return socket
    }
    for (const call of [...CALLS, 'setRecvBufferSize', 'setSendBufferSize']) {
        for (const value of [...VALUES, 0, 256]) {
            const [ours, theirs] = [await bound(dgram), await bound(nodeDgram)]
            t.equal(
                answer(() => ours[call](value)),
                answer(() => theirs[call](value)),
                `${call} ${typeof value}`,
            )
            ours.close()
            theirs.close()
        }
    }
    for (const call of [
        'send',
        'bind',
        'address',
        'setTTL',
        'addMembership',
        'close',
        'connect',
        'disconnect',
    ]) {
        const closed = (module: Any) => {
            const socket = module.createSocket('udp4').close()
            return answer(() => socket[call]('x', 9))
        }
        t.equal(closed(dgram), closed(nodeDgram), `${call} after close()`)
    }
})

t.test('rings and templates name the culprit, and stay usable', async (t) => {
    const server = net.createServer({ pauseOnConnect: true }).listen(0, host)
    await once(server, 'listening')
    const client = net.connect((server.address() as AddressInfo).port, host)
    const [peer] = (await once(server, 'connection')) as [Socket]
    if (client.connecting) await once(client, 'connect')
    const TYPE = 'ERR_INVALID_ARG_TYPE'
    const RANGE = 'ERR_OUT_OF_RANGE'
    const RING = 'ERR_PRONGHORN_RING'
    t.throws(() => new net.Socket().ring(), { code: RING, message: /connected/ })
    t.throws(() => dgram.createSocket('udp4').ring(), { code: RING, message: /bind/ })
    t.throws(() => client.ring({ segments: 5 }), { code: RANGE, message: /options\.segments/ })
    t.throws(() => client.ring({ segmnets: 100 } as Any), {
        message: /segmnets.*is not known; there is segments/,
    })
    for (const fd of [-1, 'x', 1e12]) t.throws(() => ring(fd as Any), { code: 'EBADF' }, `ring(${fd})`)
    t.throws(() => ring(0), { code: 'ENOTSUP' }, "the kernel's")
    let one = client.ring()
    t.throws(() => client.ring(), { code: RING, message: /already/ })
    const LAYOUTS: Any[] = [
        null,
        5,
        {},
        { bytes: 0 },
        { prefix: 3 },
        { prefix: 2, at: -1 },
        { datagrams: false },
    ]
    for (const layout of [...LAYOUTS, { prefix: 2, plus: 0.5 }])
        t.throws(() => one.messages(layout, nothing), { code: TYPE }, JSON.stringify(layout))
    t.throws(() => one.messages({ bites: 5 } as Any, nothing), { message: /layout\.bites/ })
    for (const bytes of [0, -1, 1.5, 'x', undefined] as Any[]) {
        t.throws(() => one.reserve(bytes), { code: RANGE }, `reserve(${bytes})`)
        if (bytes !== 0) t.throws(() => one.commit(bytes), { code: RANGE }, `commit(${bytes})`)
        if (bytes !== 0 && bytes !== undefined) t.throws(() => one.release(bytes), { code: RANGE })
    }
    t.throws(() => one.reserve(5000), {
        code: RING,
        message: /5000 bytes .* reservation has room for, 39\d\d:/,
    })
    t.throws(() => one.commit(10), { code: RING, message: /reserve/ })
    t.throws(() => one.warm(5 as Any), { code: TYPE })
    t.throws(() => one.template('text' as Any), { code: TYPE })
    t.throws(() => one.template(Buffer.alloc(8), { a: null as Any }), { code: TYPE, message: /fields\.a/ })
    t.throws(() => one.template(Buffer.alloc(8), { a: { at: 0, type: 'u24' as Any } }), { code: TYPE })
    t.throws(() => one.template(Buffer.alloc(8), { a: { at: 5, type: 'u32' } }), { code: RANGE })
    // (The oldest segments' names went with them.)
    peer.write('answer')
    while (one.take() === 0) await new Promise((resolve) => setImmediate(resolve))
    t.equal(one.batch.length, 1)
    one.release()
    for (const segment of [0, 1, 2 ** 31 - 1, -1]) t.equal(one.sender(segment), undefined)
    const template = one.template(Buffer.from('whole'))
    const shut = one.template(Buffer.from('x'))
    shut.close()
    shut.close()
    t.throws(() => shut.send(), { code: RING, message: /template is closed/ })
    one.close()
    one.close()
    t.equal(one.take(), -1, 'nothing from a closed ring')
    one = client.ring()
    structuredClone(0, { transfer: [one.rows.buffer as ArrayBuffer] })
    t.throws(() => one.take(), { code: RING, message: /rows were detached/ })
    one.close()
    one = client.ring()
    t.ok(template.send(), 'what was prepared before may still be sent, and a ring be made again')
    const [got] = await Promise.all([once(peer, 'data'), peer.resume()])
    t.equal(String(got[0]), 'whole')
    client.destroy()
    t.throws(() => template.send(), { code: 'EBADF' }, 'after the socket')
    t.throws(() => client.ring(), { code: RING })
    server.close()
})

t.test('posix names the culprit', async (t) => {
    const fd = posix.socket(posix.AF_INET, posix.SOCK_DGRAM | posix.SOCK_NONBLOCK)
    const bytes = Buffer.alloc(4)
    const refused = (call: () => unknown, name: string) => {
        const message = new RegExp(`^The "${name.replace(/[[\].]/g, '\\$&')}" (argument|property) must be `)
        t.throws(call, { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message }, `${name}: ${call}`)
    }
    const noBytes: Any[] = [undefined, null, 5, 'text', {}, [], new ArrayBuffer(4), () => {}, 10n]
    for (const wrong of noBytes) {
        refused(() => posix.send(fd, wrong), 'data')
        refused(() => posix.send(fd, wrong, 0, 1), 'data')
        refused(() => posix.write(fd, wrong), 'data')
        refused(() => posix.sendto(fd, wrong, 0, 1, 0, host, 9), 'data')
        refused(() => posix.recv(fd, wrong), 'buffer')
        refused(() => posix.read(fd, wrong), 'buffer')
        refused(() => posix.recvfrom(fd, wrong), 'buffer')
        refused(() => posix.readv(fd, [bytes, wrong]), 'buffers[1]')
        refused(() => posix.writev(fd, [bytes, wrong]), 'buffers[1]')
        refused(() => posix.epoll_wait(fd, wrong, 0), 'pairs')
        if (typeof wrong !== 'number')
            refused(() => posix.setsockopt(fd, posix.SOL_SOCKET, posix.SO_BROADCAST, wrong), 'value')
    }
    for (const wrong of [undefined, null, 5, 'text', {}, bytes, 10n] as Any[]) {
        refused(() => posix.readv(fd, wrong), 'buffers')
        refused(() => posix.writev(fd, wrong), 'buffers')
        refused(() => posix.poll(wrong, 0), 'entries')
    }
    for (const wrong of [null, '1', {}, [], true, 10n] as Any[]) {
        refused(() => posix.send(fd, bytes, wrong), 'offset')
        refused(() => posix.recv(fd, bytes, 0, wrong === null ? '4' : wrong), 'length')
        refused(() => posix.poll([], wrong), 'timeoutMs')
        refused(() => posix.poll([{ fd: wrong, events: 1 }], 0), 'entries[0].fd')
        refused(
            () =>
                posix.poll(
                    [
                        { fd, events: 1 },
                        { fd, events: wrong },
                    ],
                    0,
                ),
            'entries[1].events',
        )
    }
    for (const wrong of [undefined, null, 5, 'text'] as Any[])
        refused(() => posix.poll([wrong], 0), 'entries[0]')
    t.equal(posix.poll([{ fd, events: posix.POLLOUT }], 0), 1, 'it is usable still')
    posix.close(fd)
})

t.test('the runtime', async (t) => {
    t.throws(() => runtime.start({ stack: { drive: 'inline' } }), { code: 'ERR_PRONGHORN_RUNNING' })
    t.throws(() => runtime.start('inline' as Any), { code: 'ERR_PRONGHORN_RUNNING' })
    runtime.start()
    // One whose port cannot be opened: DPDK was started by then.
    const program = `import { runtime } from './lib/index.js'
        for (const device of ['af_packet,iface=nosuch0', 'wire'])
            try { runtime.start({ port: device, memory: { hugepages: 'off' } }) } catch (error) { console.log(error.message) }`
    const { stdout } = spawnSync(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', program],
        {
            cwd: new URL('../..', import.meta.url).pathname,
            encoding: 'utf8',
            env: { ...process.env, PRONGHORN_PORT: '' },
        },
    )
    const [first = '', second = ''] = stdout.trim().split('\n')
    t.match(first, /cannot start: .*nosuch0/)
    t.match(second, /cannot be started any more in this process; its first start failed: .*nosuch0/)
})
