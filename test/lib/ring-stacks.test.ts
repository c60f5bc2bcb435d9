// SPDX-License-Identifier: Apache-2.0
// Rings in workers that have a stack each, over IPv4 and IPv6, at the same time.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { runtime } from '../../lib/index.js'
import { readSegment } from '../../lib/stats/index.js'

// Each wire is of one worker: stacks 0 and 1 are its ends, then 2 and 3.
runtime.start({
    log: { level: 'warning' },
    stack: { count: 4 },
    port: [
        'wire,id=0,address=10.87.1.1/24,address=fd87:1::1/64,stacks=0',
        'wire,id=0,address=10.87.1.2/24,address=fd87:1::2/64,stacks=1',
        'wire,id=1,address=10.87.2.1/24,address=fd87:2::1/64,stacks=2',
        'wire,id=1,address=10.87.2.2/24,address=fd87:2::2/64,stacks=3',
    ],
})

const file = JSON.stringify(new URL('ring-stacks-worker.ts', import.meta.url).href)
const code = `import('tsx/esm/api').then(({ register }) => (register(), import(${file})))`

async function work(host: string): Promise<unknown> {
    const worker = new Worker(code, { eval: true, workerData: { host } })
    const [told] = (await once(worker, 'message')) as [unknown]
    await worker.terminate()
    return told
}

/** Packets received by each stack so far. */
const received = () => readSegment(process.pid).stacks.map((stack) => stack.counters.rx_packets as number)

for (const hosts of [['10.87.1.2'], ['fd87:2::2'], ['fd87:1::2', '10.87.2.2']])
    t.test(`a stack for each worker: ${hosts.join(', ')}`, async (t) => {
        const before = received()
        const told = await Promise.all(hosts.map(work))
        hosts.forEach((host, i) => {
            const family = host.includes(':') ? 'IPv6' : 'IPv4'
            t.same(told[i], {
                stream: { seen: 20_000, wrong: 0, warmed: 400, family },
                datagrams: { seen: 200, wrong: 0 },
            })
        })
        // No packet of a worker goes by another's stack; a few there are of neighbours and groups.
        received().forEach((packets, stack) => {
            const own = hosts.some((host) => /87[.:](\d)/.exec(host)?.[1] === `${(stack >> 1) + 1}`)
            const more = packets - (before[stack] as number)
            t.ok(own ? more > 200 : more < 50, `stack ${stack}: ${own ? 'its worker' : 'nobody'}`)
        })
    })
