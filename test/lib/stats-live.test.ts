// SPDX-License-Identifier: Apache-2.0
/* The statistics of a process that runs our stack, read from outside while it lives. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { listProcesses, readSegment, type SegmentStats } from '../../lib/stats/index.js'
import { host, settings } from './stack.js'

const program = fileURLToPath(new URL('stats-program.ts', import.meta.url))
const BYTES = 100_000

/** Reads until `holds`: what is counted shows within some milliseconds. */
async function eventually(pid: number, holds: (stats: SegmentStats) => boolean): Promise<SegmentStats> {
    for (let tries = 0; ; tries++) {
        const stats = readSegment(pid)
        if (holds(stats) || tries === 200) return stats
        await delay(10)
    }
}

const sum = ({ stacks }: SegmentStats, name: string) =>
    stacks.reduce((all, stack) => all + stack.counters[name]!, 0)

t.test('a live process: counters and sockets', async (t) => {
    const env = { ...process.env, ...(process.env.PRONGHORN_TEST_HOST ? {} : settings) }
    const child = spawn(process.execPath, ['--import', 'tsx', program], {
        env: { ...env, NODE_OPTIONS: '' },
        stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const line = await new Promise<string>((resolve, reject) => {
        child.stdout.once('data', (data) => resolve(`${data}`))
        child.once('exit', (code) => reject(new Error(`the program ended with ${code}`)))
    })
    const { port, own } = JSON.parse(line) as { port: number; own: number }
    const pid = child.pid!

    /* A reader takes the counters first and the rows later; the tick that writes both may fall between. */
    const stats = await eventually(
        pid,
        (seen) =>
            seen.sockets.filter((row) => row.tx_bytes === BYTES && row.rx_bytes === BYTES && !row.recv_queue)
                .length === 2 && sum(seen, 'tcp_segments_in') > (2 * BYTES) / 1460,
    )
    t.ok(listProcesses().some((process) => process.pid === pid && process.alive))
    t.equal(sum(stats, 'tcp_connects'), 1)
    t.equal(sum(stats, 'tcp_accepts'), 1)
    t.ok(sum(stats, 'tx_bytes') > 2 * BYTES)
    t.ok(sum(stats, 'tcp_segments_in') > (2 * BYTES) / 1460)
    t.equal(sum(stats, 'drop_rx_no_socket'), 0)

    const listener = stats.sockets.find(({ state }) => state === 'listening')
    const accepted = stats.sockets.find((row) => row.state === 'established' && row.local_port === port)
    const client = stats.sockets.find((row) => row.state === 'established' && row.peer_port === port)
    t.match(listener, { family: 'ipv4', type: 'tcp', local_address: host, local_port: port })
    t.match(accepted, {
        local_address: host,
        peer_port: own,
        rx_bytes: BYTES,
        tx_bytes: BYTES,
        recv_queue: 0,
        send_queue: 0,
    })
    t.match(client, { local_port: own, peer_address: host, rx_bytes: BYTES, tx_bytes: BYTES })
    t.ok(Number(client?.rtt_us) > 0)
    t.ok(Number(client?.cwnd_bytes) > 10_000)

    const exit = once(child, 'close')
    child.stdin.end()
    t.same(await exit, [0, null])
    t.throws(() => readSegment(pid), { code: 'ENOENT' }, 'its segment goes with it')
})
