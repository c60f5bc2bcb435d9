// SPDX-License-Identifier: Apache-2.0
// Large TCP frames over vhost-user, both ways: each side leaves the cutting to the other, and takes what it gets.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readSegment } from '../../lib/stats/index.js'
import type { Wire } from '../../tools/net/wire.js'
import { type End, skipWithoutEnds, startClient, startEnd, type Work } from './support/ends.js'

skipWithoutEnds()
const folder = mkdtempSync(join(tmpdir(), 'pronghorn-large-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const nowhere = { home: undefined, port: '' } as unknown as Wire // no veth: the wire is a socket in a folder

const MIB = 1048576
let port = 7900

const counted = (end: End, name: string) =>
    readSegment(end.child.pid!).stacks.reduce((all, { counters }) => all + (counters[name] ?? 0), 0)

const works: Work[] = [
    ...[1, 1460, 1461, 65536, 4 * MIB].map((bytes) => ({ what: 'echo', bytes })),
    { what: 'sink', bytes: 64 * MIB },
    { what: 'source', bytes: 64 * MIB },
    { what: 'slow', bytes: 8 * MIB, count: 2, atOnce: 2, ms: 300 },
    { what: 'echo', bytes: 100_000, count: 100, atOnce: 20 },
    { what: 'abort', bytes: 100_000, count: 50, atOnce: 10 },
]

/* Who offers, who asks; `large`: whether frames get larger than the MTU. */
const cases = [
    { name: 'on', server: '', client: '', large: true },
    { name: 'off at the host', server: ',tso=off', client: '', large: false },
    { name: 'off at the guest', server: '', client: ',tso=off', large: false },
    { name: 'no offload at all', server: ',offload=off', client: ',offload=off', large: false },
    {
        name: 'small rings',
        server: ',rx_slots=64,tx_slots=64',
        client: ',rx_slots=64,tx_slots=64',
        large: true,
    },
]

for (const { name, server, client, large } of cases) {
    t.test(name, { timeout: 120_000 }, async (t) => {
        const path = join(folder, name.replaceAll(' ', '-'))
        const line = (device: string, more: string, host: number) =>
            `${device},path=${path},address=10.87.8.${host}/24,address=fd87:8::${host}/64${more}`
        const env = { PRONGHORN_STACK_DRIVE: 'dedicated', PRONGHORN_LOG_LEVEL: 'error' }
        for (const address of ['10.87.8.1', 'fd87:8::1']) {
            const listening = startEnd(nowhere, 'ours', ['serve', '::', ++port], {
                ...env,
                PRONGHORN_PORT: line('vhost', server, 1),
            })
            await listening.ready
            const guest = { ...env, PRONGHORN_PORT: line('virtio_user', client, 2) }
            for (const work of large ? works : works.slice(4, 7)) {
                const told = startClient(nowhere, 'ours', address, port, work, guest)
                const { what, count = 1, bytes } = work
                t.match(
                    await told.told,
                    { ok: count, failed: 0, error: '', stderr: '', status: 0 },
                    `${what}, ${count} of ${bytes} bytes to ${address}`,
                )
            }
            const merged = counted(listening, 'tx_merged')
            if (large) t.ok(merged > 10_000, `the host merged ${merged} segments`)
            else t.equal(merged, 0, 'the host merged nothing')
            const packets = counted(listening, 'rx_packets')
            const segments = counted(listening, 'rx_bytes') / 1514
            if (large)
                t.ok(packets < segments / 2, `${packets} frames came for ${Math.round(segments)} full ones`)
            else
                t.ok(packets > segments * 0.9, `${packets} frames came for ${Math.round(segments)} full ones`)
            t.equal(counted(listening, 'drop_rx_malformed') + counted(listening, 'drop_rx_checksum_tcp'), 0)
            t.match(await listening.stop(), { open: 0, stderr: '', status: 0 }, 'no connection is left')
        }
    })
}
