// SPDX-License-Identifier: Apache-2.0
// UDP against the kernel: every size there and back, whole and in fragments, nobody there, a full socket.
import t from 'tap'
import { pattern } from '../../examples/pattern.js'
import * as posix from '../../lib/posix.js'
import { ask, assertBalanced, counters, peer, pools, skipWithoutWires, startStack } from './support/stack.js'

skipWithoutWires()
const wire = startStack()
const before = pools()

const sizes = [0, 1, 2, 64, 1400, 1452, 1472, 1473, 2000, 8192, 30000, 65000]
const POLL_MS = 2000

/* Answers what arrives, until `count` datagrams came; other tests run meanwhile. */
async function echo(fd: number, count: number): Promise<void> {
    const buffer = Buffer.alloc(65536)
    const from: Partial<posix.Address> = {}
    for (let done = 0; done < count; ) {
        const bytes = posix.recvfrom(fd, buffer, 0, buffer.length, posix.MSG_DONTWAIT, from)
        if (bytes === posix.AGAIN) {
            await new Promise((resolve) => setImmediate(resolve))
            continue
        }
        posix.sendto(fd, buffer, 0, bytes, 0, from.address as string, from.port as number)
        done++
    }
}

for (const [name, family, ours, theirs] of [
    ['IPv4', posix.AF_INET, wire.our4, wire.peer4],
    ['IPv6', posix.AF_INET6, wire.our6, wire.peer6],
] as const) {
    t.test(`${name}: we answer the kernel`, async (t) => {
        const fd = posix.socket(family, posix.SOCK_DGRAM)
        posix.bind(fd, ours, 0)
        const { port } = posix.getsockname(fd)
        const [answer] = await Promise.all([
            ask(wire, 'datagrams', { host: ours, port, sizes }),
            echo(fd, sizes.length),
        ])
        t.strictSame(answer, { tried: sizes.length, lost: [] })
        posix.close(fd)
    })

    t.test(`${name}: the kernel answers us`, async (t) => {
        const there = peer(wire, 'udpEcho', { host: theirs })
        const { port } = (await there.next()) as { port: number }
        const fd = posix.socket(family, posix.SOCK_DGRAM)
        posix.connect(fd, theirs, port)
        const buffer = Buffer.alloc(65536)
        for (const size of sizes) {
            const data = Buffer.concat([...pattern(size)])
            posix.send(fd, data)
            const [entry] = [{ fd, events: posix.POLLIN }]
            t.equal(posix.poll([entry], POLL_MS), 1, `${size} bytes came back`)
            const bytes = posix.recv(fd, buffer, 0, buffer.length, posix.MSG_DONTWAIT)
            t.ok(bytes === size && buffer.subarray(0, size).equals(data), 'as they went')
        }
        posix.close(fd)
        await there.end()
    })

    t.test(`${name}: nobody there`, async (t) => {
        const fd = posix.socket(family, posix.SOCK_DGRAM)
        posix.connect(fd, theirs, 9)
        posix.send(fd, Buffer.from('anybody?'))
        posix.poll([{ fd, events: posix.POLLIN }], POLL_MS)
        t.throws(() => posix.recv(fd, Buffer.alloc(10), 0, 10, posix.MSG_DONTWAIT), { code: 'ECONNREFUSED' })
        posix.close(fd)
        const answer = await ask(wire, 'datagrams', { host: ours, port: 9, sizes: [10], wait_ms: 300 })
        t.strictSame(answer.lost, [10], 'and nobody here')
    })
}

t.test('a socket whose buffer is full drops, and counts it', async (t) => {
    const fd = posix.socket(posix.AF_INET, posix.SOCK_DGRAM)
    posix.bind(fd, wire.our4, 0)
    posix.setsockopt(fd, posix.SOL_SOCKET, posix.SO_RCVBUF, 20000)
    const { port } = posix.getsockname(fd)
    const many = Array.from({ length: 100 }, () => 1400)
    await ask(wire, 'datagrams', { host: wire.our4, port, sizes: many, wait_ms: 1 })
    let got = 0
    const buffer = Buffer.alloc(2000)
    while (posix.recv(fd, buffer, 0, buffer.length, posix.MSG_DONTWAIT) === 1400) got++
    t.ok(got > 5 && got < 100, `${got} of 100 were kept`)
    t.ok((counters().drop_rx_socket_full as number) >= 100 - got, 'the others are counted')
    posix.close(fd)
})

t.test('nothing was lost or left', async (t) => {
    await assertBalanced(t, before)
    const now = counters()
    for (const name of ['drop_rx_checksum_udp', 'drop_rx_malformed', 'drop_tx_no_memory'])
        t.equal(now[name], 0, name)
})
