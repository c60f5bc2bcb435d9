// SPDX-License-Identifier: Apache-2.0
// A prepared message: its fields, each type at its limits, as DataView has it, and what does not fit; its size.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import dgram from '../../lib/dgram/index.js'
import net, { type AddressInfo, type Socket } from '../../lib/net/index.js'
import * as posix from '../../lib/posix.js'
import type { FieldType, Ring } from '../../lib/ring/index.js'
import { host, startStack } from './stack.js'

t.before(startStack)

const LIMITS: [type: FieldType, low: number | bigint, high: number | bigint][] = [
    ['u8', 0, 255],
    ['i8', -128, 127],
    ['u16', 0, 65535],
    ['i16', -32768, 32767],
    ['u32', 0, 2 ** 32 - 1],
    ['i32', -(2 ** 31), 2 ** 31 - 1],
    ['u64', 0n, 2n ** 64n - 1n],
    ['i64', -(2n ** 63n), 2n ** 63n - 1n],
]

t.test('values', async (t) => {
    const socket = dgram.createSocket('udp4')
    socket.bind(0, host)
    await once(socket, 'listening')
    const ring = socket.ring()
    const to = { address: host, port: 9 }
    for (const [name, low, high] of LIMITS) {
        const bits = Number(name.slice(1))
        for (const little of bits === 8 ? [false] : [false, true]) {
            const type = `${name}${little ? 'le' : ''}` as FieldType
            const template = ring.template(Buffer.alloc(16), { it: { at: 3, type } }, to)
            const read = () => {
                const { view } = template
                const unsigned = little
                    ? view.getBigUint64(3, true)
                    : view.getBigUint64(3) >> BigInt(64 - bits)
                return name[0] === 'u' ? BigInt.asUintN(bits, unsigned) : BigInt.asIntN(bits, unsigned)
            }
            for (const value of [low, high, 1, 0]) {
                template.set.it(value)
                t.equal(read(), BigInt(value), `${type} ${value}`)
            }
            template.set.it(77)
            for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY])
                t.throws(() => template.set.it(value), { code: 'ERR_OUT_OF_RANGE' }, `${type} ${value}`)
            const far = [BigInt(low) - 1n, BigInt(high) + 1n].map((one) => (bits === 64 ? one : Number(one)))
            for (const value of far)
                t.throws(
                    () => template.set.it(value),
                    { code: 'ERR_OUT_OF_RANGE', message: /set\.it/ },
                    `${type}`,
                )
            for (const value of ['1', undefined, null, {}])
                t.throws(() => template.set.it(value as never), { code: 'ERR_INVALID_ARG_TYPE' }, `${type}`)
            if (bits < 64) t.throws(() => template.set.it(1n), { code: 'ERR_INVALID_ARG_TYPE' }, 'a bigint')
            t.equal(read(), 77n, 'the field stays as it was')
            template.close()
        }
    }
    for (const value of [2 ** 53 - 1, 2 ** 40 + 7]) {
        const template = ring.template(Buffer.alloc(8), { it: { at: 0, type: 'i64' } }, to)
        template.set.it(-value)
        t.equal(template.view.getBigInt64(0), BigInt(-value), 'a number of more than 32 bits')
        template.close()
    }
    const real = ring.template(Buffer.alloc(8), { it: { at: 0, type: 'f64le' } }, to)
    real.set.it(-1.25)
    t.equal(real.view.getFloat64(0, true), -1.25)
    t.throws(() => real.set.it(1n), { code: 'ERR_INVALID_ARG_TYPE' })
    real.close()
    socket.close()
})

/** The most bytes of a template on this ring, by what the refusal of a larger one says. */
function mostOf(ring: Ring): number {
    try {
        ring.template(new Uint8Array(5_000_000))
    } catch (error) {
        return Number(/^5000000 bytes .* template has room for, (\d+): /.exec((error as Error).message)?.[1])
    }
    return Number.POSITIVE_INFINITY
}

function refusesOthers(t: Test, ring: Ring, most: number): void {
    for (const bytes of [most + 1, 4096, 70_000, 300_000])
        t.throws(
            () => ring.template(new Uint8Array(bytes)),
            {
                name: 'RangeError',
                code: 'ERR_PRONGHORN_RING',
                message: new RegExp(`^${bytes} bytes .*, ${most}: `),
            },
            `${bytes} bytes`,
        )
    t.throws(() => ring.template(new Uint8Array(0)), {
        code: 'ERR_INVALID_ARG_VALUE',
        message: /message.*empty/,
    })
}

t.test('of a stream: the largest is sent, what could never be is refused when it is made', async (t) => {
    const server = net.createServer().listen(0, host)
    await once(server, 'listening')
    const client = net.connect((server.address() as AddressInfo).port, host)
    const [peer] = (await once(server, 'connection')) as [Socket]
    if (client.connecting) await once(client, 'connect')
    const ring = client.ring()
    posix.setsockopt(ring.fd, posix.SOL_SOCKET, posix.SO_SNDBUF, 1)
    const most = mostOf(ring)
    t.ok(most >= 3900 && most < 4096, `${most} bytes`)
    refusesOthers(t, ring, most)
    const template = ring.template(new Uint8Array(most).fill(7))
    let received = 0
    peer.on('data', (data: Buffer) => {
        received += data.length
    })
    for (let sent = 0; sent < 20; ) {
        if (template.send()) sent++
        else await new Promise((next) => setImmediate(next))
    }
    while (received < 20 * most) await once(peer, 'data')
    t.equal(received, 20 * most)
    client.destroy()
    t.throws(() => ring.template(new Uint8Array(1)), { code: 'EBADF' }, 'after the socket')
    server.close()
})

t.test('of datagrams', async (t) => {
    const socket = dgram.createSocket({ type: 'udp4', sendBufferSize: 1 }).bind(0, host)
    await once(socket, 'listening')
    const other = dgram.createSocket('udp4').bind(0, host)
    await once(other, 'listening')
    const ring = socket.ring()
    const most = mostOf(ring)
    t.ok(most >= 3800 && most < 4096, `${most} bytes`)
    refusesOthers(t, ring, most)
    const to = { address: host, port: other.address().port }
    const message = once(other, 'message')
    t.ok(ring.template(new Uint8Array(most).fill(7), {}, to).send())
    t.same((await message)[0], Buffer.alloc(most, 7))
    socket.close()
    other.close()
})
